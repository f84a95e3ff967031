/** A message as somebody has seen it. The key is of one message alone, whoever has sent it, and stands in its text. */
export interface Entry {
  readonly seq: number;
  readonly id: string;
  readonly key: string;
}

/** One try to send a message. All times are of one clock, in milliseconds. */
export interface Try {
  /** The connection: what is sent over it takes effect in the order of its tries. */
  readonly stream: string;
  readonly key: string;
  readonly invokedAt: number;
  /** `unknown` for one without an answer, or with one that leaves it open: it may have taken effect, or may yet, or never will. */
  readonly outcome:
    | { readonly kind: 'stored'; readonly seq: number; readonly id: string; readonly at: number }
    | { readonly kind: 'refused' }
    | { readonly kind: 'unknown' };
}

/** One page that was read. */
export interface Read {
  readonly reader: string;
  readonly invokedAt: number;
  readonly at: number;
  /** Messages after this seq were asked for. */
  readonly after: number;
  readonly entries: readonly Entry[];
  /** True when nothing stood behind them: the page was not cut. */
  readonly isWhole: boolean;
  /** The last seq of the room that came with it, which was looked at before the page was; undefined when none came. */
  readonly last: number | undefined;
}

/** What one connection was told that follows the room. */
export interface Following {
  readonly follower: string;
  /** Messages after this seq were asked for. */
  readonly after: number;
  readonly deliveries: ReadonlyArray<{ readonly at: number; readonly entry: Entry }>;
}

/** Everything that clients have seen of one room. */
export interface RoomHistory {
  /** Those of one stream in the order in which they were sent. */
  readonly tries: readonly Try[];
  readonly reads: readonly Read[];
  readonly followings: readonly Following[];
  /** What stands in the room in the end, when nothing is under way any more that was answered. */
  readonly log: readonly Entry[];
}

/**
 * Whether what clients have seen of a room could have come of one append-only log that takes each operation at one moment between its
 * begin and its answer: linearizability. Answers what is broken, one sentence each; empty when there is such an order.
 *
 * The seq gives the order of the log, so that nothing has to be searched: it is only asked whether the moments fit. Each seq has a moment
 * before which it was not there (its tries began; a read showed that the log ended before it) and one after which it was (an answer, a
 * read, a delivery showed it, or what stands behind it). The moments fit when no seq had to be there before one in front of it could be.
 * Who breaks a rule is wrong. Who breaks none can be wrong only where more than one try of a message may have stored it, which is not
 * searched through.
 */
export function checkLinearizability(history: RoomHistory): string[] {
  const room = new Room(history);
  const broken = [
    ...room.checkLog(),
    ...room.checkAnswers(),
    ...room.checkReads(),
    ...room.checkFollowings(),
  ];
  // Times of a log that is not one mean nothing.
  return broken.length > 0 ? broken : [...room.checkStreams(), ...room.checkTimes()];
}

/** A moment, and how it is known. */
interface Moment {
  readonly at: number;
  readonly how: string;
}

/** A try with its place in its stream. */
interface Placed {
  readonly tried: Try;
  readonly place: number;
}

class Room {
  readonly #history: RoomHistory;
  readonly #bySeq: ReadonlyMap<number, Entry>;
  readonly #byKey: ReadonlyMap<string, Entry>;
  readonly #triesOf = new Map<string, Try[]>();
  readonly #streams = new Map<string, Try[]>();
  /** Of each message of the log, the tries that may have stored it. */
  readonly #candidates = new Map<string, Placed[]>();

