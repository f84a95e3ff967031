import type { ConversationId } from '../../../core/model/ids.ts';
import { type IndexBudget, indexAnew, indexConversation, lagAfter } from '../queries/search-index.ts';
import type { Query } from '../statement.ts';
import type { Connections } from './connections.ts';
import { lockNumber, lockSpace } from './migrate.ts';
import type { Session } from './session.ts';
import { transaction } from './transactions.ts';
import type { turns } from './turns.ts';

/** How the index is kept up with what is sent. */
export interface IndexerPace {
  /** What is sent is gathered for so long, in milliseconds. */
  readonly gatherMs: number;
  /** A step is followed by a rest of so many times what it took. */
  readonly rests: number;
  /** Beyond so many messages that are not in the index, the rest is no longer than the step. */
  readonly pressing: number;
  /** While another node fills the index, and after a failure: the next try, in milliseconds. */
  readonly retryMs: number;
  /** How often all conversations are asked whether something is missing: a node that died has left it. In milliseconds. */
  readonly askMs: number;
}

const usualPace: IndexerPace = {
  gatherMs: 250,
  rests: 3,
  pressing: 10_000,
  retryMs: 1_000,
  askMs: 60_000,
};

/** One step: some tens of milliseconds, and one commit. */
const stepBudget: Readonly<IndexBudget> = { messages: 256, characters: 65_536 };
/** Conversations that are asked at once. */
const conversationsAtOnce = 500;

/** Fills the index of words in the background, after what it is of was answered. */
export interface PostgresIndexer {
  /** A message was stored. */
  noteMessage(conversation: ConversationId): void;
  /** Something else was written, by which words may have been taken out of the index. */
  noteChange(): void;
  /** Messages of this node that are not in the index, and those of others that it knows of. */
  readonly lag: number;
  /** Waits for the step under way. What is not done is found by another node, or after the next start. */
  stop(): Promise<void>;
}

/**
 * Keeps the index up to date, of many nodes one at a time, by a lock that ends with its transaction. Each takes note of what it has stored
 * itself; what a node has left that is gone is found by asking each conversation how far the index has come.
 */
export function indexer(
  pool: Pick<Connections, 'use'>,
  background: ReturnType<typeof turns>,
  options: { readonly isIndexing: boolean; readonly pace: Partial<IndexerPace> | undefined },
): PostgresIndexer {
  const pace = { ...usualPace, ...options.pace };
  const waiting = new Map<ConversationId, number>();
  /** Conversations up to this one have been asked; undefined when all have. */
  let asked: number | undefined = 0;
  let askedAt = performance.now();
  let mayBeAnew = true;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let timerAt = Number.POSITIVE_INFINITY;
  let step: Promise<void> = Promise.resolve();
  let isRunning = false;
  let isStopped = !options.isIndexing;

  function lag(): number {
    let sum = 0;
    for (const messages of waiting.values()) sum += messages;
    return sum;
  }

  /** What one step does; answers whether something is left. */
  async function work(run: <Result>(query: Query<Result>) => Promise<Result>): Promise<boolean> {
    const budget = { ...stepBudget };
    const isLeft = (): boolean => budget.messages > 0 && budget.characters > 0;
    // Those that are there now: what comes meanwhile is for the next step.
    for (const [conversation, known] of [...waiting]) {
      const before = budget.messages;
      const isAll = await run(indexConversation(conversation, budget));
      const since = (waiting.get(conversation) ?? 0) - known;
      const missing = isAll ? since : Math.max(1, known + since - (before - budget.messages));
      waiting.delete(conversation);
      // To the end of the row: one that is far behind does not keep the others waiting.
      if (missing > 0) waiting.set(conversation, missing);
      budget.messages -= 1;
      if (!isLeft()) return true;
    }
    while (mayBeAnew) {
      mayBeAnew = await run(indexAnew(budget));
      if (!isLeft()) return true;
    }
    if (asked !== undefined) {
      const found = await run(lagAfter(asked, conversationsAtOnce));
      for (const { id, unindexed } of found) {
        if (unindexed > 0) waiting.set(id, Math.max(unindexed, waiting.get(id) ?? 0));
      }
      asked = found.length < conversationsAtOnce ? undefined : found.at(-1)?.id;
      askedAt = performance.now();
    }
    return asked !== undefined || mayBeAnew || waiting.size > 0;
  }

  /** Undefined when another node is at it. */
  async function runStep(session: Session): Promise<boolean | undefined> {
    return await transaction(session, 'locking', async () => {
      const { rows } = await session.execute('SELECT pg_try_advisory_xact_lock($1, $2) AS is_mine', [
        lockSpace,
        lockNumber.indexing,
      ]);
      if ((rows as { is_mine: boolean }[])[0]?.is_mine !== true) return undefined;
      return await work((query) => session.run(query));
    });
  }

  /** Answers when to go on, in milliseconds. */
  async function tick(): Promise<number> {
    const end = await background.take(undefined, pace.retryMs);
    if (!end) return pace.retryMs;
    const start = performance.now();
    try {
      if (asked === undefined && start - askedAt >= pace.askMs) {
        asked = 0;
        mayBeAnew = true;
      }
      const isLeft = await pool.use(runStep);
      if (isLeft === undefined) return pace.retryMs;
      if (!isLeft) return pace.askMs;
      const rests = lag() > pace.pressing ? Math.min(1, pace.rests) : pace.rests;
      return (performance.now() - start) * rests;
    } catch {
      // It was undone: what was counted does not hold any more.
      asked = 0;
      mayBeAnew = true;
      return pace.retryMs;
    } finally {
      end();
    }
  }

  /** Steps after so long, or at the time that was set before, whichever is sooner. */
  function schedule(ms: number): void {
    const at = performance.now() + ms;
    if (isStopped || isRunning || timerAt <= at) return;
    clearTimeout(timer);
    timerAt = at;
    timer = setTimeout(() => {
      timerAt = Number.POSITIVE_INFINITY;
      isRunning = true;
      step = tick().then((nextMs) => {
        isRunning = false;
        const hasCome = waiting.size > 0 || mayBeAnew;
        schedule(hasCome ? Math.min(Math.max(nextMs, 1), pace.retryMs) : nextMs);
      });
    }, ms);
    timer.unref();
  }

  schedule(pace.gatherMs);
  return {
    noteMessage(conversation) {
      if (isStopped) return;
      waiting.set(conversation, (waiting.get(conversation) ?? 0) + 1);
      schedule(pace.gatherMs);
    },
    noteChange() {
      if (isStopped || mayBeAnew) return;
      mayBeAnew = true;
      schedule(pace.gatherMs);
    },
    get lag() {
      return lag();
    },
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      await step;
    },
  };
}
