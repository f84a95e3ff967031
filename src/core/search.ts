import type { ConversationRef } from './model/conversation-name.ts';
import type { ConversationId, UserId } from './model/ids.ts';
import type { FoundMessage, MessagePosition, Searchable } from './ports/store/search.ts';
import type { Store } from './ports/store.ts';
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
  readonly before: number;
  readonly latestAt: number;
}

/** Conversations that one step is asked for: the store looks into as many of them at most. */
const placesAtOnce = 16;

/**
 * The newest matches of many conversations, as one list: always the conversations are searched on whose rests are the newest, a
 * step at a time, until no rest can have anything newer than what was found. Messages are in order of the greatest time so far in
 * their conversation, then by conversation and seq, so that a page begins where the one before it ended.
 */
export async function searchNewest(store: Store, search: Search): Promise<Matches> {
  const { userId, terms, limit } = search;
  const fronts = (await frontsOf(store, search)).sort(oldestFirst);
  const found: Found[] = [];
  let isWhole = true;
  for (let front = fronts.at(-1); front; front = fronts.at(-1)) {
    const last = found[limit - 1];
    if (last && isNewer(last, front)) break;
    const asked = fronts.slice(-placesAtOnce).reverse();
    const conversations = asked.map(({ id, before }) => ({ id, before }));
    const steps = await store.searchMessages({ userId, conversations, terms, limit });
    // What was searched to its end is not looked at again.
    fronts.splice(fronts.length - steps.length);
    for (const [index, step] of steps.entries()) {
      const of = asked[index];
      if (!of) continue;
      isWhole &&= step.isWhole;
      for (const message of step.found) found.push({ in: of.in, message, front: of });
      if (step.next) putInOrder(fronts, { ...of, ...step.next });
    }
    found.sort(newestFirst);
    found.splice(limit);
  }
  return { matches: found.map(({ in: ref, message }) => ({ in: ref, message })), isWhole };
}

type Found = Match & { readonly front: Front };

/** Where the search of each conversation begins that has anything to look at. */
async function frontsOf(store: Store, { conversations, before }: Search): Promise<Front[]> {
  const fronts: Front[] = [];
  // Some at once: one after the other each would wait for a turn of the store.
  for (let index = 0; index < conversations.length; index += placesAtOnce) {
    const some = conversations.slice(index, index + placesAtOnce);
    fronts.push(...(await Promise.all(some.map((one) => frontOf(store, one, before)))));
  }
  return fronts.filter((front) => front.before > 1);
}

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

/** By the newest message that a rest can have: the last one is searched first. */
function oldestFirst(a: Front, b: Front): number {
  return a.latestAt - b.latestAt || a.id - b.id;
}

function putInOrder(fronts: Front[], front: Front): void {
  let [low, high] = [0, fronts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = fronts[middle];
    if (other && oldestFirst(other, front) < 0) low = middle + 1;
    else high = middle;
  }
  fronts.splice(low, 0, front);
}

/** Whether a match comes before all that the rest of `front` can have. */
function isNewer({ message, front: own }: Found, front: Front): boolean {
  if (message.latestAt !== front.latestAt) return message.latestAt > front.latestAt;
  return own.id >= front.id;
}

function newestFirst(a: Found, b: Found): number {
  return b.message.latestAt - a.message.latestAt || b.front.id - a.front.id || b.message.seq - a.message.seq;
}
