import type { AuditLink } from '../../../core/audit-chain.ts';
import { ChatError } from '../../../core/errors.ts';
import type { Store } from '../../../core/ports/store.ts';
import type { Migration } from '../migrations/migration.ts';
import { askedCredential, type NearestCredential } from '../nearest-credential.ts';
import { isAppended } from '../queries/audit.ts';
import { erasesText } from '../queries/erasure.ts';
import { type QueryCall, queries } from '../queries/index.ts';
import { Memory } from '../queries/memory.ts';
import type { ServerStore } from '../server-store.ts';
import type { Query } from '../statement.ts';
import { readCalls, type StoreCall, storeCalls } from '../store-calls.ts';
import { appends } from './appends.ts';
import { connections, type Patience, usualPatience } from './connections.ts';
import { databaseAddress } from './database-address.ts';
import { remoteGauges } from './gauges.ts';
import { type IndexerPace, indexer } from './indexer.ts';
import { type MembershipChanges, membershipReader } from './membership-changes.ts';
import { migrate } from './migrate.ts';
import { refuseUnfinishedImport } from './moved-rows.ts';
import { type NodeLock, nodeLock } from './node-lock.ts';
import { openingError } from './opening-error.ts';
import { scrubPiece } from './scrub.ts';
import { isolationOf, isWatch, subjectOf } from './subjects.ts';
import { transactions, Unknown } from './transactions.ts';
import { answerTo, Trouble } from './trouble.ts';
import { turns } from './turns.ts';
import { untilGivenUp } from './until-given-up.ts';

