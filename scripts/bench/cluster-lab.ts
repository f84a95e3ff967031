import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { login } from '../../src/client/login.ts';
import { register } from '../../src/client/register.ts';
import { hasPostgres, type PostgresServer, startPostgres } from '../../test/support/postgres-server.ts';
import { hasRedisServer, type RedisServer, startRedis } from '../../test/support/redis-server.ts';
import { open, type Program, type StartedServer, startServer, wideLimits } from './lab.ts';
import { scratchDirectory } from './left-overs.ts';
import { exactMicroseconds, familyMicroseconds } from './processor.ts';

/** Some nodes over one PostgreSQL and one Redis; or an embedded server, which is one node with neither. */
export interface ClusterLab {
  readonly nodes: readonly StartedServer[];
  /** A session of the account `bench`, good on every node. */
  readonly token: string;
  /** Processor time so far of every node together, of PostgreSQL with all of its processes, and of Redis. */
  processors(): Processors;
  /** What PostgreSQL and Redis have counted so far; undefined for an embedded server. */
  traffic(): Promise<Traffic | undefined>;
  stop(): Promise<void>;
}

/** Microseconds of processors. */
export interface Processors {
  readonly nodes: number;
  readonly postgres: number;
  readonly redis: number;
}

/** Counts of what the two stores have done. */
export interface Traffic {
  readonly walBytes: number;
  readonly commits: number;
  readonly redisCommands: number;
  readonly redisBytes: number;
}

/** PostgreSQL and Redis, real ones, for as long as a workload takes. */
export interface Stores {
  readonly postgres: PostgresServer;
  readonly postgresPid: number;
  readonly redis: RedisServer;
  readonly redisPid: number;
  close(): Promise<void>;
}

/** Why there are none on this machine; undefined where they can be started. */
export function storesMissing(): string | undefined {
  const missing = [
    ...(hasPostgres() ? [] : ['PostgreSQL (Debian: postgresql)']),
    ...(hasRedisServer() ? [] : ['Redis (Debian: redis-server)']),
  ];
  return missing.length === 0 ? undefined : `${missing.join(' and ')} is not installed here`;
}

/** Starts both; PostgreSQL waits for the disk at each commit. */
export async function openStores(): Promise<Stores> {
  const postgres = await startPostgres({
    fsync: true,
    settings: ['shared_buffers=512MB', 'max_wal_size=4GB'],
  });
  const redis = await startRedis();
  const [row] = await postgres.sql<{ pid: number }>(
    String.raw`SELECT split_part(pg_read_file('postmaster.pid'), E'\n', 1)::int AS pid`,
  );
  const redisPid = Number(infoOf(redis, 'server', 'process_id'));
  if (!row || !redisPid) throw new Error('PostgreSQL or Redis does not say which process it is');
  return {
    postgres,
    postgresPid: row.pid,
    redis,
    redisPid,
    async close() {
      await postgres.close();
      await redis.close();
    },
  };
}

/** One number of what Redis tells about itself. */
function infoOf(redis: RedisServer, section: string, name: string): string | undefined {
  return new RegExp(`^${name}:(\\S+)`, 'm').exec(redis.cli('info', section))?.[1];
}

/** Starts so many nodes on an empty database and logs an account in. */
export async function openCluster(stores: Stores, count: number, program?: Program): Promise<ClusterLab> {
  const { postgres, redis } = stores;
  const directory = scratchDirectory();
  const secret = join(directory, 'cluster-secret');
  writeFileSync(secret, randomBytes(32).toString('hex'), { mode: 0o600 });
  const database = await postgres.createDatabase();
  redis.cli('flushall');
  const flags = ['--store', database.url, '--bus', redis.url, '--cluster-secret', secret];
  const nodes: StartedServer[] = [];
  // One after the other: the first makes the tables, the account's names and the keys.
  for (let index = 0; index < count; index++) {
    nodes.push(await startServer(join(directory, `node-${index}`), flags, program, wideLimits));
  }
  return {
    nodes,
    token: await tokenOf(nodes[0]),
    processors: () => ({
      nodes: nodes.reduce((sum, { pid }) => sum + exactMicroseconds(pid), 0),
      postgres: familyMicroseconds(stores.postgresPid),
      redis: exactMicroseconds(stores.redisPid),
    }),
    async traffic() {
      const [row] = await postgres.sql<{ wal: string; commits: string }>(
        `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::text AS wal, xact_commit::text AS commits
         FROM pg_stat_database WHERE datname = '${database.name}'`,
      );
      const counted = (name: string): number => Number(infoOf(redis, 'stats', name));
      return {
        walBytes: Number(row?.wal),
        commits: Number(row?.commits),
        redisCommands: counted('total_commands_processed'),
        redisBytes: counted('total_net_input_bytes') + counted('total_net_output_bytes'),
      };
    },
    async stop() {
      for (const node of nodes) await node.stop();
      await database.drop();
    },
  };
}

/** The embedded server with the same limits, as a cluster of one. */
export async function openEmbedded(): Promise<ClusterLab> {
  const server = await startServer(join(scratchDirectory(), 'data'), [], undefined, wideLimits);
  return {
    nodes: [server],
    token: await tokenOf(server),
    processors: () => ({ nodes: exactMicroseconds(server.pid), postgres: 0, redis: 0 }),
    traffic: async () => undefined,
    stop: () => server.stop(),
  };
}

async function tokenOf(server: StartedServer | undefined): Promise<string> {
  if (!server) throw new Error('a cluster has a node');
  const connection = await open(server.port);
  await register(connection, { username: 'bench', password: 'bench password' });
  const { session } = await login(connection, { username: 'bench', password: 'bench password' });
  await connection.close();
  return session.session_token;
}
