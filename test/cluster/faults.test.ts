import { describe, expect, it } from 'vitest';
import type { CommandLine } from '../../scripts/campaigns/campaign.ts';
import { clusterKinds } from '../../scripts/campaigns/cluster/faults.ts';
import { commonHomeOf } from '../../scripts/campaigns/cluster/trial.ts';
import { clusterCampaign, clusterKindOf } from '../../scripts/campaigns/cluster.ts';
import { bundled, courseOf, firstCaught } from '../campaigns/support/campaign.ts';
import { hasPostgres } from '../support/postgres-server.ts';
import { hasRedisServer } from '../support/redis-server.ts';
import type { NodeFault } from './support/broken-node.ts';

const hasStores = hasPostgres() && hasRedisServer();
const seed = 20_261_122;
/** A hang is found by it, and no busy machine, in milliseconds. */
const patienceMs = 600_000;

/** What starts a node with one part that breaks a promise, made of the sources. */
function brokenNode(fault: NodeFault): CommandLine {
  return [...bundled('broken-node.mjs'), fault];
}

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

describe.skipIf(!hasStores)('a cluster with a part that breaks a promise', () => {
  /** Nodes that are all broken in the same way break this promise, by the first seeds whose fault comes at the right moment. */
  async function expectFound(fault: NodeFault, kind: string, asked: RegExp): Promise<void> {
    const course = courseOf(1, 1, { server: brokenNode(fault) });
    expect(await firstCaught(clusterCampaign([kind]), course, asked)).toMatch(asked);
  }

  it(
    'is caught when it acknowledges before its commit',
    async () => {
      await expectFound(
        'hasty',
        'PostgreSQL killed',
        /was acknowledged as \d+ and is lost|was acknowledged at \d+, and \d+ ms later the reader at node \d/,
      );
    },
    patienceMs,
  );

  it(
    'is caught when a node does not look where conversations end',
    async () => {
      // By this seed all send at one node.
      expect(commonHomeOf(1, 1, 3)).toBeDefined();
      await expectFound(
        'headless',
        'Redis cut off',
        /the follower at node \d was told of \d+ messages later than 5000 ms/,
      );
    },
    patienceMs,
  );

  it(
    'is caught when a node believes a session that was revoked',
    async () => {
      await expectFound(
        'unrevoked',
        'Redis killed',
        /a session lives at node \d 5000 ms after|a token is good at node \d after it was revoked/,
      );
    },
    patienceMs,
  );
});
