import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Histogram, quantile } from '../../../src/server/histogram.ts';
import { recently, recentOf } from '../../../src/server/metrics/recent.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('a histogram', () => {
  it('counts a value in the first bucket that it is no larger than', () => {
    const histogram = new Histogram([1, 2]);
    for (const value of [0, 1, 1.5, 2, 2.1, 100]) histogram.observe(value);
    expect(histogram.read()).toEqual({ bounds: [1, 2], counts: [2, 2, 2], sum: 106.6 });
  });

  it('says below which bound a part of all lies', () => {
    const histogram = new Histogram([1, 2, 4]);
    expect(quantile(histogram.read(), 0.5)).toBeUndefined();
    for (let i = 0; i < 99; i += 1) histogram.observe(1.5);
    histogram.observe(100);
    const figures = histogram.read();
    expect([quantile(figures, 0.5), quantile(figures, 0.99), quantile(figures, 1)]).toEqual([2, 2, 4]);
  });
});

describe('what was lately', () => {
  it('is the growth within the time, as fine as ten seconds', async () => {
    let count = 7;
    const recent = recently(() => count);
    expect(recent.within(60_000)).toBe(0);
    count += 5;
    expect(recent.within(60_000)).toBe(5);
    await vi.advanceTimersByTimeAsync(50_000);
    expect(recent.within(60_000)).toBe(5);
    await vi.advanceTimersByTimeAsync(10_000);
    expect([recent.within(60_000), recent.within(3_600_000)]).toEqual([0, 5]);
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(recent.within(3_600_000)).toBe(0);
    recent.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('of a histogram is what it counted in the last five to ten minutes', async () => {
    const histogram = new Histogram([1]);
    const recent = recentOf(() => histogram.read());
    histogram.observe(5);
    await vi.advanceTimersByTimeAsync(599_999);
    expect(recent.read()).toEqual({ bounds: [1], counts: [0, 1], sum: 5 });
    await vi.advanceTimersByTimeAsync(1);
    histogram.observe(0.5);
    expect(recent.read()).toEqual({ bounds: [1], counts: [1, 0], sum: 0.5 });
    recent.stop();
  });
});
