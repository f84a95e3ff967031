import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Counter } from '../../src/core/ports/counter.ts';

/** What every counter must do; `open` gives one that has counted nothing. */
export function counterExam(open: () => Promise<Counter>): void {
  const windowMs = 60_000;

  describe('a counter', () => {
    beforeEach(() => void vi.useFakeTimers({ now: 1_800_000_000_000 }));
    afterEach(() => void vi.useRealTimers());

    it('counts each key by itself', async () => {
      const counter = await open();
      expect([await counter.add('a', windowMs), await counter.add('a', windowMs)]).toEqual([1, 2]);
      expect(await counter.add('b', windowMs)).toBe(1);
    });

    it('keeps a count to the end of the window that its first began, and no millisecond longer', async () => {
      const counter = await open();
      await counter.add('a', windowMs);
      vi.advanceTimersByTime(windowMs - 1);
      expect(await counter.add('a', windowMs)).toBe(2);
      vi.advanceTimersByTime(1);
      expect(await counter.add('a', windowMs)).toBe(1);
    });

    it('takes as many of a window as it is told, and says to the millisecond how long the others wait', async () => {
      const counter = await open();
      const taken = await Promise.all(Array.from({ length: 100 }, () => counter.take('a', 3, windowMs)));
      expect(taken.toSorted((one, other) => one - other)).toEqual([
        ...Array.from({ length: 3 }, () => 0),
        ...Array.from({ length: 97 }, () => windowMs),
      ]);
      vi.advanceTimersByTime(windowMs - 1);
      expect([await counter.take('a', 3, windowMs), await counter.take('b', 3, windowMs)]).toEqual([1, 0]);
      vi.advanceTimersByTime(1);
      expect(await counter.take('a', 3, windowMs)).toBe(0);
    });

    it('takes none where none may pass', async () => {
      expect(await (await open()).take('a', 0, windowMs)).toBe(windowMs);
    });

    it('waits no longer than it was told when the clock is set back', async () => {
      const counter = await open();
      await counter.close('a', 5_000);
      await counter.take('b', 1, windowMs);
      vi.setSystemTime(Date.now() - 3_600_000);
      expect([await counter.closedFor('a'), await counter.take('b', 1, windowMs)]).toEqual([5_000, windowMs]);
      vi.advanceTimersByTime(5_000);
      expect(await counter.closedFor('a')).toBe(0);
    });

    it('takes back what was added, and never goes below nothing', async () => {
      const counter = await open();
      await counter.add('a', windowMs);
      await counter.add('a', windowMs);
      await counter.takeBack('a', windowMs);
      expect(await counter.add('a', windowMs)).toBe(2);
      await counter.takeBack('b', windowMs);
      await counter.takeBack('b', windowMs);
      expect(await counter.add('b', windowMs)).toBe(1);
    });

    it('says how long a key is closed, to the millisecond', async () => {
      const counter = await open();
      expect(await counter.closedFor('a')).toBe(0);
      await counter.close('a', 1_000);
      expect([await counter.closedFor('a'), await counter.closedFor('b')]).toEqual([1_000, 0]);
      vi.advanceTimersByTime(999);
      expect(await counter.closedFor('a')).toBe(1);
      vi.advanceTimersByTime(1);
      expect(await counter.closedFor('a')).toBe(0);
    });

    it('closes anew for the time that was said last; 0 opens', async () => {
      const counter = await open();
      await counter.close('a', 1_000);
      await counter.close('a', 5_000);
      expect(await counter.closedFor('a')).toBe(5_000);
      await counter.close('a', 0);
      expect(await counter.closedFor('a')).toBe(0);
    });

    it('closes for one of many that find it open at once, and for nobody who finds it closed', async () => {
      const counter = await open();
      const closing = Array.from({ length: 100 }, () => counter.closeIfOpen('a', 1_000));
      expect((await Promise.all(closing)).filter(Boolean)).toHaveLength(1);
      vi.advanceTimersByTime(999);
      expect(await counter.closeIfOpen('a', 1_000)).toBe(false);
      vi.advanceTimersByTime(1);
      expect(await counter.closeIfOpen('a', 5_000)).toBe(true);
      expect(await counter.closedFor('a')).toBe(5_000);
    });

    it('forgets count and closing of one key, and of no other', async () => {
      const counter = await open();
      for (const key of ['a', 'b']) {
        await counter.add(key, windowMs);
        await counter.close(key, 1_000);
      }
      await counter.forget('a');
      expect([await counter.add('a', windowMs), await counter.closedFor('a')]).toEqual([1, 0]);
      expect([await counter.add('b', windowMs), await counter.closedFor('b')]).toEqual([2, 1_000]);
    });

    it('counts every one of many at once', async () => {
      const counter = await open();
      const counts = await Promise.all(Array.from({ length: 100 }, () => counter.add('a', windowMs)));
      expect(counts.toSorted((one, other) => one - other)).toEqual(
        Array.from({ length: 100 }, (_, index) => index + 1),
      );
    });
  });
}
