import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { localCounter } from '../../src/server/counter/local.ts';
import { counterExam } from './counter.exam.ts';

counterExam(async () => localCounter());

describe('in memory', () => {
  // What is left of a time is told to the millisecond.
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('keeps so many keys, and forgets the one that was not used for longest', async () => {
    const counter = localCounter({ maxKeys: 3 });
    for (const key of ['a', 'b', 'c', 'a', 'd']) await counter.add(key, 60_000);
    // `a` was used again after `b`; looking at what is gone makes it new, and drops another.
    expect(await counter.add('a', 60_000)).toBe(3);
    expect(await counter.add('b', 60_000)).toBe(1);
    for (const key of ['x', 'y', 'z']) await counter.close(key, 60_000);
    await counter.close('w', 60_000);
    expect([await counter.closedFor('x'), await counter.closedFor('w')]).toEqual([0, 60_000]);
  });

  it('holds no more for a flood of keys', async () => {
    const counter = localCounter({ maxKeys: 100 });
    for (let key = 0; key < 10_000; key++) await counter.closeIfOpen(`k${key}`, 60_000);
    const closed = await Promise.all(
      Array.from({ length: 10_000 }, (_, key) => counter.closedFor(`k${key}`)),
    );
    expect(closed.filter((ms) => ms > 0)).toHaveLength(100);
  });
});
