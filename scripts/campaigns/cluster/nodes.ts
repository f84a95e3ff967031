import { randomBytes } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasPostgres, type PostgresServer, startPostgres } from '../../../test/support/postgres-server.ts';
import { hasRedisServer, type RedisServer, startRedis } from '../../../test/support/redis-server.ts';
import type { CommandLine } from '../campaign.ts';
import { removeScratch, scratchDirectory } from '../leavings.ts';
import { mustStart, type ServerProcess } from '../server-process.ts';
import { openTcpProxy, type TcpProxy } from '../tcp-proxy.ts';

/** One server of a cluster, with a network of its own to each store. */
export interface ClusterNode {
  readonly index: number;
  /** The same over all its lives. */
  readonly port: number;
  readonly toPostgres: TcpProxy;
  readonly toRedis: TcpProxy;
  /** The process of its present life. */
  readonly server: ServerProcess;
  /** Kills it; the connections of its clients are gone. */
  kill(): Promise<void>;
  /** Starts it again at the same address; resolves when it is ready. */
  start(): Promise<void>;
  /** Sets its clock so many milliseconds off. */
  setClock(ms: number): void;
}

/** A PostgreSQL whose commits are on disk, a Redis, and nodes. */
export interface Cluster {
  readonly postgres: PostgresServer;
  /** The name of the nodes' database. */
  readonly database: string;
  readonly redis: RedisServer;
  readonly nodes: readonly ClusterNode[];
  close(): Promise<void>;
}

/** Throws, saying what to do, where a cluster has nothing to stand on. */
export function requireStores(): void {
  const missing = [
    ...(hasPostgres() ? [] : ['PostgreSQL (Debian: postgresql)']),
    ...(hasRedisServer() ? [] : ['Redis (Debian: redis-server)']),
  ];
  if (missing.length > 0)
    throw new Error(`this campaign starts servers of its own: install ${missing.join(' and ')}`);
}

/** Starts both stores and so many nodes, each by what the index gives. */
export async function startCluster(
  count: number,
  commandOf: (index: number) => CommandLine,
): Promise<Cluster> {
  requireStores();
  const directory = scratchDirectory('cluster');
  const closers: (() => Promise<unknown>)[] = [async () => removeScratch(directory)];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const postgres = await startPostgres({ fsync: true });
    closers.push(() => postgres.close());
    const redis = await startRedis();
    closers.push(() => redis.close());
    const { name: database } = await postgres.createDatabase();
    const secret = join(directory, 'cluster-secret');
    writeFileSync(secret, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 });
    const nodes: ClusterNode[] = [];
    for (let index = 0; index < count; index++) {
      const toPostgres = await openTcpProxy({ port: postgres.port });
      const toRedis = await openTcpProxy({ port: redis.port });
      closers.push(
        () => toPostgres.close(),
        () => toRedis.close(),
      );
      const node = new Node(index, commandOf(index), directory, { toPostgres, toRedis, secret, database });
      // Before it is there: a start that is broken off leaves nothing behind either.
      closers.push(() => node.kill());
      await node.start();
      nodes.push(node);
    }
    return { postgres, database, redis, nodes, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What a node is told of the others' ground. */
interface Ground {
  readonly toPostgres: TcpProxy;
  readonly toRedis: TcpProxy;
  readonly secret: string;
  readonly database: string;
}

class Node implements ClusterNode {
  readonly index: number;
  readonly toPostgres: TcpProxy;
  readonly toRedis: TcpProxy;
  readonly #command: CommandLine;
  readonly #ground: Ground;
  readonly #directory: string;
  readonly #clock: string;
  #server: ServerProcess | undefined;
  #port = 0;

  constructor(index: number, command: CommandLine, directory: string, ground: Ground) {
    this.index = index;
    this.#command = command;
    this.#ground = ground;
    this.toPostgres = ground.toPostgres;
    this.toRedis = ground.toRedis;
    this.#directory = join(directory, `node-${index}`);
    this.#clock = join(directory, `clock-${index}`);
    this.setClock(0);
  }

  get port(): number {
    return this.#port;
  }

  get server(): ServerProcess {
    if (!this.#server) throw new Error(`node ${this.index} was not started`);
    return this.#server;
  }

  async kill(): Promise<void> {
    await this.#server?.kill();
  }

  async start(): Promise<void> {
    const { toPostgres, toRedis, secret, database } = this.#ground;
    const [program, ...args] = this.#command;
    const preload = new URL('../clock.ts', import.meta.url).href;
    const store = `postgres://chat@127.0.0.1:${toPostgres.port}/${database}`;
    this.#server = await mustStart({
      command: [program, '--import', preload, ...args],
      data: this.#directory,
      port: this.#port,
      flags: ['--store', store, '--bus', `redis://127.0.0.1:${toRedis.port}`, '--cluster-secret', secret],
      env: { CHAT_CAMPAIGN_CLOCK: this.#clock },
    });
    this.#port = this.#server.port;
  }

  setClock(ms: number): void {
    // Whole at once: it is read all the time.
    writeFileSync(`${this.#clock}.new`, `${ms}`);
    renameSync(`${this.#clock}.new`, this.#clock);
  }
}