/** Where a database is, and what is to be otherwise than usual. */
export interface PostgresStoreOptions {
  /** `postgres://…` ({@link databaseAddress}). */
  readonly url: string;
  readonly patience?: Partial<Patience>;
  /** False: this one fills no index of words. */
  readonly isIndexing?: boolean;
  readonly pace?: Partial<IndexerPace>;
  /** All there have been unless a test hands in others. */
  readonly migrations?: readonly Migration[];
  /** Told when another node brings the tables up to date, which is waited for, an hour at most. */
  readonly onWait?: () => void;
  /** Gives up the opening: nothing is changed then, and its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/** A store whose database is a PostgreSQL that other nodes may use too. */
export interface PostgresStore extends ServerStore {
  /** Who came and who left, at any node. */
  readonly membershipChanges: MembershipChanges;
  /** Says which nodes may use the database at a time. */
  holdNode(hold: Parameters<NodeLock>[0]): ReturnType<NodeLock>;
}

/** Connections at most, unless the URL says otherwise. */
const usualConnections = 16;

/**
 * Opens the store on a PostgreSQL: makes the tables, or brings them up to date, first. Throws `unavailable` when the database cannot be
 * reached, is somebody else's, or was written by a newer version, and `invalid` for a URL that is none.
 *
 * Every call is one transaction. One that others came between is tried again; one whose connection was lost before it was committed too.
 * When it is lost in the middle of a commit nobody knows whether it is stored: a message is then looked for by its id and stored
 * if it is not there, any other call is answered `unavailable`.
 */
export async function postgresStore(options: PostgresStoreOptions): Promise<PostgresStore> {
  const address = databaseAddress(options.url);
  const patience: Patience = { ...usualPatience, ...options.patience };
  const max = address.maxConnections ?? usualConnections;
  const pool = connections(address, max, patience);
  const gauges = remoteGauges();
  const { signal } = options;
  try {
    const open = untilGivenUp(pool, signal, async (session) => {
      gauges.server = `PostgreSQL ${await migrate(session, options.migrations, options.onWait)}`;
      await refuseUnfinishedImport(session);
    });
    await pool.use(open, openingMs);
  } catch (error) {
    await pool.close();
    signal?.throwIfAborted();
    throw openingError(error, address);
  }

  // One connection is left to what runs by itself.
  const lanes = Math.max(1, Math.min(4, Math.floor(max / 4)));
  const writing = turns(Math.max(1, Math.floor((max - lanes - 1) / 2)));
  const reading = turns(Math.max(1, Math.ceil((max - lanes - 1) / 2) - 1));
  const watching = turns(1);
  const background = turns(1);
  const running = transactions(pool, patience, gauges);
  const sending = appends(pool, lanes, patience, gauges);
  const index = indexer(pool, background, { isIndexing: options.isIndexing ?? true, pace: options.pace });
  const underWay = new Set<Promise<unknown>>();
  let isClosed = false;

  /** Keeps the store open until the work is done, and says what became of it in the port's words. */
  function call<Result>(work: () => Promise<Result>): Promise<Result> {
    if (isClosed) return Promise.reject(new ChatError('unavailable', 'the store is closed'));
    const done = work().catch((error: unknown) => {
      const answer = answerTo(error);
      if (answer instanceof ChatError && answer.code === 'unavailable') gauges.unavailable += 1;
      throw answer;
    });
    const known = done.catch(() => {}).finally(() => underWay.delete(known));
    underWay.add(known);
    return done;
  }

  async function inTurn<Result>(
    which: typeof writing,
    subject: string | undefined,
    work: () => Promise<Result>,
  ): Promise<Result> {
    const end = await which.take(subject, patience.turnMs);
    if (!end) throw new Trouble('conflict', 'no connection was free');
    try {
      return await work();
    } finally {
      end();
    }
  }

  function queryOf(name: QueryCall, input: unknown): Query<unknown> {
    const query = queries[name] as (input: unknown, memory: Memory) => Query<unknown>;
    return query(input, new Memory());
  }

  /** Who keeps the trail tries again what was not appended: where nobody knows, it is looked up, so that no row comes twice. */
  async function appendOnce(input: unknown): Promise<unknown> {
    try {
      return await running.run('locking', () => queryOf('appendAudit', input));
    } catch (error) {
      if (!(error instanceof Unknown) || !(await pool.whenUp(patience.callMs))) throw error;
      const link = error.result as AuditLink;
      if (await running.run('locking', () => isAppended(link))) return link;
      throw error;
    }
  }

  async function write(name: QueryCall, input: unknown): Promise<unknown> {
    const result = await inTurn(writing, subjectOf(name, input), async () => {
      if (name === 'appendAudit') return await appendOnce(input);
      if (name !== 'eraseNext') return await running.run(isolationOf(name), () => queryOf(name, input));
      // Texts are taken under the lock of their conversation; everything else as if it were alone.
      const place = input as Parameters<Store['eraseNext']>[0];
      const isText = await running.read('erasesText', () => erasesText(place));
      return await running.run(isText ? 'locking' : 'serializable', () => queryOf(name, input));
    });
    index.noteChange();
    return result;
  }

  const read = (name: QueryCall, input: unknown): Promise<unknown> =>
    inTurn(isWatch(name) ? watching : reading, undefined, () =>
      running.read(name, () => queryOf(name, input)),
    );

  const names = (Object.keys(storeCalls) as StoreCall[]).filter(
    (name): name is QueryCall => name !== 'scrub',
  );
  const calls = Object.fromEntries(
    names.map((name) => [
      name,
      (input: unknown) => call(() => (readCalls.has(name) ? read(name, input) : write(name, input))),
    ]),
  ) as unknown as Omit<Store, 'close'>;
  const lock = nodeLock(address, patience);
  const membership = membershipReader({ use: (work) => running.again(work) });

  let closing: Promise<void> | undefined;
  async function closeAll(): Promise<void> {
    isClosed = true;
    await index.stop();
    while (underWay.size > 0) await Promise.all(underWay);
    await pool.close();
  }

  return {
    ...calls,
    credential: (username) =>
      call(async () =>
        askedCredential((await read('credential', username)) as NearestCredential | undefined),
      ),
    appendMessage: (message) =>
      call(async () => {
        const outcome = await sending.append(message);
        if (outcome.kind === 'stored') index.noteMessage(outcome.conversation);
        return outcome;
      }),
    scrub: ({ from }) =>
      call(() =>
        inTurn(background, undefined, async () => ({ next: await scrubPiece(pool, running, from) })),
      ),
    membershipChanges: (since) => call(() => inTurn(watching, undefined, () => membership(since))),
    holdNode: (hold) => lock(hold),
    figures: () =>
      gauges.read({
        pool: pool.figures(),
        queue: underWay.size,
        waiting: writing.waiting + reading.waiting + watching.waiting + background.waiting,
        indexLag: index.lag,
      }),
    close() {
      closing ??= closeAll();
      return closing;
    },
  };
}

/** Migrations of a large database take their time. */
const openingMs = 3_600_000;
