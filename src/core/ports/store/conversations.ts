import type { ConversationRef } from '../../model/conversation-name.ts';
import type { ConversationId, MessageId, UserId } from '../../model/ids.ts';
import type { ConversationView } from '../../model/message.ts';

/** Conversations as somebody sees them, and how far they are read. */
export interface ConversationStore {
  /** A conversation as `userId` sees it; `unwritten` for a direct one that there could be, and is not yet. */
  conversation(query: {
    userId: UserId;
    ref: ConversationRef;
  }): Promise<ConversationView | ConversationRefusal | { readonly kind: 'unwritten' }>;
  /** The same, and a direct conversation that nobody has written in yet is made: for who is to hear of the first message there. */
  openConversation(query: {
    userId: UserId;
    ref: ConversationRef;
    now: number;
  }): Promise<ConversationView | ConversationRefusal>;
  /** Every conversation of `userId`: the rooms it is in (the lobby too) and its direct ones. */
  conversations(query: { userId: UserId }): Promise<ConversationView[]>;
  /** Where these conversations end, in any order; nothing of one that there is not. Cheap: one question for all of them. */
  heads(ids: readonly ConversationId[]): Promise<ConversationHead[]>;
  /**
   * The seq after which reading starts: before the first message sent at or after `since`, after message `id`, or before the last
   * `last`. `undefined` when `id` is not in this conversation.
   */
  startingSeq(query: { conversation: ConversationId; from: StartingPoint }): Promise<number | undefined>;
  /** Moves the read marker forward, never back; answers where it stands. */
  markRead(mark: { conversation: ConversationId; userId: UserId; seq: number }): Promise<number>;
}

/** The last message of a conversation; 0 before the first. */
export interface ConversationHead {
  readonly conversation: ConversationId;
  readonly lastSeq: number;
}

/** Why a conversation cannot be used: no such room, no such user, or not a member of that room. */
export type ConversationRefusal =
  | { readonly kind: 'no-room' }
  | { readonly kind: 'no-user' }
  | { readonly kind: 'not-member' };

/** Where a reader begins. */
export type StartingPoint =
  | { readonly id: MessageId }
  | { readonly since: number }
  | { readonly last: number };
