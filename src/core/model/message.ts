import type { ConversationRef } from './conversation-name.ts';
import type { ConversationId, MessageId } from './ids.ts';
import type { Username } from './username.ts';

/** What a message carries when it is sent: text the server can read, or an envelope that it cannot. */
export type SentBody = { readonly text: string } | { readonly envelope: string };

/** What a message carries, or that its text is gone: its sender's account was erased, or its time was over. Its place stays. */
export type MessageBody = SentBody | { readonly erased: true };

/** What stands in the place of an erased text. Who must not take it for a text goes by the mark beside it. */
export const erasedText = '[erased]';

/** A body as its reader gets it: always something to show, and a mark where that is not what was sent. */
export function wireBody(
  body: MessageBody,
): SentBody | { readonly text: typeof erasedText; readonly erased: true } {
  return 'erased' in body ? { text: erasedText, erased: true } : body;
}

/** How much a body holds, in UTF-16 units. */
export function bodyLength(body: MessageBody): number {
  if ('text' in body) return body.text.length;
  return 'envelope' in body ? body.envelope.length : 0;
}

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
