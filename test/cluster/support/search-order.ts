import type { RoomHistory, Try } from '../../../scripts/campaigns/linearizability.ts';

/** One operation of a history, at one moment between two. */
interface Step {
  readonly from: number;
  readonly until: number;
  /** True for one that need not take effect. */
  readonly isOptional: boolean;
  /** The length of the log after it; undefined where it cannot take effect with a log of that length. */
  take(length: number): number | undefined;
}

/**
 * Searches for an order of all operations that explains a history, as Wing and Gong do: slow, general, and written without a thought of
 * how the checker goes about it. Every operation is a step of one who takes its steps in order (a connection that sends, a page, a
 * follower); a step can be next when no other one that is still to come had ended before it began.
 */
export function isLinearizable({ tries, reads, followings, log }: RoomHistory): boolean {
  if (log.some(({ seq }, index) => seq !== index + 1)) return false;
  if (new Set(log.map(({ id }) => id)).size < log.length) return false;
  if (new Set(log.map(({ key }) => key)).size < log.length) return false;
  const isPiece = (after: number, entries: readonly { seq: number; id: string; key: string }[]): boolean =>
    entries.every(({ seq, id, key }, index) => {
      const stored = log[after + index];
      return seq === after + index + 1 && stored?.id === id && stored.key === key;
    });

  const stepOf = ({ key, invokedAt, outcome }: Try): Step | undefined => {
    if (outcome.kind === 'refused') return undefined;
    const index = log.findIndex((entry) => entry.key === key);
    const isStored = outcome.kind === 'stored';
    return {
      from: invokedAt,
      until: isStored ? outcome.at : Number.POSITIVE_INFINITY,
      isOptional: !isStored,
      take(length) {
        if (isStored && (log[index]?.seq !== outcome.seq || log[index]?.id !== outcome.id)) return undefined;
        if (index >= 0 && index < length) return length;
        // The log can only have become what it is by the next of its messages.
        return index === length ? length + 1 : undefined;
      },
    };
  };
  const streams = new Map<string, Step[]>();
  for (const tried of tries) {
    const step = stepOf(tried);
    if (step) streams.set(tried.stream, [...(streams.get(tried.stream) ?? []), step]);
  }
  const actors: Step[][] = [...streams.values()];
  for (const { invokedAt, at, after, entries, isWhole, last } of reads) {
    const span = { from: invokedAt, until: at, isOptional: false };
    const end = after + entries.length;
    const page: Step = {
      ...span,
      take: (length) =>
        isPiece(after, entries) && (entries.length === 0 || length >= end) && (!isWhole || length <= end)
          ? length
          : undefined,
    };
    actors.push([
      ...(last === undefined
        ? []
        : [{ ...span, take: (length: number) => (length === last ? length : undefined) }]),
      page,
    ]);
  }
  for (const { after, deliveries } of followings) {
    const isSound = isPiece(
      after,
      deliveries.map(({ entry }) => entry),
    );
    actors.push(
      deliveries.map(({ at, entry }) => ({
        from: Number.NEGATIVE_INFINITY,
        until: at,
        isOptional: false,
        take: (length) => (isSound && length >= entry.seq ? length : undefined),
      })),
    );
  }

  const seen = new Set<string>();
  const search = (places: readonly number[], length: number): boolean => {
    const state = `${places.join()} ${length}`;
    if (seen.has(state)) return false;
    seen.add(state);
    const left = actors.flatMap((steps, actor) => steps.slice(places[actor]));
    if (length === log.length && left.every(({ isOptional }) => isOptional)) return true;
    return actors.some((steps, actor) => {
      const place = places[actor] ?? 0;
      const step = steps[place];
      if (!step) return false;
      const next = places.map((one, index) => (index === actor ? one + 1 : one));
      if (step.isOptional && search(next, length)) return true;
      if (left.some((other) => !other.isOptional && other.until < step.from)) return false;
      const after = step.take(length);
      return after !== undefined && search(next, after);
    });
  };
  return search(
    actors.map(() => 0),
    0,
  );
}
