import type { Store } from '../../src/core/ports/store.ts';
import { postgresStore } from '../../src/server/store/postgres/store.ts';
import { startPostgres } from '../../test/support/postgres-server.ts';
import type { Campaign } from './campaign.ts';
import { databaseFaults } from './cluster/faults.ts';
import { requireStores } from './cluster/nodes.ts';
import { runTrials } from './cluster/run-trials.ts';
import { makeSender, runStoreTrial, type StoreNode } from './cluster/store-trial.ts';
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
    async run(course) {
      requireStores();
      const { only = '' } = course;
      const kinds = of.filter((kind) => kind.includes(only));
      const postgres = await startPostgres({ fsync: true });
      const nodes: StoreNode[] = [];
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
        return await runTrials(course, kinds, (choice) => runStoreTrial(ground, sender, choice));
      } finally {
        await Promise.all(nodes.map(({ store }) => store.close()));
        await Promise.all(nodes.map(({ toPostgres }) => toPostgres.close()));
        await postgres.close();
      }
    },
  };
}
