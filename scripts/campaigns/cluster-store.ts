import type { Store } from '../../src/core/ports/store.ts';
import { postgresStore } from '../../src/server/store/postgres/store.ts';
import { startPostgres } from '../../test/support/postgres-server.ts';
import type { Campaign } from './campaign.ts';
import { databaseFaults } from './cluster/faults.ts';
import { requireStores } from './cluster/nodes.ts';
import { makeSender, runStoreTrial, type StoreNode } from './cluster/store-trial.ts';
import { timesOf } from './cluster/trial.ts';
import { clusterKindOf } from './cluster.ts';
import { openTcpProxy } from './tcp-proxy.ts';

/** Stores of as many nodes, in this process. */
const storeCount = 2;

/** Opens a node's store on a database. */
export type OpenStore = (url: string) => Promise<Store>;

const open: OpenStore = (url) => postgresStore({ url });

/**
 * Breaks PostgreSQL, and the network between it and the stores of two nodes, while both store and read. It asks of the store alone what
 * `cluster` asks of everything together, and does more in less time.
 */
export const clusterStore: Campaign = clusterStoreCampaign(open);

/** The campaign over stores that are opened in another way, or with some of the kinds alone. */
export function clusterStoreCampaign(openStore: OpenStore, of = Object.keys(databaseFaults)): Campaign {
  return {
    about: 'breaks PostgreSQL, and what is between it and the stores of several nodes',
    trials: 100,
    kinds: of,
    async run({ trials, seed, only = '', onTrial }) {
      requireStores();
      const kinds = of.filter((kind) => kind.includes(only));
      const postgres = await startPostgres({ fsync: true });
      const nodes: StoreNode[] = [];
      const broken: string[] = [];
      let acknowledged = 0;
      try {
        const { name: database } = await postgres.createDatabase();
        for (let index = 0; index < storeCount; index++) {
          const toPostgres = await openTcpProxy({ port: postgres.port });
          const store = await openStore(
            `postgres://chat@127.0.0.1:${toPostgres.port}/${database}?sslmode=disable`,
          );
          nodes.push({ index, toPostgres, store });
        }
        const ground = { postgres, database, nodes };
        const sender = await makeSender(ground);
        for (let trial = 1; trial <= trials; trial++) {
          const kind = clusterKindOf(seed, trial, kinds);
          const result = await runStoreTrial(ground, sender, { kind, seed, trial });
          acknowledged += result.acknowledged;
          const where = `trial ${trial}, ${kind} (${result.words})`;
          broken.push(...result.broken.map((sentence) => `${where}: ${sentence}`));
          onTrial?.(
            `${where}: ${result.acknowledged} acknowledged, ${timesOf(result)}, ${result.broken.length} failures`,
          );
        }
      } finally {
        await Promise.all(nodes.map(({ store }) => store.close()));
        await Promise.all(nodes.map(({ toPostgres }) => toPostgres.close()));
        await postgres.close();
      }
      return { trials, counts: { 'messages acknowledged': acknowledged }, broken };
    },
  };
}
