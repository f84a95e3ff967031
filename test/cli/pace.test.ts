import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { grouped, Pace } from '../../src/cli/pace.ts';

beforeEach(() => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
});

/** Reaches something after some milliseconds. */
function later(ms: number, pace: Pace, count: number, done: number): string {
  vi.advanceTimersByTime(ms);
  pace.reached(count, done);
  return pace.describe('sent');
}

describe('how far long work is', () => {
  it('is a count and a share at first, and a speed and the time left after a second', () => {
    const pace = new Pace(1_000_000);
    expect(later(999, pace, 1_000, 50_000)).toBe('1,000 sent, 5 %');
    expect(later(1, pace, 2_000, 100_000)).toBe('2,000 sent, 10 %, 2,000/s, 0:09 left');
  });

  it('is a count and a speed when nobody knows how much there is', () => {
    const pace = new Pace(undefined);
    expect(later(2_000, pace, 5, 40)).toBe('5 sent, 2.5/s');
  });

  it('goes by the last ten seconds', () => {
    const pace = new Pace(10_000);
    let count = 0;
    for (let step = 0; step < 60; step++) later(500, pace, ++count, count);
    let shown = '';
    for (let step = 0; step < 20; step++) {
      count += 10;
      shown = later(500, pace, count, count);
    }
    expect(shown).toBe('260 sent, 2 %, 20/s, 8:07 left');
  });

  it('is never more than everything, and leaves no less than no time', () => {
    const pace = new Pace(100);
    expect(later(1_000, pace, 10, 120)).toBe('10 sent, 100 %, 10/s, 0:00 left');
  });

  it('does not count what was done before it began', () => {
    const pace = new Pace(1_000, 900);
    expect(later(1_000, pace, 1, 950)).toBe('1 sent, 95 %, 1.0/s, 0:01 left');
  });

  it('may take hours', () => {
    const pace = new Pace(7_325_000);
    expect(later(1_000, pace, 1, 1_000)).toBe('1 sent, 0 %, 1.0/s, 2:02:04 left');
  });

  it('groups digits by threes', () => {
    expect([0, 999, 1_000, 123_456, 1_234_567].map(grouped)).toEqual([
      '0',
      '999',
      '1,000',
      '123,456',
      '1,234,567',
    ]);
  });
});
