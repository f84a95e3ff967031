import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createMessageRate, type MessageRate } from '../../src/core/message-rate.ts';

const start = Date.parse('2026-03-01T12:00:00.000Z');

/** How many are free at one moment. */
function free(rate: MessageRate, key: string, now: number): number {
  let count = 0;
  while (rate.take(key, now) === 0) count += 1;
  return count;
}

describe('the rate of messages', () => {
  it('lets a burst of ten seconds pass, and then one each 10 ms', () => {
    const rate = createMessageRate(100);
    // A dry bucket stays closed for 100 ms at least.
    expect(free(rate, 'a', start)).toBe(1_000);
    expect(rate.take('a', start)).toBe(100);
    expect(rate.take('a', start + 99)).toBe(1);
    expect(free(rate, 'a', start + 100)).toBe(10);
    expect(rate.take('a', start + 100)).toBe(100);
    // Another key is untouched.
    expect(rate.take('b', start)).toBe(0);
    // Full again after the whole of the burst's time, and never fuller.
    expect(free(rate, 'a', start + 10_099)).toBe(999);
    expect(free(rate, 'a', start + 1_000_000)).toBe(1_000);
  });

  it('says exactly how long to wait: one ms less is refused, and the time itself is not', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5_000 }),
        fc.array(fc.nat({ max: 40 }), { maxLength: 40 }),
        (rate, pauses) => {
          const limits = createMessageRate(rate);
          let now = start;
          for (let one = 0; one < rate * 10; one++) limits.take('a', now);
          for (const pause of pauses) {
            now += pause;
            const wait = limits.take('a', now);
            if (wait === 0) continue;
            if (wait > 1) expect(limits.take('a', now + wait - 1)).toBe(1);
            expect(limits.take('a', now + wait)).toBe(0);
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
          const limits = createMessageRate(rate);
          let now = start;
          let passed = free(limits, 'a', now);
          for (const pause of pauses) {
            now += pause;
            passed += free(limits, 'a', now);
          }
          expect(passed).toBeLessThanOrEqual(Math.floor(rate * 10 + ((now - start) * rate) / 1_000));
        },
      ),
    );
  });

  it('owes one burst at most, however much has passed elsewhere', () => {
    const rate = createMessageRate(100);
    expect(free(rate, 'a', start)).toBe(1_000);
    for (let node = 1; node < 20; node++) rate.takePassed('a', 1_000, start + 200);
    const wait = rate.take('a', start + 200);
    expect(wait).toBe(10_010);
    expect(rate.take('a', start + 200 + wait - 1)).toBe(1);
    expect(free(rate, 'a', start + 200 + wait)).toBe(1);
    // What is less than that is owed to the last message.
    rate.takePassed('b', 1_500, start);
    expect(rate.take('b', start)).toBe(5_010);
  });

  it('of 0 lets everything pass', () => {
    const limits = createMessageRate(0);
    limits.takePassed('a', 1_000, start);
    for (let one = 0; one < 10_000; one++) expect(limits.take('a', start)).toBe(0);
  });

  it('stands when the clock is set back', () => {
    const limits = createMessageRate(1);
    expect(free(limits, 'a', start)).toBe(10);
    expect(limits.take('a', start - 3_600_000)).toBe(1_000);
    expect(limits.take('a', start + 1_000)).toBe(0);
  });

  it('costs a flood of keys no more for each of them when they are many', () => {
    const limits = createMessageRate(1);
    const looked = vi.spyOn(Map.prototype, Symbol.iterator);
    onTestFinished(() => looked.mockRestore());
    for (let other = 0; other < 100_000; other++) limits.take(`k${other}`, start);
    // A look at all of them at 10,000, 20,000, 40,000 and 80,000, and not at each one from there on.
    expect(looked).toHaveBeenCalledTimes(4);
  });

  it('is remembered while 25,000 others come and go', () => {
    const limits = createMessageRate(1);
    expect(free(limits, 'a', start)).toBe(10);
    for (let other = 0; other < 25_000; other++) limits.take(`k${other}`, start + Math.floor(other / 30));
    expect(limits.take('a', start + 999)).toBe(1);
    expect(limits.take('a', start + 1_000)).toBe(0);
  });
});
