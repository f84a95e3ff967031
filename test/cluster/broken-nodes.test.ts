import { describe, expect, it } from 'vitest';
import type { CommandLine } from '../../scripts/campaigns/campaign.ts';
import { commonHomeOf } from '../../scripts/campaigns/cluster/trial.ts';
import { clusterCampaign } from '../../scripts/campaigns/cluster.ts';
import { bundled, courseOf, firstCaught } from '../campaigns/support/campaign.ts';
import { hasPostgres } from '../support/postgres-server.ts';
import { hasRedisServer } from '../support/redis-server.ts';
import type { NodeFault } from './support/broken-node.ts';

const hasStores = hasPostgres() && hasRedisServer();
/** A hang is found by it, and no busy machine, in milliseconds. */
const patienceMs = 600_000;

/** What starts a node with one part that breaks a promise, made of the sources. */
function brokenNode(fault: NodeFault): CommandLine {
  return [...bundled('broken-node.mjs'), fault];
}

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
