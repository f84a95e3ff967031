import { RateLimiterMemory } from 'rate-limiter-flexible';
import type { Counter } from '../../core/ports/counter.ts';

/** Counts in this process's memory: right as long as there is one node. */
export function localCounter(): Counter {
  // Nothing is ever refused by these: what a count means is for its caller to say, and each call brings its own time.
  const counts = new RateLimiterMemory({ points: 0, duration: 0 });
  const closed = new RateLimiterMemory({ points: 0, duration: 0 });
  return {
    async add(key, windowMs) {
      const { consumedPoints } = await counts.penalty(key, 1, { customDuration: windowMs / 1_000 });
      return consumedPoints;
    },
    async takeBack(key, windowMs) {
      const { consumedPoints } = await counts.reward(key, 1, { customDuration: windowMs / 1_000 });
      if (consumedPoints <= 0) await counts.delete(key);
    },
    async close(key, ms) {
      if (ms > 0) await closed.set(key, 1, ms / 1_000);
      else await closed.delete(key);
    },
    async closeIfOpen(key, ms) {
      const { consumedPoints } = await closed.penalty(key, 1, { customDuration: ms / 1_000 });
      return consumedPoints === 1;
    },
    async closedFor(key) {
      const found = await closed.get(key);
      return Math.max(0, found?.msBeforeNext ?? 0);
    },
    async forget(key) {
      await counts.delete(key);
      await closed.delete(key);
    },
  };
}
