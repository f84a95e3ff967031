import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLimits, type Limits, type RareKind } from '../../src/core/limits.ts';
import { defaultPolicy, type Policy } from '../../src/core/policy.ts';
import { localBus } from '../../src/server/bus/local.ts';
import { localCounter } from '../../src/server/counter/local.ts';
import { refusal } from './support/chat.ts';

const start = Date.parse('2026-03-01T12:00:00.000Z');

beforeEach(() => void vi.useFakeTimers({ now: start }));
afterEach(() => void vi.useRealTimers());

function limitsOf(policy: Partial<Policy> = {}, counter = localCounter()): Limits {
  return createLimits({ policy: { ...defaultPolicy, ...policy }, counter, bus: localBus(() => {}) });
}

/** How many of a key pass now. */
async function free(limits: Limits, kind: RareKind, key = 'a'): Promise<number> {
  for (let count = 0; ; count++) {
    if (
      await limits.take(kind, key).then(
        () => false,
        () => true,
      )
    )
      return count;
  }
}

const minute = 60_000;
const hour = 3_600_000;

describe('a limit', () => {
  it.each<[RareKind, number, number, string]>([
    ['login', 600, minute, 'logins'],
    ['registration', 100, hour, 'registrations'],
    ['join', 300, minute, 'rooms made, entered or left'],
    ['search', 60, minute, 'searches'],
    ['export', 10, hour, 'exports'],
    ['keys', 20, hour, 'changes of keys'],
  ])('on each %s is %d in a window of %d ms that the first begins', async (kind, most, windowMs, what) => {
    const limits = limitsOf();
    await limits.take(kind, 'a');
    vi.advanceTimersByTime(1_000);
    expect(await free(limits, kind)).toBe(most - 1);
    expect(await refusal(limits.take(kind, 'a'))).toEqual({
      code: 'rate-limited',
      message: `too many ${what}: wait before the next one`,
      retryAfterMs: windowMs - 1_000,
    });
    vi.advanceTimersByTime(windowMs - 1_001);
    expect(await refusal(limits.take(kind, 'a'))).toMatchObject({ retryAfterMs: 1 });
    vi.advanceTimersByTime(1);
    expect(await free(limits, kind)).toBe(most);
  });

  it('counts each key and each kind by itself', async () => {
    const limits = limitsOf({ loginsPerMinute: 1, searchesPerMinute: 1 });
    for (const kind of ['login', 'search'] as const) {
      for (const key of ['a', 'b']) expect(await free(limits, kind, key)).toBe(1);
    }
  });

  it('lets as many pass of a thousand at once as one after the other', async () => {
    const limits = limitsOf({ loginsPerMinute: 7 });
    const taken = await Promise.allSettled(Array.from({ length: 1_000 }, () => limits.take('login', 'a')));
    expect(taken.filter(({ status }) => status === 'fulfilled')).toHaveLength(7);
  });

  it('is one for all nodes that share a counter', async () => {
    const counter = localCounter();
    const [one, other] = [limitsOf({}, counter), limitsOf({}, counter)];
    for (let taken = 0; taken < 30; taken++) await one.take('search', 'a');
    expect(await free(other, 'search')).toBe(30);
  });

  it('lasts no longer than its window when the clock is set back', async () => {
    const limits = limitsOf({ loginsPerMinute: 1 });
    await limits.take('login', 'a');
    vi.setSystemTime(start - hour);
    expect(await refusal(limits.take('login', 'a'))).toMatchObject({ retryAfterMs: minute });
    vi.advanceTimersByTime(minute);
    expect(await free(limits, 'login')).toBe(1);
  });

  it('of 0 is switched off', async () => {
    const limits = limitsOf({
      messagesPerSecond: 0,
      loginsPerMinute: 0,
      registrationsPerHour: 0,
      joinsPerMinute: 0,
      searchesPerMinute: 0,
      exportsPerHour: 0,
    });
    for (const kind of ['login', 'registration', 'join', 'search', 'export'] as const) {
      for (let one = 0; one < 1_000; one++) await limits.take(kind, 'a');
    }
    for (let one = 0; one < 10_000; one++) limits.takeMessage('a', start);
  });

  it('on messages is kept within the call: a burst of ten seconds, then the rate', () => {
    const limits = limitsOf({ messagesPerSecond: 2 });
    for (let one = 0; one < 20; one++) limits.takeMessage('a', start);
    expect(() => limits.takeMessage('a', start)).toThrow(
      expect.objectContaining({
        code: 'rate-limited',
        message: 'too many messages: wait before the next one',
        details: { retryAfterMs: 500 },
      }),
    );
  });
});
