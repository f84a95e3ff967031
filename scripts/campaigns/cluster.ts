import type { Campaign } from './campaign.ts';
import { clusterKinds } from './cluster/faults.ts';
import { startCluster } from './cluster/nodes.ts';
import { runTrials } from './cluster/run-trials.ts';
import { comeTogether, runTrial } from './cluster/trial.ts';

/** Nodes of a cluster: one with a fault, and two that talk to each other meanwhile. */
const nodeCount = 3;

/**
 * Breaks nodes, PostgreSQL, Redis and the networks between them, while clients send, read and follow at every node. Of each room all that
 * they have seen is checked for linearizability; what was promised of times is measured.
 */
export const cluster: Campaign = clusterCampaign(clusterKinds);

/** The campaign with some of the kinds alone. */
export function clusterCampaign(of: readonly string[]): Campaign {
  return {
    about: 'breaks nodes, PostgreSQL, Redis and what is between them, under clients of all nodes',
    trials: 100,
    kinds: of,
    async run(course) {
      const { server, only = '' } = course;
      const kinds = of.filter((kind) => kind.includes(only));
      const field = await startCluster(nodeCount, () => server);
      try {
        const people = await comeTogether(field);
        return await runTrials(course, kinds, (choice) => runTrial(field, people, choice));
      } finally {
        await field.close();
      }
    },
  };
}
