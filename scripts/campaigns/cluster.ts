import type { Campaign } from './campaign.ts';
import { clusterKinds } from './cluster/faults.ts';
import { startCluster } from './cluster/nodes.ts';
import { comeTogether, runTrial, timesOf } from './cluster/trial.ts';
import { seededFor, shuffled } from './random.ts';

/** Nodes of a cluster: one with a fault, and two that talk to each other meanwhile. */
const nodeCount = 3;

/** The kind of fault of a trial: the seed's choice alone, each kind once before one comes again. */
export function clusterKindOf(seed: number, trial: number, kinds: readonly string[] = clusterKinds): string {
  const round = Math.floor((trial - 1) / kinds.length);
  const order = shuffled(kinds, seededFor(seed, `kinds ${round}`));
  return order[(trial - 1) % kinds.length] as string;
}

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
    async run({ trials, seed, server, only = '', onTrial }) {
      const kinds = of.filter((kind) => kind.includes(only));
      const field = await startCluster(nodeCount, () => server);
      const broken: string[] = [];
      let acknowledged = 0;
      try {
        const people = await comeTogether(field);
        for (let trial = 1; trial <= trials; trial++) {
          const kind = clusterKindOf(seed, trial, kinds);
          const result = await runTrial(field, people, { kind, seed, trial });
          acknowledged += result.acknowledged;
          const where = `trial ${trial}, ${kind} (${result.words})`;
          broken.push(...result.broken.map((sentence) => `${where}: ${sentence}`));
          onTrial?.(
            `${where}: ${result.acknowledged} acknowledged, ${timesOf(result)}, ${result.broken.length} failures`,
          );
        }
      } finally {
        await field.close();
      }
      return { trials, counts: { 'messages acknowledged': acknowledged }, broken };
    },
  };
}
