import type { WireMessage } from '../client/connection.ts';

interface Head {
  readonly message: WireMessage;
  readonly rest: AsyncIterator<WireMessage>;
}

async function nextHead(rest: AsyncIterator<WireMessage>): Promise<Head | undefined> {
  const next = await rest.next();
  return next.done === true ? undefined : { message: next.value, rest };
}

/** True when `one` was sent before `other`; ids are ordered by time and decide within one millisecond. */
function isEarlier(one: WireMessage, other: WireMessage): boolean {
  if (one.sent_at !== other.sent_at) return one.sent_at < other.sent_at;
  return one.id < other.id;
}

/** Merges conversations, each in its own order, into one stream, the oldest message first; holds one message of each. */
export async function* mergeByTime(
  streams: readonly AsyncIterable<WireMessage>[],
): AsyncIterable<WireMessage> {
  const iterators = streams.map((stream) => stream[Symbol.asyncIterator]());
  let heads: Head[] = [];
  try {
    heads = (await Promise.all(iterators.map(nextHead))).filter((head) => head !== undefined);
    while (heads.length > 0) {
      let first = 0;
      for (let index = 1; index < heads.length; index++) {
        const [candidate, best] = [heads[index], heads[first]];
        if (candidate !== undefined && best !== undefined && isEarlier(candidate.message, best.message))
          first = index;
      }
      const [head] = heads.splice(first, 1);
      if (head === undefined) return;
      yield head.message;
      const next = await nextHead(head.rest);
      if (next !== undefined) heads.push(next);
    }
  } finally {
    await Promise.all(iterators.map((iterator) => iterator.return?.()));
  }
}
