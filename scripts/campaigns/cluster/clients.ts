import { setTimeout as delay } from 'node:timers/promises';
import { type Connection, connect } from '../../../src/client/connection.ts';
import { resume } from '../../../src/client/resume.ts';
import { sendMany } from '../../../src/client/send.ts';
import type { Read } from '../linearizability.ts';
import type { ClusterNode } from './nodes.ts';
import { entryOf, type Recorder } from './recorder.ts';

/** How long a page of a quiet room may take on a busy machine, in milliseconds. */
const wholePageMs = 20_000;
/** How long somebody waits in a cluster that has a fault, and how often it tries again, in milliseconds. */
const patience = { connectMs: 3_000, callMs: 3_000, againMs: 50 } as const;

/** Connects to one node with the session of a token, and waits for nothing long. */
export async function openAt(
  { port }: ClusterNode,
  token?: string,
  callTimeoutMs?: number,
): Promise<Connection> {
  const connection = await connect({
    server: { scheme: 'plain', host: '127.0.0.1', port },
    timeoutMs: patience.connectMs,
    callTimeoutMs: callTimeoutMs ?? patience.callMs,
    checkIdentity: async () => {},
  });
  try {
    if (token !== undefined) await resume(connection, token);
    return connection;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** Tries something until it comes about, or until `untilMs` (performance.now) has passed; then throws the last cause. */
export async function again<T>(what: () => Promise<T>, untilMs: number): Promise<T> {
  for (;;) {
    try {
      return await what();
    } catch (error) {
      if (performance.now() > untilMs) throw error;
      await delay(patience.againMs);
    }
  }
}

/** Where somebody may connect to. */
export interface Place {
  readonly name: string;
  /** Makes a connection that is logged in. */
  open(): Promise<Connection>;
}

/** A node, for who has a session. */
export function placeAt(node: ClusterNode, token: string): Place {
  return { name: `node ${node.index}`, open: () => openAt(node, token) };
}

/** How a sender goes about it. */
export interface SenderOptions {
  readonly name: string;
  readonly places: readonly Place[];
  /** The index of the place that it begins with; it goes on to the next when a connection ends. */
  readonly home: number;
  readonly recorder: Recorder;
  /** Between two messages, in milliseconds. */
  readonly pauseMs: number;
  /** Ends its sending; what is not acknowledged is sent again until it is. */
  readonly stop: AbortSignal;
}

/** Everything of a sender that is not acknowledged after this time, in milliseconds, is broken. */
const mostUnacknowledgedMs = 60_000;
/** Messages of one connection that may be under way. */
const senderWindow = 16;

/** Sends as `chat send` does, on and on: many under way, under keys, again over the next place after a loss. Throws what ended it. */
export async function keepSending(options: SenderOptions): Promise<void> {
  const { name, places, recorder, pauseMs, stop } = options;
  let next = options.home;
  async function* lines() {
    for (let n = 1; !stop.aborted; n++) {
      yield { text: `${name}.${n}`, key: `${name}.${n}` };
      await delay(pauseMs);
    }
  }
  await sendMany({
    to: recorder.to,
    lines: lines(),
    window: senderWindow,
    timeoutMs: mostUnacknowledgedMs,
    async open() {
      const place = places[next % places.length] as Place;
      next += 1;
      return recorder.recorded(await place.open(), `${name} at ${place.name}`);
    },
  });
}

/** Follows a room at one node, over as many connections as it takes, each from where the one before has ended. */
export class NodeFollower {
  readonly name: string;
  readonly node: ClusterNode;
  readonly #token: string;
  readonly #recorder: Recorder;
  readonly #stop = new AbortController();
  readonly #run: Promise<void>;
  readonly #began = Promise.withResolvers<void>();
  #connection: Connection | undefined;
  #end = 0;

  constructor(node: ClusterNode, token: string, recorder: Recorder) {
    this.name = `the follower at node ${node.index}`;
    this.node = node;
    this.#token = token;
    this.#recorder = recorder;
    this.#run = this.#follow();
  }

  /** The last seq that it was told. */
  get end(): number {
    return this.#end;
  }

  /** Resolves when it follows first. */
  get began(): Promise<void> {
    return this.#began.promise;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#connection?.close();
    await this.#run;
  }

  async #follow(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        const connection = await openAt(this.node, this.#token);
        this.#connection = connection;
        const after = this.#end;
        const tell = this.#recorder.following(this.name, after);
        connection.onEvent((event) => {
          if (event.type !== 'message' || event.to !== this.#recorder.to) return;
          tell(entryOf(event));
          this.#end = event.seq;
        });
        try {
          await connection.call('conversation.follow', { to: this.#recorder.to, after });
          this.#began.resolve();
          if (!this.#stop.signal.aborted) await connection.closed;
        } finally {
          await connection.close();
        }
      } catch {
        // The node is away, and comes again.
      }
      await delay(patience.againMs);
    }
  }
}

/** Reads the newest messages of a room at one place again and again, until it is stopped. */
export async function keepReading(
  place: Place,
  recorder: Recorder,
  random: () => number,
  stop: AbortSignal,
): Promise<void> {
  const name = `the reader at ${place.name}`;
  let last = 0;
  while (!stop.aborted) {
    try {
      const connection = await place.open();
      try {
        while (!stop.aborted) {
          const after = Math.max(0, last - Math.floor(random() * 40));
          const page = await recorder.read(connection, name, after, patience.callMs);
          last = Math.max(page.last ?? 0, after + page.entries.length);
          await delay(20 + random() * 40);
        }
      } finally {
        await connection.close();
      }
    } catch {
      await delay(patience.againMs);
    }
  }
}

/** Reads a room from its first message to its last at one place. */
export async function readWhole(place: Place, recorder: Recorder): Promise<Read['entries']> {
  const connection = await place.open();
  try {
    const entries: Read['entries'][number][] = [];
    for (;;) {
      const page = await recorder.read(
        connection,
        `the last reader at ${place.name}`,
        entries.length,
        wholePageMs,
      );
      entries.push(...page.entries);
      if (page.isWhole) return entries;
      // A page with a gap is found by the check, and is no reason to read for ever.
      if (page.entries.at(-1)?.seq !== entries.length) return entries;
    }
  } finally {
    await connection.close();
  }
}

/** Sends one message at one place until it is acknowledged; answers when it was (performance.now). Throws after `mostMs`. */
export async function probe(
  place: Place,
  { key, recorder, mostMs }: { key: string; recorder: Recorder; mostMs: number },
): Promise<number> {
  return await again(async () => {
    const connection = recorder.recorded(await place.open(), key);
    try {
      await connection.call(
        'message.send',
        { to: recorder.to, text: key, key },
        { timeoutMs: patience.callMs },
      );
      return performance.now();
    } finally {
      await connection.close();
    }
  }, performance.now() + mostMs);
}