  constructor(history: RoomHistory) {
    this.#history = history;
    this.#bySeq = new Map(history.log.map((entry) => [entry.seq, entry]));
    this.#byKey = new Map(history.log.map((entry) => [entry.key, entry]));
    for (const tried of history.tries) {
      const stream = added(this.#streams, tried.stream, tried);
      added(this.#triesOf, tried.key, tried);
      if (tried.outcome.kind !== 'refused' && this.#byKey.has(tried.key))
        added(this.#candidates, tried.key, { tried, place: stream.length - 1 });
    }
  }

  /** The log counts from one, and has each id and each message once; somebody has sent it, and was not told that it was refused. */
  checkLog(): string[] {
    const broken: string[] = [];
    const ids = new Map<string, number>();
    const keys = new Map<string, number>();
    for (const [index, { seq, id, key }] of this.#history.log.entries()) {
      if (seq !== index + 1) {
        broken.push(`after ${index} comes ${seq}`);
        break;
      }
      const sameId = ids.get(id);
      if (sameId !== undefined) broken.push(`the id ${id} stands at ${sameId} and at ${seq}`);
      ids.set(id, seq);
      const sameKey = keys.get(key);
      if (sameKey !== undefined) broken.push(`${key} stands at ${sameKey} and at ${seq}`);
      keys.set(key, seq);
      const tries = this.#triesOf.get(key) ?? [];
      if (tries.length === 0) broken.push(`nobody sent ${key}, which stands at ${seq}`);
      else if (tries.every(({ outcome }) => outcome.kind === 'refused'))
        broken.push(`${key} was refused and stands at ${seq}`);
    }
    return broken;
  }

  /** What was acknowledged stands where each answer has said. */
  checkAnswers(): string[] {
    const broken: string[] = [];
    for (const [key, tries] of this.#triesOf) {
      const stored = this.#byKey.get(key);
      const answers = tries.flatMap(({ outcome }) => (outcome.kind === 'stored' ? [outcome] : []));
      const [first] = answers;
      for (const { seq, id } of answers) {
        if (first && (first.seq !== seq || first.id !== id))
          broken.push(`${key} was acknowledged as ${first.seq} and again as ${seq}`);
        if (!stored) broken.push(`${key} was acknowledged as ${seq} and is lost`);
        else if (stored.seq !== seq || stored.id !== id)
          broken.push(`${key} was acknowledged as ${seq} and stands at ${stored.seq}`);
      }
    }
    return [...new Set(broken)];
  }

  /** A page is a piece of the log: it begins where it was asked for, leaves nothing out, and has not less than the log had just before. */
  checkReads(): string[] {
    const broken: string[] = [];
    for (const { reader, after, entries, isWhole, last } of this.#history.reads) {
      broken.push(...this.#pieceFailures(`${reader} reads after ${after}`, after, entries));
      const end = after + entries.length;
      if (isWhole && last !== undefined && end < last)
        broken.push(`${reader} reads after ${after} up to ${end}, where ${last} was the last`);
      if (last !== undefined && last > this.#history.log.length)
        broken.push(`${reader} reads that ${last} is the last, and ${this.#history.log.length} stand there`);
    }
    return broken;
  }

  /** A connection that follows is told everything once and in order. */
  checkFollowings(): string[] {
    return this.#history.followings.flatMap(({ follower, after, deliveries }) =>
      this.#pieceFailures(
        `${follower} follows after ${after}`,
        after,
        deliveries.map(({ entry }) => entry),
      ),
    );
  }

  #pieceFailures(where: string, after: number, entries: readonly Entry[]): string[] {
    for (const [index, { seq, id, key }] of entries.entries()) {
      if (seq !== after + index + 1) return [`${where}: after ${after + index} comes ${seq}`];
      const stored = this.#bySeq.get(seq);
      if (!stored) return [`${where}: ${key} came as ${seq}, which is lost`];
      if (stored.id !== id || stored.key !== key)
        return [`${where}: ${seq} came as ${key} (${id}) and is ${stored.key} (${stored.id})`];
    }
    return [];
  }

  /**
   * What one connection sends takes effect in its order: no try can have stored a message in front of one that was there, or was stored,
   * by an earlier try of the same connection. A message for which no try is left is out of order.
   */
  checkStreams(): string[] {
    const broken = new Map<string, string>();
    for (let hasChanged = true; hasChanged && broken.size === 0; ) {
      hasChanged = false;
      for (const tries of this.#streams.values()) {
        let before: Entry | undefined;
        for (const [place, tried] of tries.entries()) {
          const stored = this.#byKey.get(tried.key);
          if (!stored) continue;
          if (before && stored.seq < before.seq) {
            const candidates = this.#candidates.get(tried.key) ?? [];
            const left = candidates.filter((one) => one.tried !== tried);
            if (left.length < candidates.length) {
              this.#candidates.set(tried.key, left);
              hasChanged = true;
            }
            if (left.length === 0)
              broken.set(
                tried.key,
                `${tried.key} stands at ${stored.seq}, before ${before.key} at ${before.seq}, which ${tried.stream} sent before it`,
              );
          }
          if (this.#isSettled(tried, place) && (!before || stored.seq > before.seq)) before = stored;
        }
      }
    }
    return [...broken.values()];
  }

  /** True of a try after which its message was there: it was acknowledged, or is the last of those that can have stored it. */
  #isSettled(tried: Try, place: number): boolean {
    if (tried.outcome.kind === 'stored') return true;
    const candidates = this.#candidates.get(tried.key) ?? [];
    return (
      candidates.every((one) => one.tried.stream === tried.stream && one.place <= place) &&
      candidates.some((one) => one.place === place)
    );
  }

  /** No seq was there before one in front of it could be. */
  checkTimes(): string[] {
    const length = this.#history.log.length;
    const { earliest, latest } = this.#moments();
    // What was there tells of everything in front of it.
    for (let seq = length - 1; seq > 0; seq--) {
      const behind = latest[seq + 1];
      const own = latest[seq];
      if (behind && (!own || behind.at < own.at)) latest[seq] = behind;
    }
    const broken: string[] = [];
    let first: Moment | undefined;
    for (let seq = 1; seq <= length; seq++) {
      const own = earliest[seq];
      if (own && (!first || own.at > first.at)) first = own;
      const last = latest[seq];
      if (!first || !last || first.at <= last.at) continue;
      broken.push(`${last.how}, and ${shown(first.at - last.at)} ms later ${first.how}`);
      // Said once, and not of each that follows.
      first = undefined;
    }
    return broken;
  }

  /** By seq: when it can have been stored first, and when it was there at the latest. */
  #moments(): { earliest: (Moment | undefined)[]; latest: (Moment | undefined)[] } {
    const { reads, followings, log } = this.#history;
    const earliest: (Moment | undefined)[] = [];
    const latest: (Moment | undefined)[] = [];
    const notBefore = (seq: number, at: number, how: string): void => {
      if (seq <= log.length && at > (earliest[seq]?.at ?? Number.NEGATIVE_INFINITY))
        earliest[seq] = { at, how };
    };
    const by = (seq: number, at: number, how: string): void => {
      if (seq > 0 && at < (latest[seq]?.at ?? Number.POSITIVE_INFINITY)) latest[seq] = { at, how };
    };
    for (const { seq, key } of log) {
      const begins = (this.#candidates.get(key) ?? []).map(({ tried }) => tried.invokedAt);
      notBefore(seq, Math.min(...begins), `${key}, which stands at ${seq}, was not sent yet`);
    }
    for (const tries of this.#streams.values()) {
      let answered = Number.POSITIVE_INFINITY;
      for (const [place, tried] of [...tries.entries()].reverse()) {
        const { outcome, key } = tried;
        if (outcome.kind === 'stored') answered = Math.min(answered, outcome.at);
        const stored = this.#byKey.get(key);
        if (stored && answered < Number.POSITIVE_INFINITY && this.#isSettled(tried, place))
          by(stored.seq, answered, `${key} was acknowledged at ${stored.seq}`);
      }
    }
    for (const { reader, invokedAt, at, after, entries, isWhole, last } of reads) {
      const end = after + entries.length;
      if (entries.length > 0) by(end, at, `${reader} has read ${end}`);
      if (isWhole) notBefore(end + 1, invokedAt, `${reader} began to read, and did not find ${end + 1}`);
      if (last === undefined) continue;
      by(last, at, `${reader} has read that ${last} is the last`);
      notBefore(last + 1, invokedAt, `${reader} began to ask for the last, and it was ${last}`);
    }
    for (const { follower, deliveries } of followings)
      for (const { at, entry } of deliveries) by(entry.seq, at, `${follower} was told ${entry.seq}`);
    return { earliest, latest };
  }
}

function shown(ms: number): string {
  return ms < 10 ? ms.toFixed(2) : ms.toFixed(0);
}

/** Adds an item to a list of a map; answers the list. */
function added<Item>(lists: Map<string, Item[]>, name: string, item: Item): Item[] {
  const list = lists.get(name) ?? [];
  list.push(item);
  lists.set(name, list);
  return list;
}
