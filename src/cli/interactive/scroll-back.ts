import type { WireMessage } from '../../client/connection.ts';
import type { GapItem, Item } from './pane.ts';

const isGap = ({ kind }: Item): boolean => kind === 'gap';

/** Where the last `count` items begin, without a gap among them; and where the newest message is, which never goes. */
function endOf(items: readonly Item[], count: number): { readonly from: number; readonly newest: number } {
  const from = Math.max(items.findLastIndex(isGap) + 1, items.length - count, 0);
  return { from, newest: items.findLastIndex(({ kind }) => kind === 'message') };
}

/** The newest message and the last `count` items, without a gap among them. */
export function newestOf(items: readonly Item[], count: number): Item[] {
  const { from, newest } = endOf(items, count);
  return items.filter((_item, at) => at >= from || at === newest);
}

/** Up to `reach` items on either side of the one at `place`, which is no gap, and as many of the newest; a gap stands between the two. */
export function keepAround(items: readonly Item[], place: number, reach: number): Item[] {
  const gapBefore = items.findLastIndex((item, at) => at < place && isGap(item));
  const gapAfter = items.findIndex((item, at) => at > place && isGap(item));
  const from = Math.max(gapBefore + 1, place - reach);
  const to = Math.min(gapAfter < 0 ? items.length : gapAfter, place + reach + 1);
  const end = endOf(items, reach);
  const kept = items.filter((_item, at) => (at >= from && at < to) || at >= end.from || at === end.newest);
  return withGaps(kept);
}

function withGaps(items: readonly Item[]): Item[] {
  let after: number | undefined;
  return items.flatMap((item): Item[] => {
    if (item.kind !== 'message') return [item];
    const before = item.message.seq;
    const gap: Item[] = after === undefined || before <= after + 1 ? [] : [{ kind: 'gap', after, before }];
    after = before;
    return [...gap, item];
  });
}

/**
 * What stands in the place of a gap once `messages` of it, in the order of seq and without one left out, are here. None
 * means that there are none.
 */
export function fillOf({ after, before }: GapItem, messages: readonly WireMessage[]): Item[] {
  const missing = messages.filter(({ seq }) => seq > after && seq < before);
  const first = missing[0]?.seq;
  const last = missing.at(-1)?.seq;
  if (first === undefined || last === undefined) return [];
  return [
    ...(first > after + 1 ? [{ kind: 'gap', after, before: first } as const] : []),
    ...missing.map((message): Item => ({ kind: 'message', message })),
    ...(last + 1 < before ? [{ kind: 'gap', after: last, before } as const] : []),
  ];
}
