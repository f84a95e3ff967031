import type { Connection } from '../../../src/client/connection.ts';
import { ChatError } from '../../../src/core/errors.ts';
import type { Entry, Following, Read, RoomHistory, Try } from '../linearizability.ts';

/** What a server answers to a call that it has not done and will not do. */
const refusals: ReadonlySet<string> = new Set([
  'rate-limited',
  'forbidden',
  'not-found',
  'invalid',
  'too-large',
  'unsupported',
]);

/** Rows of a page at most. */
const pageRows = 100;

/** The key of a message: the first word of its text. */
export function keyOf(text: string): string {
  return text.split(' ', 1)[0] ?? text;
}

/** Writes down what clients do in one room and what they see of it, with the moments on this process's own clock. */
export class Recorder {
  readonly to: string;
  readonly #tries: Try[] = [];
  readonly #reads: Read[] = [];
  readonly #followings: Following[] = [];
  #streams = 0;

  /** `to` is the room: `#name`. */
  constructor(to: string) {
    this.to = to;
  }

  /** How many messages were acknowledged. */
  get acknowledged(): number {
    return this.firstAcknowledged().size;
  }

  /** The keys of all messages that somebody tried to send here. */
  get keys(): readonly string[] {
    return [...new Set(this.#tries.map(({ key }) => key))];
  }

  /** By seq, when a message was acknowledged first. */
  firstAcknowledged(): ReadonlyMap<number, number> {
    const first = new Map<number, number>();
    for (const { outcome } of this.#tries) {
      if (outcome.kind !== 'stored') continue;
      first.set(outcome.seq, Math.min(outcome.at, first.get(outcome.seq) ?? Number.POSITIVE_INFINITY));
    }
    return first;
  }

  /** A connection that is a stream of its own, of which everything is written down that is sent to the room. */
  recorded(connection: Connection, name: string): Connection {
    this.#streams += 1;
    const stream = `${name} over connection ${this.#streams}`;
    const { server, identity, channelBinding, closed } = connection;
    return {
      server,
      identity,
      channelBinding,
      closed,
      call: (operation, params, options) => {
        const answered = connection.call(operation, params, options);
        const { to, text = '', key = keyOf(text) } = params as { to?: string; text?: string; key?: string };
        if (operation === 'message.send' && to === this.to)
          this.#note({ stream, key }, answered as Promise<unknown> as Promise<{ seq: number; id: string }>);
        return answered;
      },
      onEvent: (listener) => connection.onEvent(listener),
      close: () => connection.close(),
      pause: () => connection.pause(),
      resume: () => connection.resume(),
    };
  }

  #note(sent: Pick<Try, 'stream' | 'key'>, answered: Promise<{ seq: number; id: string }>): void {
    const invokedAt = performance.now();
    const index = this.#tries.push({ ...sent, invokedAt, outcome: { kind: 'unknown' } }) - 1;
    const settle = (outcome: Try['outcome']): void => {
      this.#tries[index] = { ...sent, invokedAt, outcome };
    };
    answered.then(
      ({ seq, id }) => settle({ kind: 'stored', seq, id, at: performance.now() }),
      (error: unknown) => {
        if (error instanceof ChatError && refusals.has(error.code)) settle({ kind: 'refused' });
      },
    );
  }

  /** Reads one page; answers its last seq and whether it is the last page. Throws what the call throws, of which nothing is known then. */
  async read(connection: Connection, reader: string, after: number, timeoutMs: number): Promise<Read> {
    const invokedAt = performance.now();
    const { messages, last_seq } = await connection.call(
      'message.history',
      { to: this.to, after, limit: pageRows },
      { timeoutMs },
    );
    const entries = messages.map(entryOf);
    const read: Read = {
      reader,
      invokedAt,
      at: performance.now(),
      after,
      entries,
      isWhole: entries.length < pageRows,
      last: last_seq,
    };
    this.#reads.push(read);
    return read;
  }

  /** Begins to write down what a connection is told that follows from a place on. */
  following(follower: string, after: number): (entry: Entry) => void {
    const deliveries: { at: number; entry: Entry }[] = [];
    this.#followings.push({ follower, after, deliveries });
    return (entry) => {
      deliveries.push({ at: performance.now(), entry });
    };
  }

  /** By seq, when each was told first to a follower, over all its connections. */
  toldTo(follower: string): ReadonlyMap<number, number> {
    const told = new Map<number, number>();
    for (const following of this.#followings) {
      if (following.follower !== follower) continue;
      for (const { at, entry } of following.deliveries) if (!told.has(entry.seq)) told.set(entry.seq, at);
    }
    return told;
  }

  /** Everything so far, with what stands in the room in the end. */
  history(log: readonly Entry[]): RoomHistory {
    return { tries: this.#tries, reads: this.#reads, followings: this.#followings, log };
  }
}

/** What is kept of a message on its way. */
export function entryOf({
  seq,
  id,
  text = '',
}: {
  readonly seq: number;
  readonly id: string;
  readonly text?: string | undefined;
}): Entry {
  return { seq, id, key: keyOf(text) };
}
