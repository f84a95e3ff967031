import type { ConversationRef } from '../../model/conversation-name.ts';
import type { ConversationId, MessageId, UserId } from '../../model/ids.ts';
import type { StoredMessage } from '../../model/message.ts';
import type { SearchTerm } from '../../search-terms.ts';

/** Messages found by their words. */
export interface SearchStore {
  /** The conversations of `userId` that have messages, in no order. */
  searchable(query: { userId: UserId }): Promise<Searchable[]>;
  /**
   * One step of a search; answers what it found in the first conversation and in as many of those after it as it came to, in their
   * order. Nothing is found in one that `userId` is not in (any more).
   */
  searchMessages(query: SearchQuery): Promise<readonly SearchStep[]>;
  /** Where a message stands, when `userId` may read it. */
  messagePosition(query: { userId: UserId; id: MessageId }): Promise<MessagePosition | undefined>;
}

/** A conversation that can be searched. */
export interface Searchable {
  readonly id: ConversationId;
  readonly ref: ConversationRef;
  readonly lastSeq: number;
  /** The greatest `sentAt` of its messages. */
  readonly latestAt: number;
}

/**
 * A step of a search: of each conversation the newest `limit` matches with `seq < before`. It looks through them one after the other, as
 * far as one step looks, and goes on with the next while the one before it has no more and fewer than `limit` were found.
 */
export interface SearchQuery {
  readonly userId: UserId;
  readonly conversations: readonly SearchPlace[];
  readonly terms: readonly SearchTerm[];
  readonly limit: number;
}

/** A conversation, and from where on backwards it is searched. */
export interface SearchPlace {
  readonly id: ConversationId;
  readonly before: number;
}

/** What a step found in one conversation, newest first. */
export interface SearchStep {
  readonly found: readonly FoundMessage[];
  /** Everything before it is left to the next step: its seq, and the greatest `sentAt` up to there. Undefined at the end. */
  readonly next: { readonly before: number; readonly latestAt: number } | undefined;
  /** False when messages were left out that are not in the index yet. */
  readonly isWhole: boolean;
}

/** A match. Within a conversation `latestAt` never falls as `seq` rises, so that matches of many can be put in order. */
export interface FoundMessage extends StoredMessage {
  readonly latestAt: number;
}

/** Where a message stands among all. */
export interface MessagePosition {
  readonly conversation: ConversationId;
  readonly seq: number;
  readonly latestAt: number;
}
