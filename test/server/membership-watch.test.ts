import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { type ReadMemberships, watchMemberships } from '../../src/server/membership-watch.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A watch of a store that the test answers for. */
function watched(read: ReadMemberships<number>) {
  const notes: unknown[] = [];
  const failures: unknown[] = [];
  const watch = watchMemberships({
    read,
    onNotes: (one) => notes.push(one),
    everyMs: 2_000,
    onFailure: (error) => failures.push(error),
  });
  onTestFinished(watch.stop);
  return { notes, failures, watch };
}

it('goes on where the last answer ended, and says when changes may be missing', async () => {
  const asked: (number | undefined)[] = [];
  const { notes } = watched(async (since) => {
    asked.push(since);
    return { changes: [], isWhole: asked.length !== 3, next: asked.length };
  });
  await vi.advanceTimersByTimeAsync(4_000);
  expect([asked, notes]).toEqual([
    [undefined, 1, 2],
    [[], [], 'anything'],
  ]);
});

it('tells of a store that is away once, and asks from the same place again', async () => {
  const asked: (number | undefined)[] = [];
  let isAway = false;
  const { failures } = watched(async (since) => {
    asked.push(since);
    if (isAway) throw new Error('away');
    return { changes: [], isWhole: true, next: 7 };
  });
  await vi.advanceTimersByTimeAsync(0);
  isAway = true;
  await vi.advanceTimersByTimeAsync(6_000);
  expect(failures).toEqual([new Error('away')]);
  isAway = false;
  await vi.advanceTimersByTimeAsync(2_000);
  isAway = true;
  await vi.advanceTimersByTimeAsync(2_000);
  expect(failures).toHaveLength(2);
  expect(asked).toEqual([undefined, 7, 7, 7, 7, 7]);
});

it('asks one question at a time, once more for a doubt during it, and nothing after its stop', async () => {
  const answers: (() => void)[] = [];
  const { watch } = watched(
    () => new Promise((resolve) => answers.push(() => resolve({ changes: [], isWhole: true, next: 1 }))),
  );
  watch.lookNow();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(answers).toHaveLength(1);
  answers[0]?.();
  await vi.advanceTimersByTimeAsync(0);
  expect(answers).toHaveLength(2);
  watch.stop();
  answers[1]?.();
  watch.lookNow();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(answers).toHaveLength(2);
});
