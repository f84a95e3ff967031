import type { ConversationRef } from './conversation-name.ts';
import type { ConversationId, MessageId } from './ids.ts';
import type { Username } from './username.ts';

/** What a message carries: text the server can read, or an envelope that it cannot. */
export type MessageBody = { readonly text: string } | { readonly envelope: string };

/** One stored message. `seq` counts from 1 in its conversation without a gap; `sentAt` is UTC milliseconds. */
export interface StoredMessage {
  readonly seq: number;
  readonly id: MessageId;
  readonly sender: Username;
  readonly sentAt: number;
  readonly body: MessageBody;
}

/** Who reads a conversation: everybody in a room, or the two people of a direct conversation. */
export type Audience =
  | { readonly kind: 'room'; readonly room: string }
  | { readonly kind: 'direct'; readonly users: readonly [Username, Username] };

/** A conversation as one of its readers sees it. */
export interface ConversationView {
  readonly id: ConversationId;
  readonly ref: ConversationRef;
  readonly lastSeq: number;
  readonly readSeq: number;
}
