import { describe, expect, it } from 'vitest';
import { clusterKinds } from '../../scripts/campaigns/cluster/faults.ts';
import { clusterKindOf } from '../../scripts/campaigns/cluster/run-trials.ts';
import { clusterCampaign } from '../../scripts/campaigns/cluster.ts';
import { courseOf } from '../campaigns/support/campaign.ts';
import { hasPostgres } from '../support/postgres-server.ts';
import { hasRedisServer } from '../support/redis-server.ts';

const hasStores = hasPostgres() && hasRedisServer();
const seed = 20_261_122;
/** A hang is found by it, and no busy machine, in milliseconds. */
const patienceMs = 600_000;

/** Half of the kinds, so that the two halves can be broken at the same time. */
function everyOther(first: 0 | 1): string[] {
  return clusterKinds.filter((_, index) => index % 2 === first);
}

describe('the kinds of faults of a cluster', () => {
  it('come each once before one comes again, in an order that is the seed’s alone', () => {
    const trials = clusterKinds.map((_, index) => index + 1);
    const order = trials.map((trial) => clusterKindOf(seed, trial));
    expect([...order].sort()).toEqual([...clusterKinds].sort());
    expect(trials.map((trial) => clusterKindOf(seed, trial))).toEqual(order);
    expect(trials.map((trial) => clusterKindOf(seed + 1, trial))).not.toEqual(order);
    const second = trials.map((trial) => clusterKindOf(seed, trial + clusterKinds.length));
    expect(second).not.toEqual(order);
    expect([...second].sort()).toEqual([...clusterKinds].sort());
  });
});

describe.skipIf(!hasStores).concurrent('a cluster that is broken', () => {
  it.each([0, 1] as const)(
    'keeps its promises through every kind of fault (half %i)',
    async (half) => {
      const kinds = everyOther(half);
      const { trials, counts, broken } = await clusterCampaign(kinds).run(courseOf(kinds.length, seed));
      expect(broken).toEqual([]);
      expect(trials).toBe(kinds.length);
      expect(counts['messages acknowledged']).toBeGreaterThan(100 * kinds.length);
    },
    patienceMs,
  );
});
