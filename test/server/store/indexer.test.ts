import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { createAccount } from '../../../src/server/store/queries/accounts.ts';
import { eraseText } from '../../../src/server/store/queries/erased-text.ts';
import { Memory } from '../../../src/server/store/queries/memory.ts';
import { lagAfter } from '../../../src/server/store/queries/search-index.ts';
import { type BatchDatabase, runBatch } from '../../../src/server/store/sqlite/batches.ts';
import { type CallMessage, callMessage } from '../../../src/server/store/sqlite/calls.ts';
import { openDatabase } from '../../../src/server/store/sqlite/database.ts';
import { type IndexerPace, indexer } from '../../../src/server/store/sqlite/indexer.ts';
import { inRoom, message, person, verifier } from '../../contract/support/people.ts';

const pace: IndexerPace = {
  gatherMs: 250,
  gathered: 256,
  rests: 3,
  floodRests: 3,
  floodRestMs: 1_000,
  pressing: 1_000,
  most: 2_000,
  retryMs: 10_000,
};

const unexpected = (error: unknown): void => {
  throw error;
};

/** A database with alice in the lobby and nothing that indexes it yet. */
async function lobby() {
  const directory = await mkdtemp(join(tmpdir(), 'chat-indexer-'));
  const database = await openDatabase({ directory });
  const on: BatchDatabase = { database, memory: new Memory() };
  const alice = person('alice');
  database.run(createAccount({ account: alice, verifier }));
  onTestFinished(async () => {
    database.close();
    await rm(directory, { recursive: true, force: true });
  });
  return {
    on,
    database,
    /** Stores so many messages in one batch. */
    send(count: number) {
      const calls: CallMessage[] = Array.from({ length: count }, (_, i) =>
        callMessage('appendMessage', message(alice, inRoom('lobby'), { body: { text: `message ${i}` } })),
      );
      return [calls, runBatch(on, calls)] as const;
    },
    lag: () => database.run(lagAfter(0, 9))[0]?.unindexed,
  };
}

describe('the indexer', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('gathers what is stored for a moment, and does nothing when there is nothing', async () => {
    const chat = await lobby();
    const index = indexer(chat.on, unexpected, pace);
    vi.advanceTimersByTime(1_000);
    expect(vi.getTimerCount()).toBe(0);
    index.note(...chat.send(1));
    vi.advanceTimersByTime(pace.gatherMs - 1);
    expect(chat.lag()).toBe(1);
    vi.advanceTimersByTime(1);
    expect(chat.lag()).toBe(0);
    vi.advanceTimersByTime(1_000);
    expect(vi.getTimerCount()).toBe(0);
    index.stop();
  });

  test('is at work at once when much is stored, in steps with rests between', async () => {
    const chat = await lobby();
    const index = indexer(chat.on, unexpected, pace);
    vi.advanceTimersByTime(1_000);
    index.note(...chat.send(600));
    vi.advanceTimersToNextTimer();
    expect(chat.lag()).toBe(600 - 256);
    index.note(...chat.send(1));
    vi.advanceTimersByTime(1_000);
    expect(chat.lag()).toBe(0);
    index.stop();
  });

  test('gathers again after a step while others are served, and steps sooner when much has come', async () => {
    const chat = await lobby();
    const index = indexer(chat.on, unexpected, pace);
    vi.advanceTimersByTime(1_000);
    index.note(...chat.send(10));
    vi.advanceTimersByTime(pace.gatherMs);
    expect(chat.lag()).toBe(0);
    index.note(...chat.send(10));
    vi.advanceTimersByTime(pace.gatherMs - 1);
    expect(chat.lag()).toBe(10);
    index.note(...chat.send(pace.gathered));
    vi.advanceTimersToNextTimer();
    expect(chat.lag()).toBeLessThan(10 + pace.gathered);
    vi.advanceTimersByTime(1_000);
    expect(chat.lag()).toBe(0);
    index.stop();
  });

  test('leaves nearly all of the time to a flood, and goes on when it is over', async () => {
    const chat = await lobby();
    // 600 in 250 ms are a flood for steps of 256 that take more than a millisecond, and rest a hundred times as long.
    const flooded = { ...pace, rests: 100, floodRests: 1e9, floodRestMs: 10_000 };
    const index = indexer(chat.on, unexpected, flooded);
    vi.advanceTimersByTime(1_000);
    index.note(...chat.send(600));
    vi.advanceTimersToNextTimer();
    expect(chat.lag()).toBe(600 - 256);
    vi.advanceTimersByTime(9_999);
    expect(chat.lag()).toBe(600 - 256);
    vi.advanceTimersByTime(100_000_000);
    expect(chat.lag()).toBe(0);
    index.stop();
  });

  test('finds after a start what was stored before it, and what is to be indexed anew', async () => {
    const chat = await lobby();
    chat.send(300);
    const first = indexer(chat.on, unexpected, pace);
    vi.advanceTimersToNextTimer();
    first.stop();
    vi.advanceTimersByTime(60_000);
    expect(chat.lag()).toBe(300);
    const second = indexer(chat.on, unexpected, pace);
    vi.advanceTimersByTime(1_000);
    expect(chat.lag()).toBe(0);
    second.stop();
    chat.database.run(eraseText({ conversation: 1, after: 0, upTo: 1, senderId: undefined }));
    expect(chat.lag()).toBe(300);
    const third = indexer(chat.on, unexpected, pace);
    vi.advanceTimersByTime(1_000);
    expect(chat.lag()).toBe(0);
    // Now it learns of it by the call that did it.
    chat.database.run(eraseText({ conversation: 1, after: 1, upTo: 2, senderId: undefined }));
    third.note([['eraseNext', { now: 1 }]], [{ value: { kind: 'none' } }]);
    vi.advanceTimersByTime(1_000);
    expect(chat.lag()).toBe(0);
    third.stop();
  });

  test('lets sends wait when it is too far behind, and only as long', async () => {
    const chat = await lobby();
    const index = indexer(chat.on, unexpected, pace);
    vi.advanceTimersByTime(1_000);
    index.note(...chat.send(pace.most));
    expect(chat.lag()).toBe(pace.most);
    index.note(...chat.send(1));
    expect(chat.lag()).toBeLessThanOrEqual(pace.most);
    expect(chat.lag()).toBeGreaterThan(pace.most - 256);
    index.stop();
  });

  test('tries again later when a step fails, and has lost nothing', async () => {
    const chat = await lobby();
    let isFull = true;
    const database = {
      ...chat.database,
      run: ((query: never) => {
        if (isFull) throw new Error('database or disk is full');
        return chat.database.run(query);
      }) as typeof chat.database.run,
    };
    const index = indexer({ ...chat.on, database }, unexpected, pace);
    index.note(...chat.send(5));
    vi.advanceTimersByTime(pace.gatherMs);
    isFull = false;
    vi.advanceTimersByTime(pace.retryMs - 1);
    expect(chat.lag()).toBe(5);
    vi.advanceTimersByTime(1_000);
    expect(chat.lag()).toBe(0);
    index.stop();
  });

  test('says when nothing can be promised any more, and touches nothing then', async () => {
    const chat = await lobby();
    const lost = new Error('fdatasync failed');
    const told: unknown[] = [];
    const database = {
      ...chat.database,
      trouble: { ...chat.database.trouble, syncFailure: lost },
      execute: () => {
        throw new Error('an I/O error');
      },
    } as unknown as typeof chat.database;
    indexer({ ...chat.on, database }, (error) => told.push(error), pace);
    vi.advanceTimersByTime(pace.gatherMs);
    expect(told).toEqual([lost]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
