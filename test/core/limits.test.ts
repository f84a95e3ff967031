import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ChatError } from '../../src/core/errors.ts';
import { createLimits, type LimitKind, type Limits } from '../../src/core/limits.ts';
import { defaultPolicy, type Policy } from '../../src/core/policy.ts';

const start = Date.parse('2026-03-01T12:00:00.000Z');

function limitsOf(policy: Partial<Policy> = {}): Limits {
  return createLimits({ ...defaultPolicy, ...policy });
}

/** 0 when one was free, otherwise how long the caller was told to wait. */
function waitFor(limits: Limits, kind: LimitKind, key: string, now: number): number | undefined {
  try {
    limits.take(kind, key, now);
    return 0;
  } catch (error) {
    if (!(error instanceof ChatError)) throw error;
    expect(error.code).toBe('rate-limited');
    return error.details.retryAfterMs;
  }
}

/** How many are free at one moment. */
function free(limits: Limits, kind: LimitKind, key: string, now: number): number {
  let count = 0;
  while (waitFor(limits, kind, key, now) === 0) count += 1;
  return count;
}

describe('a limit', () => {
  it.each<[LimitKind, number, number, string]>([
    ['message', 1_000, 10, 'too many messages: wait before the next one'],
    ['login', 600, 100, 'too many logins: wait before the next one'],
    ['registration', 100, 36_000, 'too many registrations: wait before the next one'],
  ])('on %ss lets a burst of %d pass, and then one each %d ms', (kind, burst, each, message) => {
    const limits = limitsOf();
    // A dry bucket stays closed for 100 ms at least.
    const wait = Math.max(100, each);
    expect(free(limits, kind, 'a', start)).toBe(burst);
    expect(() => limits.take(kind, 'a', start)).toThrow(
      expect.objectContaining({ code: 'rate-limited', message, details: { retryAfterMs: wait } }),
    );
    expect(waitFor(limits, kind, 'a', start + wait - 1)).toBe(1);
    expect(free(limits, kind, 'a', start + wait)).toBe(wait / each);
    expect(waitFor(limits, kind, 'a', start + wait)).toBe(wait);
    // Another key and another kind are untouched.
    expect(waitFor(limits, kind, 'b', start)).toBe(0);
    // Full again after the whole of the burst's time, and never fuller.
    expect(free(limits, kind, 'a', start + wait + burst * each - 1)).toBe(burst - 1);
    expect(free(limits, kind, 'a', start + 100 * burst * each)).toBe(burst);
  });

  it('says exactly how long to wait: one ms less is refused, and the time itself is not', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5_000 }),
        fc.array(fc.nat({ max: 40 }), { maxLength: 40 }),
        (rate, pauses) => {
          const policy = { messagesPerSecond: rate };
          const limits = limitsOf(policy);
          let now = start;
          for (let one = 0; one < rate * 10; one++) limits.take('message', 'a', now);
          for (const pause of pauses) {
            now += pause;
            const wait = waitFor(limits, 'message', 'a', now) ?? 0;
            if (wait === 0) continue;
            if (wait > 1) expect(waitFor(limits, 'message', 'a', now + wait - 1)).toBe(1);
            expect(waitFor(limits, 'message', 'a', now + wait)).toBe(0);
            now += wait;
          }
        },
      ),
    );
  });

  it('never lets more pass than the burst and the rate together, whatever the pauses', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.nat({ max: 300 }), { maxLength: 200 }),
        (rate, pauses) => {
          const limits = limitsOf({ messagesPerSecond: rate });
          let now = start;
          let passed = free(limits, 'message', 'a', now);
          for (const pause of pauses) {
            now += pause;
            passed += free(limits, 'message', 'a', now);
          }
          expect(passed).toBeLessThanOrEqual(Math.floor(rate * 10 + ((now - start) * rate) / 1_000));
        },
      ),
    );
  });

  it('of 0 is switched off', () => {
    const limits = limitsOf({ messagesPerSecond: 0, loginsPerMinute: 0, registrationsPerHour: 0 });
    for (const kind of ['message', 'login', 'registration'] as const) {
      for (let one = 0; one < 10_000; one++) limits.take(kind, 'a', start);
    }
  });

  it('stands when the clock is set back', () => {
    const limits = limitsOf({ messagesPerSecond: 1 });
    expect(free(limits, 'message', 'a', start)).toBe(10);
    expect(waitFor(limits, 'message', 'a', start - 3_600_000)).toBe(1_000);
    expect(waitFor(limits, 'message', 'a', start + 1_000)).toBe(0);
  });

  it('costs a flood of addresses no more for each of them when they are many', () => {
    const limits = limitsOf({ loginsPerMinute: 1 });
    const looked = vi.spyOn(Map.prototype, Symbol.iterator);
    onTestFinished(() => looked.mockRestore());
    for (let other = 0; other < 100_000; other++) limits.take('login', `k${other}`, start);
    // A look at all of them at 10,000, 20,000, 40,000 and 80,000, and not at each one from there on.
    expect(looked).toHaveBeenCalledTimes(4);
  });

  it('is remembered while 10,000 others come and go', () => {
    const limits = limitsOf({ loginsPerMinute: 1 });
    limits.take('login', 'a', start);
    for (let other = 0; other < 25_000; other++)
      limits.take('login', `k${other}`, start + Math.floor(other / 1_000));
    expect(waitFor(limits, 'login', 'a', start + 59_900)).toBe(100);
    expect(waitFor(limits, 'login', 'a', start + 60_000)).toBe(0);
  });
});
