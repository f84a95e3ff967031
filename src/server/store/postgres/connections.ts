import { type ClientConfig, Pool, type PoolClient, type PoolConfig } from 'pg';
import { ChatError } from '../../../core/errors.ts';
import { randomBytes } from '../../../core/random.ts';
import type { DatabaseAddress } from './database-address.ts';
import { type Session, sessionOf } from './session.ts';
import { Trouble, troubleOf } from './trouble.ts';
import { valueTypes } from './values.ts';

/** How long things may take, in milliseconds. */
export interface Patience {
  /** A connection is made. */
  readonly connectMs: number;
  /** One statement runs, and the database waits in the middle of a transaction. */
  readonly statementMs: number;
  /** A row is held by somebody else. */
  readonly lockMs: number;
  /** Somebody has a connection: then it is dropped, since the database may never answer any more. */
  readonly attemptMs: number;
  /** A call is tried again. */
  readonly callMs: number;
  /** A call waits for its turn: calls before it that are about the same, and a connection that is free. */
  readonly turnMs: number;
  /** After a connection could not be made, the next try: at first, and at most. */
  readonly retryMs: number;
  readonly maxRetryMs: number;
}

/** What is waited unless a test says otherwise. */
export const usualPatience: Patience = {
  connectMs: 3_000,
  statementMs: 5_000,
  lockMs: 2_500,
  // A second for the way there and back: after an interruption what was on it is given up so much later, and all is well within ten seconds.
  attemptMs: 6_000,
  callMs: 10_000,
  turnMs: 30_000,
  retryMs: 50,
  maxRetryMs: 1_000,
};

/** How long an attempt may take of a call that ends at `end`, by `performance.now()`: the last one is cut short, and still one. */
export function attemptUntil(end: number, { attemptMs }: Patience): number {
  return Math.min(attemptMs, Math.max(end - performance.now(), leastAttemptMs));
}
const leastAttemptMs = 500;

/** How the pool of connections is doing, at this moment and since the start. */
export interface ConnectionFigures {
  /** Connections at most, those that there are, and of these the ones that nobody uses. */
  readonly max: number;
  readonly open: number;
  readonly idle: number;
  /** False while no connection can be made. */
  readonly isUp: boolean;
  /** Connections that were lost. */
  readonly lost: number;
  /** How often the database could be reached again after it could not. */
  readonly reconnects: number;
}

/** Connections to one database. */
export interface Connections {
  /**
   * Runs `work` with a connection that it has alone. Throws a {@link Trouble} `down` at once while the database cannot be reached; another
   * try is made in the background, each a little later than the one before.
   */
  use<Result>(work: (session: Session) => Promise<Result>, attemptMs?: number): Promise<Result>;
  /** Waits until the database can be reached, at most so long; false when it cannot be. */
  whenUp(ms: number): Promise<boolean>;
  figures(): ConnectionFigures;
  close(): Promise<void>;
}

/** What every connection is made with. */
export function clientConfig(
  address: DatabaseAddress,
  patience: Patience,
): ClientConfig & { pipeline: true } {
  return {
    host: address.host,
    port: address.port,
    user: address.user,
    password: address.password,
    database: address.database,
    ssl: address.tls,
    application_name: 'chat',
    connectionTimeoutMillis: patience.connectMs,
    statement_timeout: patience.statementMs,
    lock_timeout: patience.lockMs,
    idle_in_transaction_session_timeout: patience.statementMs,
    // Every statement has its index; how large a table was when it was last looked at is no reason to read all of it.
    options: '-c enable_seqscan=off -c jit=off',
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: valueTypes,
    pipeline: true,
  };
}

/** A time around `ms`, so that many who wait for the same do not come together. */
export function jittered(ms: number): number {
  return ms * (0.5 + (randomBytes(1)[0] ?? 0) / 255);
}

/** Opens nothing yet: the first who asks does. */
export function connections(address: DatabaseAddress, max: number, patience: Patience): Connections {
  const config: PoolConfig = { ...clientConfig(address, patience), max, idleTimeoutMillis: 60_000 };
  const pool = new Pool(config);
  let lost = 0;
  let reconnects = 0;
  let isClosed = false;
  /** Set while the database cannot be reached. */
  let down: { trouble: Trouble; tries: number } | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let waiting: Array<() => void> = [];

  // One that nobody has was lost; whoever comes next gets another.
  pool.on('error', () => {
    lost += 1;
  });
  // While somebody has it the pool does not listen; what is under way fails by itself. From its first moment on: the words that end it may
  // have come together with those that greet it, before whoever waits for it is told.
  pool.on('connect', (client) => {
    client.on('error', () => {});
  });

  function retryLater(): void {
    clearTimeout(timer);
    const ms = Math.min(patience.retryMs * 2 ** (down?.tries ?? 0), patience.maxRetryMs);
    timer = setTimeout(() => void retry(), jittered(ms));
  }

  async function retry(): Promise<void> {
    if (isClosed || !down) return;
    try {
      (await pool.connect()).release();
    } catch {
      down.tries += 1;
      if (!isClosed) retryLater();
      return;
    }
    isUp();
  }

  function isUp(): void {
    if (!down) return;
    down = undefined;
    clearTimeout(timer);
    reconnects += 1;
    const told = waiting;
    waiting = [];
    for (const tell of told) tell();
  }

  async function acquire(): Promise<PoolClient> {
    if (isClosed) throw new ChatError('unavailable', 'the store is closed');
    if (down) throw down.trouble;
    try {
      return await pool.connect();
    } catch (error) {
      // What the database itself says no to (a password, a name) is tried again all the same.
      const trouble = new Trouble('down', troubleOf(error).message, error);
      if (!down && !isClosed) {
        down = { trouble, tries: 0 };
        retryLater();
      }
      throw trouble;
    }
  }

  return {
    async use(work, attemptMs = patience.attemptMs) {
      const client = await acquire();
      const session = sessionOf(client);
      const dropped = setTimeout(() => session.drop(), attemptMs);
      try {
        return await work(session);
      } finally {
        clearTimeout(dropped);
        if (!session.isWhole) lost += 1;
        client.release(!session.isWhole);
      }
    },
    async whenUp(ms) {
      if (!down) return true;
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push(resolve);
      const over = setTimeout(resolve, ms);
      await promise;
      clearTimeout(over);
      waiting = waiting.filter((one) => one !== resolve);
      return !down;
    },
    figures: () => ({
      max,
      open: pool.totalCount,
      idle: pool.idleCount,
      isUp: down === undefined,
      lost,
      reconnects,
    }),
    async close() {
      isClosed = true;
      clearTimeout(timer);
      for (const tell of waiting.splice(0)) tell();
      await pool.end();
    },
  };
}
