/**
 * Token buckets in this node's memory: bursts of ten seconds' worth, then a rate. What passes on other nodes is told them afterwards, so
 * that the rate holds for all nodes together.
 */
export interface MessageRate {
  /** Takes one of `key` at `now`; answers 0, or in how many milliseconds the next one is free. */
  take(key: string, now: number): number;
  /**
   * Takes so many of `key` that have passed elsewhere. They are not asked for, so the bucket may owe some then, one burst at most: nobody gets one before
   * that is made up for, which takes as long as a bucket takes to fill.
   */
  takePassed(key: string, messages: number, now: number): void;
}

interface Bucket {
  /** In parts of one: each millisecond brings as many as messages are free in a second. */
  tokens: number;
  at: number;
  /** Set when it ran dry: nothing is let through before. */
  closedUntil: number;
}

/** A message in parts of one, so that nothing is rounded. */
const cost = 1_000;
/** A full bucket in seconds of its rate. */
const burstSeconds = 10;
/**
 * How long an empty bucket refuses at least, in milliseconds. A token that came back in the middle of a pipelined batch would let a
 * later line through after an earlier one was refused, and so change their order.
 */
const leastWaitMs = 100;

/** Buckets kept before the full ones are looked for first: bounds memory. */
const minSweepAt = 10_000;

/** Builds the buckets; with 0 everything passes. */
export function createMessageRate(perSecond: number): MessageRate {
  const burst = perSecond * burstSeconds * cost;
  const buckets = new Map<string, Bucket>();
  /** How many buckets there may be before the full ones are dropped. */
  let sweepAt = minSweepAt;

  /** Drops the buckets that are full again: they say nothing that a new one would not. */
  function sweep(now: number): void {
    for (const [key, bucket] of buckets) {
      if (bucket.tokens + (now - bucket.at) * perSecond >= burst) buckets.delete(key);
    }
    // When few were full the next look comes after twice as many, so that a flood costs each of them the same.
    sweepAt = Math.max(minSweepAt, 2 * buckets.size);
  }

  /** The bucket of `key`, with what it has by `now`. */
  function bucketOf(key: string, now: number): Bucket {
    let bucket = buckets.get(key);
    if (!bucket) {
      if (buckets.size >= sweepAt) sweep(now);
      bucket = { tokens: burst, at: now, closedUntil: 0 };
      buckets.set(key, bucket);
      return bucket;
    }
    const elapsed = now - bucket.at;
    if (elapsed >= 0) bucket.tokens = Math.min(burst, bucket.tokens + elapsed * perSecond);
    // The clock was set back: nobody waits for it to come round again.
    else bucket.closedUntil += elapsed;
    bucket.at = now;
    return bucket;
  }

  return {
    take(key, now) {
      if (perSecond === 0) return 0;
      const bucket = bucketOf(key, now);
      if (bucket.tokens < cost && now >= bucket.closedUntil) {
        bucket.closedUntil = now + Math.max(leastWaitMs, Math.ceil((cost - bucket.tokens) / perSecond));
      }
      if (now < bucket.closedUntil) return bucket.closedUntil - now;
      bucket.tokens -= cost;
      return 0;
    },
    takePassed(key, messages, now) {
      if (perSecond === 0) return;
      const bucket = bucketOf(key, now);
      // Of twenty nodes each may have let a burst pass before it heard of the others: that is no reason to be silent for minutes.
      bucket.tokens = Math.max(-burst, bucket.tokens - messages * cost);
    },
  };
}
