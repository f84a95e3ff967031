import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from '../../src/client/connection.ts';
import { Deliveries, type Delivery } from './deliveries.ts';
import { readAll, targets } from './load.ts';
import { open } from './people.ts';

/** How often it is looked whether everything has come, and how long at most, in milliseconds. */
const poll = { everyMs: 20, mostMs: 60_000 } as const;

/** Follows every conversation of a load, over as many connections as it takes, each from where the one before has ended. */
export class Reader {
  readonly #token: string;
  readonly #portOf: () => number;
  readonly #deliveries = new Deliveries();
  readonly #ends = new Map<string, number>();
  /** What stood in each conversation when it was looked last. */
  readonly #stored = new Map<string, Delivery[]>();
  readonly #stop = new AbortController();
  readonly #broken: string[] = [];
  #connection: Connection | undefined;
  #runs = 0;
  #run: Promise<void> = Promise.resolve();
  /** Resolved when the connection follows. */
  #following = Promise.withResolvers<void>();
  /** How often it was told that it lags behind. */
  lagged = 0;

  constructor(token: string, portOf: () => number) {
    this.#token = token;
    this.#portOf = portOf;
  }

  /** Begins; resolves when it follows. */
  async start(): Promise<void> {
    this.#run = this.#follow();
    await this.#following.promise;
  }

  /** Goes on over a new connection; resolves when it follows again. */
  async renew(): Promise<void> {
    this.#following = Promise.withResolvers();
    await this.#connection?.close();
    await this.#following.promise;
  }

  /** Takes nothing any more until {@link resume}, and stays connected. */
  pause(): void {
    this.#connection?.pause();
  }

  resume(): void {
    this.#connection?.resume();
  }

  /** Waits until all that is stored has come; answers what is broken since the last time. */
  async check(): Promise<string[]> {
    const connection = await open(this.#portOf(), this.#token);
    try {
      const stored = this.#stored;
      for (const to of targets) {
        const known = stored.get(to) ?? [];
        const more = await readAll(connection, to, known.length);
        stored.set(to, [...known, ...more.map(({ seq, id }) => ({ to, seq, id }))]);
      }
      const hasCome = (): boolean =>
        targets.every((to) => (this.#ends.get(to) ?? 0) >= (stored.get(to)?.length ?? 0));
      for (let ms = 0; !hasCome() && ms < poll.mostMs; ms += poll.everyMs) await delay(poll.everyMs);
      const broken = this.#broken.splice(0);
      for (const [to, messages] of stored) broken.push(...this.#deliveries.check(to, messages));
      return broken;
    } finally {
      await connection.close();
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.resume();
    await this.#connection?.close();
    await this.#run;
  }

  async #follow(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      this.#runs += 1;
      const run = `run ${this.#runs}`;
      try {
        const connection = await open(this.#portOf(), this.#token);
        this.#connection = connection;
        const last = new Map<string, number>();
        connection.onEvent((event) => {
          if (event.type === 'lagging') this.lagged += 1;
          if (event.type !== 'message') return;
          const { to, seq, id } = event;
          // To the deliveries each is a run of its own: what one run promises is asked here.
          const before = last.get(to);
          if (before !== undefined && seq !== before + 1)
            this.#broken.push(`${run}: after ${before} of ${to} comes ${seq}`);
          last.set(to, seq);
          this.#ends.set(to, seq);
          this.#broken.push(...this.#deliveries.take(run, [{ to, seq, id }]));
        });
        for (const to of targets)
          await connection.call('conversation.follow', { to, after: this.#ends.get(to) ?? 0 });
        this.#following.resolve();
        await connection.closed;
      } catch {
        // The server is down, and comes again.
      }
      await delay(poll.everyMs);
    }
  }
}
