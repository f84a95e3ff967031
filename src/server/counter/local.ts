import { RateLimiterMemory } from 'rate-limiter-flexible';
import type { Counter } from '../../core/ports/counter.ts';

/** Keys that are counted, and keys that are closed, at most: about half a kilobyte each. */
const defaultMaxKeys = 100_000;

/**
 * Counts in this process's memory: right as long as there is one node. Beyond `maxKeys` the one that was not used for longest gives
 * way: a flood of addresses must not take the server's memory, and whoever has so many needs no second try from any of them.
 */
export function localCounter({ maxKeys = defaultMaxKeys }: { readonly maxKeys?: number } = {}): Counter {
  const counts = bounded(maxKeys);
  const closed = bounded(maxKeys);
  return {
    add: async (key, windowMs) => (await counts.add(key, 1, windowMs)).points,
    async take(key, most, windowMs) {
      const { points, leftMs } = await counts.add(key, 1, windowMs);
      return points <= most ? 0 : leftMs;
    },
    async takeBack(key, windowMs) {
      const { points } = await counts.add(key, -1, windowMs);
      if (points <= 0) await counts.drop(key);
    },
    async close(key, ms) {
      await closed.drop(key);
      if (ms > 0) await closed.add(key, 1, ms);
    },
    closeIfOpen: async (key, ms) => (await closed.add(key, 1, ms)).points === 1,
    closedFor: (key) => closed.left(key),
    async forget(key) {
      await counts.drop(key);
      await closed.drop(key);
    },
  };
}

/** Points by key, each key with a life that its first ones begin. */
function bounded(maxKeys: number) {
  // Nothing is ever refused by it: what a count means is for its caller to say, and each call brings its own time.
  const limiter = new RateLimiterMemory({ points: 0, duration: 0 });
  /** The life of each key, in milliseconds, the one that was used last at the end. */
  const lives = new Map<string, number>();

  /** The clock may have been set back; a key ends by its timer all the same. */
  function leftOf(key: string, ms: number): number {
    return Math.min(Math.max(ms, 0), lives.get(key) ?? ms);
  }

  return {
    async add(key: string, change: 1 | -1, lifeMs: number): Promise<{ points: number; leftMs: number }> {
      const options = { customDuration: lifeMs / 1_000 };
      const { consumedPoints, msBeforeNext, isFirstInDuration } = await (change > 0
        ? limiter.penalty(key, 1, options)
        : limiter.reward(key, 1, options));
      const life = isFirstInDuration ? lifeMs : (lives.get(key) ?? lifeMs);
      lives.delete(key);
      lives.set(key, life);
      if (lives.size > maxKeys) {
        const [oldest] = lives.keys();
        if (oldest !== undefined) await this.drop(oldest);
      }
      return { points: consumedPoints, leftMs: leftOf(key, msBeforeNext) };
    },
    async left(key: string): Promise<number> {
      return leftOf(key, (await limiter.get(key))?.msBeforeNext ?? 0);
    },
    async drop(key: string): Promise<void> {
      lives.delete(key);
      await limiter.delete(key);
    },
  };
}
