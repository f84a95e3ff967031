import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openChat } from './support/chat.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('every hour all dead sessions are swept, however many there are, and none after the end', async () => {
  const left = [1_000, 1_000, 7, 0, 1_000, 1_000];
  const done: Array<() => void> = [];
  const t = await openChat({
    store: (store) => ({
      ...store,
      sweepSessions: () =>
        new Promise((resolve) => {
          done.push(() => resolve(left.shift() ?? 0));
        }),
    }),
  });
  const answer = async (): Promise<void> => {
    done.shift()?.();
    await t.quiet();
  };
  vi.advanceTimersByTime(3_599_999);
  expect(done).toHaveLength(0);
  vi.advanceTimersByTime(1);
  for (let calls = 0; calls < 4; calls++) {
    expect(done).toHaveLength(1);
    await answer();
  }
  expect(done).toHaveLength(0);
  vi.advanceTimersByTime(3_600_000);
  expect(done).toHaveLength(1);
  t.chat.stop();
  await answer();
  expect(done).toHaveLength(0);
  expect(t.failures).toEqual([]);
});
