import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { backoffMs, passes, pause } from '../../src/client/backoff.ts';
import { ChatError, errorCodes } from '../../src/core/errors.ts';
import { scriptRandomness } from '../../src/core/random.ts';
import { stopTime } from './support/connected.ts';

const lost = new ChatError('unavailable', 'lost');

function withChance(byte: number): void {
  onTestFinished(scriptRandomness((length) => new Uint8Array(length).fill(byte)));
}

describe('backing off', () => {
  it('starts at 100 ms, doubles, and stays at 2.5 s when chance is at its least', () => {
    withChance(0);
    expect([1, 2, 3, 4, 5, 6, 7, 100].map((n) => backoffMs(n, lost))).toEqual([
      100, 200, 400, 800, 1_600, 2_500, 2_500, 2_500,
    ]);
  });

  it('starts at 200 ms and ends at 5 s when chance is at its most', () => {
    withChance(255);
    expect([1, 2, 6, 100].map((n) => backoffMs(n, lost))).toEqual([200, 400, 5_000, 5_000]);
  });

  it('waits as long as the server asks, when that is longer', () => {
    withChance(0);
    expect(backoffMs(1, new ChatError('rate-limited', 'slow', { retryAfterMs: 60_000 }))).toBe(60_000);
    expect(backoffMs(1, new ChatError('rate-limited', 'slow', { retryAfterMs: 99 }))).toBe(100);
  });

  it('tries again after what passes by itself, and after nothing else', () => {
    expect(errorCodes.filter((code) => passes(new ChatError(code, 'x')))).toEqual([
      'rate-limited',
      'unavailable',
      'timeout',
    ]);
    expect(passes(new Error('a bug'))).toBe(false);
  });

  it('pauses to the millisecond, and not at all when stopped', async () => {
    stopTime();
    let isOver = false;
    const paused = pause(100).then(() => {
      isOver = true;
    });
    await vi.advanceTimersByTimeAsync(99);
    expect(isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await paused;
    const stop = new AbortController();
    const stopped = pause(1_000_000, stop.signal);
    stop.abort();
    await stopped;
    await pause(1_000_000, stop.signal);
    expect(vi.getTimerCount()).toBe(0);
  });
});
