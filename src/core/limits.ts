import { ChatError } from './errors.ts';
import type { Policy } from './policy.ts';

/** What is counted, each by its own key. */
export type LimitKind = 'message' | 'login' | 'registration';

/** How often things may be done (security 4). */
export interface Limits {
  /** Takes one; throws `rate-limited` with the time until the next one is free. */
  take(kind: LimitKind, key: string, now: number): void;
}

interface Bucket {
  /** In parts of one, as its rate has them. */
  tokens: number;
  at: number;
  /** Set when it ran dry: nothing is let through before. */
  closedUntil: number;
}

/** All in whole parts of one, so that nothing is rounded: a millisecond brings `perMs` parts, one costs `cost`. */
interface Rate {
  readonly perMs: number;
  readonly cost: number;
  readonly burst: number;
  readonly what: string;
}

/**
 * How long an empty bucket refuses at least, in milliseconds. A token that came back in the middle of a pipelined batch would let a
 * later line through after an earlier one was refused, and so change their order.
 */
const leastWaitMs = 100;

/** Buckets kept before the full ones are looked for first: bounds memory under a flood of addresses. */
const minSweepAt = 10_000;

/** Builds token buckets in this node's memory; a rate of 0 in the policy switches that limit off. */
export function createLimits(policy: Policy): Limits {
  const rates: Record<LimitKind, Rate> = {
    message: rate(policy.messagesPerSecond, 1_000, 10, 'messages'),
    login: rate(policy.loginsPerMinute, 60_000, 1, 'logins'),
    registration: rate(policy.registrationsPerHour, 3_600_000, 1, 'registrations'),
  };
  const buckets: Record<LimitKind, Map<string, Bucket>> = {
    message: new Map(),
    login: new Map(),
    registration: new Map(),
  };
  /** How many buckets there may be of a kind before the full ones are dropped. */
  const sweepAt: Record<LimitKind, number> = {
    message: minSweepAt,
    login: minSweepAt,
    registration: minSweepAt,
  };

  return {
    take(kind, key, now) {
      const { perMs, cost, burst, what } = rates[kind];
      if (perMs === 0) return;
      const ofKind = buckets[kind];
      let bucket = ofKind.get(key);
      if (!bucket) {
        if (ofKind.size >= sweepAt[kind]) {
          sweep(ofKind, rates[kind], now);
          // When few were full the next look comes after twice as many, so that a flood of addresses costs each of them the same.
          sweepAt[kind] = Math.max(minSweepAt, 2 * ofKind.size);
        }
        bucket = { tokens: burst, at: now, closedUntil: 0 };
        ofKind.set(key, bucket);
      } else {
        const elapsed = now - bucket.at;
        if (elapsed >= 0) bucket.tokens = Math.min(burst, bucket.tokens + elapsed * perMs);
        // The clock was set back: nobody waits for it to come round again.
        else bucket.closedUntil += elapsed;
        bucket.at = now;
      }
      if (bucket.tokens < cost && now >= bucket.closedUntil) {
        bucket.closedUntil = now + Math.max(leastWaitMs, Math.ceil((cost - bucket.tokens) / perMs));
      }
      if (now < bucket.closedUntil) {
        const retryAfterMs = bucket.closedUntil - now;
        throw new ChatError('rate-limited', `too many ${what}: wait before the next one`, { retryAfterMs });
      }
      bucket.tokens -= cost;
    },
  };
}

function rate(count: number, periodMs: number, bursts: number, what: string): Rate {
  return { perMs: count, cost: periodMs, burst: Math.max(1, count * bursts) * periodMs, what };
}

/** Drops the buckets that are full again: they say nothing that a new one would not. */
function sweep(buckets: Map<string, Bucket>, { perMs, burst }: Rate, now: number): void {
  for (const [key, bucket] of buckets) {
    if (bucket.tokens + (now - bucket.at) * perMs >= burst) buckets.delete(key);
  }
}
