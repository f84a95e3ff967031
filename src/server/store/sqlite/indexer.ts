import type { ConversationId } from '../../../core/model/ids.ts';
import { type IndexBudget, indexAnew, indexConversation, lagAfter } from '../queries/search-index.ts';
import { readCalls } from '../store-calls.ts';
import { type BatchDatabase, transaction } from './batches.ts';
import type { CallMessage, ResultMessage } from './calls.ts';

/** How the index is kept up with what is sent. */
export interface IndexerPace {
  /** Messages are gathered for so long, or until there are `gathered`, so that a step's commit is one for many. */
  readonly gatherMs: number;
  readonly gathered: number;
  /** While others are served, a step is followed by a rest of so many times what it took. */
  readonly rests: number;
  /** … and of so many times while more is sent than could be kept up with in that way: what is left is done when less is. */
  readonly floodRests: number;
  /** Such a rest is no longer than this, unless the usual one is: it may have ended, and what it left is to be found. */
  readonly floodRestMs: number;
  /** Beyond so many messages that are not in the index, the rest is no longer than the step … */
  readonly pressing: number;
  /** … and beyond so many, what is sent waits until there are fewer: the lag has an end. */
  readonly most: number;
  /** After a failure, such as a full disk, the next try is so much later. */
  readonly retryMs: number;
}

const usualPace: IndexerPace = {
  gatherMs: 250,
  gathered: 256,
  rests: 19,
  floodRests: 39,
  floodRestMs: 1_000,
  pressing: 500_000,
  most: 1_000_000,
  retryMs: 10_000,
};

/** One step: some milliseconds of work, and one commit. */
const stepBudget: Readonly<IndexBudget> = { messages: 256, characters: 32_768 };
/** Conversations that are asked at once whether the index has all of them, after a start. */
const conversationsAtOnce = 200;

/** Fills the index of words in the background, after what it is of was answered. */
export interface Indexer {
  /** Takes note of what a batch stored and changed. Throws when the database has broken down. */
  note(calls: readonly CallMessage[], results: readonly ResultMessage[]): void;
  /** No step follows any more. What is not done is found after the next start. */
  stop(): void;
}

/**
 * Keeps the index of `on` up to date. It remembers nothing that the database does not say: after a start it asks each conversation how
 * far the index has come. `onFatal` is told when a step shows that nothing can be promised any more, `onLag` how many messages are known
 * to be missing in it.
 */
export function indexer(
  on: BatchDatabase,
  onFatal: (error: unknown) => void,
  pace: IndexerPace = usualPace,
  onLag: (messages: number) => void = () => {},
): Indexer {
  const waiting = new Map<ConversationId, number>();
  let lag = 0;
  /** Conversations up to this one have been asked; undefined when all have. */
  let asked: number | undefined = 0;
  let mayBeAnew = true;
  let wereCalls = false;
  /** Messages that came since the last step, and when the first of them did. */
  let came = 0;
  let cameFrom = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let timerAt = 0;
  /** The store is left to others until then. */
  let restsUntil = 0;
  let isStopped = false;

  function add(conversation: ConversationId, messages: number): void {
    waiting.set(conversation, (waiting.get(conversation) ?? 0) + messages);
    lag += messages;
  }

  function settle(conversation: ConversationId, done: number, isAll: boolean): void {
    const known = waiting.get(conversation) ?? 0;
    // What was counted may differ from what was there: a message that was told of may have been found by asking, too.
    const left = isAll ? 0 : Math.max(1, known - done);
    lag -= known - left;
    // To the end of the row: one that is far behind does not keep the others waiting.
    waiting.delete(conversation);
    if (!isAll) waiting.set(conversation, left);
  }

  function step(): boolean {
    const budget = { ...stepBudget };
    const isLeft = (): boolean => budget.messages > 0 && budget.characters > 0;
    for (const conversation of waiting.keys()) {
      const before = budget.messages;
      const isAll = on.database.run(indexConversation(conversation, budget));
      settle(conversation, before - budget.messages, isAll);
      // A conversation takes its time also when it has but one message.
      budget.messages -= 1;
      if (!isLeft()) return true;
    }
    while (mayBeAnew) {
      mayBeAnew = on.database.run(indexAnew(budget));
      if (!isLeft()) return true;
    }
    if (asked === undefined) return false;
    const found = on.database.run(lagAfter(asked, conversationsAtOnce));
    for (const { id, unindexed } of found) if (unindexed > 0 && !waiting.has(id)) add(id, unindexed);
    asked = found.length < conversationsAtOnce ? undefined : found.at(-1)?.id;
    return true;
  }

  function forgetAll(): void {
    waiting.clear();
    lag = 0;
    asked = 0;
    mayBeAnew = true;
  }

  /** True when more has come since the last step than steps like it could take up, with the usual rests between. */
  function isFlooded(done: number, start: number, tookMs: number): boolean {
    const perMs = came / Math.max(start - cameFrom, pace.gatherMs);
    return perMs > done / ((1 + pace.rests) * tookMs);
  }

  /** Answers how long to rest; undefined when there is nothing left to do. */
  function tick(): number | undefined {
    const start = performance.now();
    const lagBefore = lag;
    try {
      const isLeft = transaction(on, step);
      onLag(lag);
      if (!isLeft) return undefined;
    } catch (error) {
      const { syncFailure } = on.database.trouble;
      if (syncFailure) throw syncFailure;
      if (error instanceof WebAssembly.RuntimeError) throw error;
      // It was undone, so that what was counted does not hold any more.
      forgetAll();
      onLag(lag);
      return pace.retryMs;
    }
    const tookMs = performance.now() - start;
    const isFlood = isFlooded(Math.max(lagBefore - lag, 1), start, tookMs);
    came = 0;
    if (!wereCalls) return 0;
    wereCalls = false;
    if (lag > pace.pressing) return tookMs;
    const usualMs = tookMs * pace.rests;
    return isFlood ? Math.max(usualMs, Math.min(tookMs * pace.floodRests, pace.floodRestMs)) : usualMs;
  }

  /** Steps again after so long, or at the time that was set before, whichever is sooner. */
  function schedule(ms: number): void {
    const at = performance.now() + ms;
    if (isStopped || (timer !== undefined && timerAt <= at)) return;
    clearTimeout(timer);
    timerAt = at;
    timer = setTimeout(() => {
      timer = undefined;
      try {
        const restMs = tick();
        if (restMs === undefined) return;
        restsUntil = performance.now() + restMs;
        // While others are served, a few messages are gathered again: each step costs a commit.
        const areFew = restMs > 0 && lag < pace.gathered && asked === undefined && !mayBeAnew;
        schedule(areFew ? Math.max(restMs, pace.gatherMs) : restMs);
      } catch (error) {
        onFatal(error);
      }
    }, ms);
  }

  schedule(pace.gatherMs);
  return {
    note(calls, results) {
      wereCalls = true;
      let hasChanged = false;
      for (const [index, result] of results.entries()) {
        const name = calls[index]?.[0];
        if (Array.isArray(result)) {
          add(result[0] as ConversationId, 1);
          if (came === 0) cameFrom = performance.now();
          came += 1;
        } else if (name !== undefined && name !== 'appendMessage' && !readCalls.has(name)) mayBeAnew = true;
        else continue;
        hasChanged = true;
      }
      onLag(lag);
      while (lag > pace.most) if (tick() === undefined || lag === 0) break;
      if (!hasChanged) return;
      const restMs = Math.max(restsUntil - performance.now(), 0);
      schedule(Math.max(restMs, lag >= pace.gathered ? 0 : pace.gatherMs));
    },
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}
