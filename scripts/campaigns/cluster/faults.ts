import { Client } from 'pg';
import { pick } from '../random.ts';
import type { Direction, TcpProxy } from '../tcp-proxy.ts';
import type { Cluster, ClusterNode } from './nodes.ts';

/** What is broken now. */
export interface Fault {
  /** What it does, with what chance chose. */
  readonly words: string;
  /** The nodes that cannot store or read meanwhile. */
  readonly affected: readonly number[];
  /** How long it lasts at least to be one, and at most, in milliseconds. */
  readonly lastsMs: readonly [number, number];
  /** Ends it; resolves when what was broken is whole. */
  end(): Promise<void>;
}

type Begin = (cluster: Cluster, random: () => number) => Promise<Fault>;

/** What a fault of the database is about: it, and who uses it over a network of his own. */
export interface DatabaseGround {
  readonly postgres: Cluster['postgres'];
  readonly database: string;
  readonly nodes: ReadonlyArray<Pick<ClusterNode, 'index' | 'toPostgres'>>;
}

type BeginInDatabase = (ground: DatabaseGround, random: () => number) => Promise<Fault>;

/** Longer than a node, a store and a bus wait for each other at most. */
const longMs = [6_000, 9_000] as const;
const middleMs = [1_500, 5_000] as const;
const shortMs = [500, 2_000] as const;
const hourMs = 3_600_000;

/** Those of the database, and of the network to it. */
export const databaseFaults: Readonly<Record<string, BeginInDatabase>> = {
  async 'PostgreSQL killed'({ postgres, nodes }, random) {
    const isImmediate = random() < 0.5;
    await (isImmediate ? postgres.stop('immediate') : postgres.kill());
    return {
      words: `PostgreSQL is ${isImmediate ? 'ended at once' : 'killed'}`,
      affected: all(nodes),
      lastsMs: shortMs,
      end: () => postgres.start(),
    };
  },
  async 'PostgreSQL restarted'({ postgres, nodes }) {
    await postgres.stop('fast');
    await postgres.start();
    return { words: 'PostgreSQL is restarted', affected: all(nodes), lastsMs: shortMs, end: async () => {} };
  },
  async 'PostgreSQL paused'({ postgres, nodes }) {
    postgres.pause();
    return {
      words: 'PostgreSQL stands still',
      affected: all(nodes),
      lastsMs: longMs,
      async end() {
        postgres.resume();
      },
    };
  },
  async 'backends ended'({ postgres, database, nodes }) {
    const endAll = async (): Promise<void> => {
      await postgres.sql(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database}' AND pid <> pg_backend_pid()`,
      );
    };
    await endAll();
    return {
      words: 'the sessions of PostgreSQL are ended',
      affected: all(nodes),
      lastsMs: shortMs,
      end: endAll,
    };
  },
  'row locked': (cluster) => locked(cluster, 'SELECT * FROM conversations FOR UPDATE', 'every conversation'),
  'table locked': (cluster) =>
    locked(cluster, 'LOCK TABLE messages IN ACCESS EXCLUSIVE MODE', 'the table of messages'),
  'PostgreSQL cut off': ({ nodes }, random) => {
    const { index, toPostgres } = pick(nodes, random);
    const how = { directions: ['up', 'down'], affected: [index] } as const;
    return heldUp(toPostgres, `node ${index} and PostgreSQL`, random, how);
  },
  'PostgreSQL cut off one way': ({ nodes }, random) => {
    const { index, toPostgres } = pick(nodes, random);
    const how = { directions: [pick(['up', 'down'] as const, random)], affected: [index] };
    return heldUp(toPostgres, `node ${index} and PostgreSQL`, random, how);
  },
  async 'PostgreSQL reset'({ nodes }, random) {
    const node = pick(nodes, random);
    node.toPostgres.cut();
    return {
      words: `the connections of node ${node.index} to PostgreSQL are reset`,
      affected: [node.index],
      lastsMs: shortMs,
      async end() {
        node.toPostgres.cut();
      },
    };
  },
  async 'COMMIT unanswered'({ nodes }, random) {
    const node = pick(nodes, random);
    const { toPostgres } = node;
    let cuts = 0;
    // The COMMIT arrives; its answer is kept, and thrown away with the connection.
    const stop = toPostgres.onBytes((direction, chunk) => {
      if (direction !== 'up' || !/commit/i.test(chunk.toString('latin1'))) return;
      stop();
      cuts += 1;
      toPostgres.hold('down');
      setTimeout(() => {
        toPostgres.cut();
        void toPostgres.heal();
      }, 100);
    });
    return {
      words: `node ${node.index} hears nothing of a COMMIT`,
      affected: [node.index],
      lastsMs: shortMs,
      async end() {
        stop();
        await toPostgres.heal();
        if (cuts === 0) throw new Error('nobody has sent a COMMIT');
      },
    };
  },
};

