import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Ticks, watchLoopDelay } from '../../../src/server/metrics/loop-delay.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }));
afterEach(() => void vi.useRealTimers());

/** Ticks whose times a test says, in milliseconds between two: the half of them, and 99 of 100. */
function toldTicks() {
  const told = { p50: 0, p99: 0, count: 0, isOn: false };
  const ticks: Ticks = {
    enable: () => {
      told.isOn = true;
      return true;
    },
    disable: () => {
      told.isOn = false;
      return true;
    },
    reset: () => void Object.assign(told, { p50: 0, p99: 0, count: 0 }),
    percentile: (percent) => (percent === 50 ? told.p50 : told.p99) * 1_000_000,
    get count() {
      return told.count;
    },
  };
  return { told, ticks };
}

describe('the delay of the event loop', () => {
  it('is what is between two ticks beyond the time they have, and never less than none', () => {
    const { told, ticks } = toldTicks();
    const loop = watchLoopDelay(ticks);
    expect(told.isOn).toBe(true);
    expect(loop.read()).toEqual({ p50: 0, p99: 0 });
    Object.assign(told, { p50: 19, p99: 320, count: 10 });
    expect(loop.read()).toEqual({ p50: 0, p99: 0.3 });
    loop.stop();
    expect([told.isOn, vi.getTimerCount()]).toEqual([false, 0]);
  });

  it('is of the window before in the first minute of one, then of this one', async () => {
    const { told, ticks } = toldTicks();
    const loop = watchLoopDelay(ticks);
    Object.assign(told, { p50: 30, p99: 120, count: 10 });
    await vi.advanceTimersByTimeAsync(299_999);
    expect(loop.read()).toEqual({ p50: 0.01, p99: 0.1 });
    await vi.advanceTimersByTimeAsync(1);
    expect(told.count).toBe(0);
    Object.assign(told, { p50: 20, p99: 40, count: 10 });
    await vi.advanceTimersByTimeAsync(59_990);
    expect(loop.read()).toEqual({ p50: 0.01, p99: 0.1 });
    await vi.advanceTimersByTimeAsync(20);
    expect(loop.read()).toEqual({ p50: 0, p99: 0.02 });
    loop.stop();
  });
});
