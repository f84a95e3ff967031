import type { ConversationRef } from '../../model/conversation-name.ts';
import type { ConversationId, MessageId, UserId } from '../../model/ids.ts';
import type { Audience, SentBody, StoredMessage } from '../../model/message.ts';
import type { Username } from '../../model/username.ts';
import type { ConversationRefusal } from './conversations.ts';

/** Messages in their order. */
export interface MessageStore {
  /** Stores one message (see {@link AppendOutcome}); the first answer again when (sender, key) is known. */
  appendMessage(message: NewMessage): Promise<AppendOutcome>;
  /**
   * Messages with `after < seq < before` in order of seq: the first `limit`, or with `newest` the last `limit`. It stops before
   * the one whose body would take them beyond `maxCharacters`, but never before the first that it reads.
   */
  messages(query: MessageQuery): Promise<StoredMessage[]>;
}

/** A message to be stored. `key` is the sender's idempotency key, or undefined for none. */
export interface NewMessage {
  readonly id: MessageId;
  readonly senderId: UserId;
  readonly sender: Username;
  readonly to: ConversationRef;
  readonly key: string | undefined;
  readonly sentAt: number;
  readonly body: SentBody;
}

/** `stored`: now. `repeated`: (sender, key) was stored before; id, seq, time and conversation are the first one's. */
export type AppendOutcome = AppendedMessage | ConversationRefusal;

/** Where a message came to stand. */
export interface AppendedMessage {
  readonly kind: 'stored' | 'repeated';
  readonly conversation: ConversationId;
  readonly audience: Audience;
  readonly id: MessageId;
  readonly seq: number;
  readonly sentAt: number;
}

/** A page of a conversation. */
export interface MessageQuery {
  readonly conversation: ConversationId;
  readonly after?: number;
  readonly before?: number;
  readonly limit: number;
  readonly newest?: boolean;
  /** In UTF-16 units of their bodies; without bound when left out. */
  readonly maxCharacters?: number;
}
