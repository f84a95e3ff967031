import type { Query } from '../statement.ts';
import { attemptUntil, type Connections, jittered, type Patience } from './connections.ts';
import { commit, type Session } from './session.ts';
import { Trouble, troubleOf } from './trouble.ts';

/**
 * What a transaction sees of others. `serializable`: it is as if they had run one after the other, or it is undone and tried again.
 * `locking`: each statement sees what was committed before it, and rows that it locks stay as they are. `snapshot`: nothing that came
 * after its beginning, and it writes nothing.
 */
export type Isolation = 'serializable' | 'locking' | 'snapshot';

const begins: Readonly<Record<Isolation, string>> = {
  serializable: 'BEGIN ISOLATION LEVEL SERIALIZABLE',
  locking: 'BEGIN ISOLATION LEVEL READ COMMITTED',
  snapshot: 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
};

/** A key that is there again and again although nobody was seen to have it is no race but a mistake. */
const maxRaces = 5;
/** So long a transaction that others came between waits before the next try, at first. */
const conflictMs = 2;
const maxConflictMs = 100;

/** Told of what a transaction costs. */
export interface TransactionMeter {
  committed(seconds: number): void;
  retried(): void;
}

/** Runs `work` in a transaction of its own on `session`, once. A trouble `lost` while it commits becomes an {@link Unknown}. */
export async function transaction<Result>(
  session: Session,
  isolation: Isolation,
  work: (session: Session) => Promise<Result>,
  meter?: TransactionMeter,
): Promise<Result> {
  // Goes along with the first statement; when it fails, so does that.
  const begun = session.execute(begins[isolation]);
  begun.catch(() => {});
  let result: Result;
  try {
    result = await work(session);
    await begun;
  } catch (error) {
    await rollBack(session);
    throw error;
  }
  const start = performance.now();
  try {
    await commit(session);
  } catch (error) {
    const trouble = troubleOf(error);
    if (trouble.kind === 'lost') throw new Unknown(trouble, result);
    await rollBack(session);
    throw trouble;
  }
  meter?.committed((performance.now() - start) / 1_000);
  return result;
}

/** The connection was lost while a transaction was committed: it may be stored, or not. */
export class Unknown extends Trouble {
  /** What the transaction came to, if it is stored. */
  readonly result: unknown;

  constructor(cause: Trouble, result: unknown) {
    super('lost', cause.message, cause);
    this.result = result;
  }
}

/** Leaves the connection fit for the next transaction, or not at all. */
export async function rollBack(session: Session): Promise<void> {
  if (!session.isWhole) return;
  try {
    await session.execute('ROLLBACK');
  } catch {
    session.drop();
  }
}

/** Runs queries, each as one transaction, tried again as long as that may help. */
export interface Transactions {
  /** Runs `work` on a connection, again on another one where that may help: it leaves nothing behind when it fails. Throws a {@link Trouble}. */
  again<Result>(work: (session: Session) => Promise<Result>): Promise<Result>;
  /** Throws a {@link Trouble}. */
  run<Result>(isolation: Isolation, query: () => Query<Result>): Promise<Result>;
  /** For what only reads: one statement goes without a transaction. `name` says which queries are alike in that. */
  read<Result>(name: string, query: () => Query<Result>): Promise<Result>;
}

/** Transactions on connections. */
export function transactions(
  pool: Pick<Connections, 'use' | 'whenUp'>,
  patience: Patience,
  meter: TransactionMeter,
): Transactions {
  /** Queries that have been seen to take more than one statement. */
  const long = new Set<string>();

  async function again<Result>(work: (session: Session) => Promise<Result>): Promise<Result> {
    const end = performance.now() + patience.callMs;
    let races = 0;
    for (let tries = 0; ; tries++) {
      try {
        return await pool.use(work, attemptUntil(end, patience));
      } catch (error) {
        if (!(error instanceof Trouble) || error instanceof Unknown) throw error;
        const left = end - performance.now();
        if (left <= 0) throw error;
        meter.retried();
        if (error.kind === 'conflict') {
          await pause(conflictPause(tries));
        } else if (error.kind === 'race' && ++races <= maxRaces) await pause(jittered(conflictMs));
        else if (error.kind === 'race') throw new Trouble('other', error.message, error);
        // Nothing of it is stored: it may be done by another connection, at once; a database that ends each one is not asked in a hurry.
        else if (error.kind === 'lost') await pause(tries === 0 ? 0 : conflictPause(tries));
        else throw error;
      }
    }
  }

  return {
    again,
    run: (isolation, query) =>
      again((session) => transaction(session, isolation, (one) => one.run(query()), meter)),
    read: (name, query) =>
      again(async (session) => {
        if (!long.has(name)) {
          const alone = await runAlone(session, query());
          if (alone) return alone.result;
          long.add(name);
        }
        return await transaction(session, 'snapshot', (one) => one.run(query()));
      }),
  };
}

/** Runs a query of one statement; undefined for one that asks for another, which would see something else. */
async function runAlone<Result>(
  session: Session,
  query: Query<Result>,
): Promise<{ result: Result } | undefined> {
  let next = query.next();
  if (!next.done) next = query.next(await session.command(next.value));
  return next.done ? { result: next.value } : undefined;
}

const conflictPause = (tries: number): number =>
  Math.min(jittered(conflictMs * 2 ** Math.min(tries, 10)), maxConflictMs);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
