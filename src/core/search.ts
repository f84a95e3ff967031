import type { ConversationRef } from './model/conversation-name.ts';
import type { ConversationId, UserId } from './model/ids.ts';
import type { FoundMessage, MessagePosition, Searchable, Store } from './ports/store.ts';
import type { SearchTerm } from './search-terms.ts';

/** What is to be found, and where. */
export interface Search {
  readonly userId: UserId;
  readonly terms: readonly SearchTerm[];
  /** All of them readable by `userId`: the store looks again. */
  readonly conversations: readonly Searchable[];
  /** Only what stands before this message; from the newest on when left out. */
  readonly before: MessagePosition | undefined;
  readonly limit: number;
}

/** A match and its conversation. */
export interface Match {
  readonly in: ConversationRef;
  readonly message: FoundMessage;
}

/** The newest matches, newest first. `isWhole` is false when there may be more among messages that are not in the index yet. */
export interface Matches {
  readonly matches: readonly Match[];
  readonly isWhole: boolean;
}

/** Where the search of one conversation has come to: everything from `before` on has been looked at. */
interface Front {
  readonly id: ConversationId;
  readonly in: ConversationRef;
  before: number;
  latestAt: number;
}

/**
 * The newest matches of many conversations, as one list: always the conversation is searched on whose rest is the newest, a
 * step at a time, until no rest can have anything newer than what was found. Messages are in order of the greatest time so far in
 * their conversation, then by conversation and seq, so that a page begins where the one before it ended.
 */
export async function searchNewest(store: Store, search: Search): Promise<Matches> {
  const { userId, terms, limit } = search;
  const fronts: Front[] = [];
  for (const conversation of search.conversations)
    fronts.push(await frontOf(store, conversation, search.before));
  const found: Found[] = [];
  let isWhole = true;
  for (;;) {
    const front = newest(fronts);
    const last = found[limit - 1];
    if (!front || (last && isNewer(last, front))) break;
    const step = await store.searchMessages({
      userId,
      conversation: front.id,
      terms,
      before: front.before,
      limit,
    });
    isWhole &&= step.isWhole;
    front.before = step.next?.before ?? 1;
    front.latestAt = step.next?.latestAt ?? 0;
    for (const message of step.found) found.push({ in: front.in, message, front });
    found.sort(newestFirst);
    found.splice(limit);
  }
  return { matches: found.map(({ in: ref, message }) => ({ in: ref, message })), isWhole };
}

type Found = Match & { readonly front: Front };

async function frontOf(
  store: Store,
  { id, ref, lastSeq, latestAt }: Searchable,
  before: MessagePosition | undefined,
): Promise<Front> {
  const front = { id, in: ref, before: lastSeq + 1, latestAt };
  if (!before || latestAt < before.latestAt) return front;
  if (id === before.conversation) return { ...front, before: before.seq, latestAt: before.latestAt };
  // Of the same time, the conversation with the lower number comes later in the list.
  const since = id < before.conversation ? before.latestAt + 1 : before.latestAt;
  const start = await store.startingSeq({ conversation: id, from: { since } });
  return { ...front, before: (start ?? 0) + 1, latestAt: Math.min(latestAt, before.latestAt) };
}

/** Whose rest may have the newest message; undefined when there is no rest. */
function newest(fronts: readonly Front[]): Front | undefined {
  let first: Front | undefined;
  for (const front of fronts) {
    if (front.before <= 1) continue;
    if (
      !first ||
      front.latestAt > first.latestAt ||
      (front.latestAt === first.latestAt && front.id > first.id)
    )
      first = front;
  }
  return first;
}

/** Whether a match comes before all that the rest of `front` can have. */
function isNewer({ message, front: own }: Found, front: Front): boolean {
  if (message.latestAt !== front.latestAt) return message.latestAt > front.latestAt;
  return own.id >= front.id;
}

function newestFirst(a: Found, b: Found): number {
  return b.message.latestAt - a.message.latestAt || b.front.id - a.front.id || b.message.seq - a.message.seq;
}