/** Every kind, by its name on the command line. */
export const clusterFaults: Readonly<Record<string, Begin>> = {
  async 'node killed'({ nodes }, random) {
    const node = pick(nodes, random);
    await node.kill();
    return {
      words: `node ${node.index} is killed`,
      affected: [node.index],
      lastsMs: shortMs,
      end: () => node.start(),
    };
  },
  async 'node stopped'({ nodes }, random) {
    const node = pick(nodes, random);
    const { pid } = node.server;
    process.kill(pid, 'SIGSTOP');
    return {
      words: `node ${node.index} stands still`,
      affected: [node.index],
      lastsMs: longMs,
      async end() {
        process.kill(pid, 'SIGCONT');
      },
    };
  },
  async 'Redis killed'({ redis }) {
    await redis.kill();
    return { words: 'Redis is killed', affected: [], lastsMs: middleMs, end: () => redis.start() };
  },
  async 'Redis paused'({ redis }) {
    redis.pause();
    return {
      words: 'Redis stands still',
      affected: [],
      lastsMs: middleMs,
      async end() {
        redis.resume();
      },
    };
  },
  async 'Redis flushed'({ redis }) {
    redis.cli('FLUSHALL');
    return {
      words: 'Redis is flushed',
      affected: [],
      lastsMs: shortMs,
      async end() {
        redis.cli('FLUSHALL');
        redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
        redis.cli('CLIENT', 'KILL', 'TYPE', 'normal');
      },
    };
  },
  async 'Redis restarted'({ redis }) {
    await redis.kill();
    await redis.start();
    return { words: 'Redis is restarted', affected: [], lastsMs: shortMs, end: async () => {} };
  },
  'Redis cut off': ({ nodes }, random) => {
    const { index, toRedis } = pick(nodes, random);
    return heldUp(toRedis, `node ${index} and Redis`, random, { directions: ['up', 'down'], affected: [] });
  },
  'Redis cut off one way': ({ nodes }, random) => {
    const { index, toRedis } = pick(nodes, random);
    const directions = [pick(['up', 'down'] as const, random)];
    return heldUp(toRedis, `node ${index} and Redis`, random, { directions, affected: [] });
  },
  async 'wrong clock'({ nodes }, random) {
    const node = pick(nodes, random);
    const offMs = pick([-hourMs, hourMs], random);
    node.setClock(offMs);
    return {
      words: `the clock of node ${node.index} is off by ${offMs / hourMs} h`,
      affected: [],
      lastsMs: middleMs,
      async end() {
        node.setClock(0);
      },
    };
  },
  ...databaseFaults,
};

/** What two faults may be that happen at the same time: they break different things. */
const pairs: ReadonlyArray<readonly [string, string]> = [
  ['Redis killed', 'node killed'],
  ['Redis killed', 'PostgreSQL killed'],
  ['Redis paused', 'backends ended'],
  ['Redis cut off', 'node stopped'],
  ['Redis cut off one way', 'PostgreSQL cut off one way'],
  ['Redis paused', 'row locked'],
  ['node killed', 'PostgreSQL restarted'],
  ['wrong clock', 'Redis killed'],
];

/** The name of the kind that begins two of the others. */
export const twoAtOnce = 'two at once';

/** The names of all kinds. */
export const clusterKinds: readonly string[] = [...Object.keys(clusterFaults), twoAtOnce];

/** Begins a fault of a kind. */
export async function beginFault(kind: string, cluster: Cluster, random: () => number): Promise<Fault> {
  if (kind !== twoAtOnce) return await begin(kind, cluster, random);
  const [one, other] = pick(pairs, random);
  const first = await begin(one, cluster, random);
  const second = await begin(other, cluster, random);
  const [least, most] = [first.lastsMs, second.lastsMs].sort((a, b) => b[1] - a[1])[0] ?? shortMs;
  const isFirstLonger = random() < 0.5;
  return {
    words: `${first.words}, and ${second.words}`,
    affected: [...new Set([...first.affected, ...second.affected])],
    lastsMs: [least, most],
    async end() {
      // A node starts on a store that is there.
      const isNode = one.startsWith('node');
      const order =
        isNode || (isFirstLonger && !other.startsWith('node')) ? [second, first] : [first, second];
      for (const fault of order) await fault.end();
    },
  };
}

async function begin(kind: string, cluster: Cluster, random: () => number): Promise<Fault> {
  const fault = clusterFaults[kind];
  if (!fault) throw new Error(`there is no such kind of fault: ${kind}`);
  return await fault(cluster, random);
}

function all(nodes: DatabaseGround['nodes']): number[] {
  return nodes.map(({ index }) => index);
}

/** Another session of PostgreSQL holds what a statement locks. */
async function locked(
  { postgres, database, nodes }: DatabaseGround,
  statement: string,
  what: string,
): Promise<Fault> {
  const client = new Client({ host: '127.0.0.1', port: postgres.port, user: 'chat', database });
  client.on('error', () => {});
  await client.connect();
  await client.query('BEGIN');
  await client.query(statement);
  return {
    words: `somebody else has locked ${what}`,
    affected: all(nodes),
    lastsMs: longMs,
    async end() {
      await client.query('ROLLBACK');
      await client.end();
    },
  };
}

/** Nothing comes through between two, one way or both. */
async function heldUp(
  proxy: TcpProxy,
  between: string,
  random: () => number,
  { directions, affected }: { directions: readonly Direction[]; affected: readonly number[] },
): Promise<Fault> {
  proxy.hold(...directions);
  // What waited is gone, or comes late.
  const isCut = random() < 0.5;
  return {
    words: `between ${between} nothing comes ${directions.length > 1 ? 'through' : directions[0]}`,
    affected,
    lastsMs: longMs,
    async end() {
      if (isCut) proxy.cut();
      await proxy.heal();
    },
  };
}
