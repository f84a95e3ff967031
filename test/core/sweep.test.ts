import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openChat } from './support/chat.ts';

const start = Date.parse('2026-03-01T12:00:00.000Z');

beforeEach(() => {
  vi.useFakeTimers({ now: start });
});
afterEach(() => {
  vi.useRealTimers();
});

it('every hour all dead sessions, unused devices and dead codes are swept, however many there are, and none after the end', async () => {
  const left = [1_000, 1_000, 7, 0, 1_000, 0, 1_000, 0, 1_000, 1_000];
  const swept: string[] = [];
  const done: Array<() => void> = [];
  const sweep = (what: string): Promise<number> => {
    swept.push(what);
    return new Promise((resolve) => {
      done.push(() => resolve(left.shift() ?? 0));
    });
  };
  const t = await openChat({
    policy: { refreshMs: 10_000_000 },
    store: (store) => ({
      ...store,
      sweepSessions: ({ now }) => sweep(`sessions ${now - start}`),
      sweepCodes: ({ now }) => sweep(`codes ${now - start}`),
      sweepDevices: ({ madeUntil }) => sweep(`devices ${madeUntil - start}`),
    }),
  });
  const answer = async (): Promise<void> => {
    done.shift()?.();
    await t.quiet();
  };
  vi.advanceTimersByTime(3_599_999);
  expect(done).toHaveLength(0);
  vi.advanceTimersByTime(1);
  for (let calls = 0; calls < 8; calls++) {
    expect(done).toHaveLength(1);
    await answer();
  }
  expect(done).toHaveLength(0);
  expect(swept).toEqual([
    ...Array.from({ length: 4 }, () => 'sessions 3600000'),
    ...Array.from({ length: 2 }, () => 'devices -6400000'),
    ...Array.from({ length: 2 }, () => 'codes 3600000'),
  ]);
  vi.advanceTimersByTime(3_600_000);
  expect(done).toHaveLength(1);
  t.chat.stop();
  await answer();
  expect(done).toHaveLength(0);
  expect(t.failures).toEqual([]);
});
