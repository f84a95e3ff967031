import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, type QueryResultRow } from 'pg';

/** How a PostgreSQL for tests is started. */
export interface PostgresServerOptions {
  /** True: what is committed is really on disk. Left out, the disk is never waited for, which only a machine that fails could show. */
  readonly fsync?: boolean;
  /** Settings of the server besides its own: `name=value`. */
  readonly settings?: readonly string[];
  /** In PEM; with it the server speaks TLS too. */
  readonly tls?: { readonly certificate: string; readonly key: string };
}

/** A database of its own for one store under exam. */
export interface TestDatabase {
  readonly name: string;
  readonly url: string;
  /** Takes it away, whoever is connected. */
  drop(): Promise<void>;
}

/** A real PostgreSQL on a port of 127.0.0.1, in a temporary directory. */
export interface PostgresServer {
  readonly port: number;
  /** Of `database`, to be given to a store; `parameters` stand behind the question mark. */
  url(database: string, parameters?: Readonly<Record<string, string>>): string;
  createDatabase(): Promise<TestDatabase>;
  /** Runs SQL as the superuser, in `database` or in `postgres`; answers the last statement's rows. */
  sql<Row extends QueryResultRow = QueryResultRow>(text: string, database?: string): Promise<Row[]>;
  /** `fast` ends every session and goes in order, `immediate` drops everything as if the power had gone. */
  stop(mode?: 'fast' | 'immediate'): Promise<void>;
  start(): Promise<void>;
  /** All its processes at once, with SIGKILL. */
  kill(): Promise<void>;
  /** All its processes stand still, with their connections open, until {@link resume}. */
  pause(): void;
  resume(): void;
  /** Where its files are, which are its user's. */
  dataDirectory(): string;
  /** Ends it and removes its files. */
  close(): Promise<void>;
}

/** Where Debian puts the programs, the newest version first; and whatever the PATH has. */
function programDirectory(): string | undefined {
  const versions = '/usr/lib/postgresql';
  const found = existsSync(versions) ? readdirSync(versions).sort((a, b) => Number(b) - Number(a)) : [];
  const directories = [
    ...found.map((version) => join(versions, version, 'bin')),
    ...(process.env.PATH ?? '').split(':'),
  ];
  return directories.find((one) => existsSync(join(one, 'initdb')) && existsSync(join(one, 'postgres')));
}

/** True where a PostgreSQL can be started. */
export const hasPostgres = (): boolean => programDirectory() !== undefined;

/** PostgreSQL does not run as root: then as the user that Debian has made for it. */
function owner(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((one) => one.startsWith('postgres:'));
  const [, , uid, gid] = line?.split(':') ?? [];
  if (uid === undefined) throw new Error('PostgreSQL does not run as root, and there is no user "postgres"');
  return { uid: Number(uid), gid: Number(gid) };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('the system gave no port');
  return address.port;
}

/** A process and all that it has begun, it alone where the system does not tell. */
function family(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of existsSync('/proc') ? readdirSync('/proc') : []) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // It has ended meanwhile.
    }
  }
  const all = [pid];
  for (const one of all) for (const [child, parent] of parents) if (parent === one) all.push(child);
  return all;
}

function urlOf(port: number, database: string, parameters: Readonly<Record<string, string>> = {}): string {
  const query = new URLSearchParams(parameters).toString();
  return `postgres://chat@127.0.0.1:${port}/${database}${query === '' ? '' : `?${query}`}`;
}

/** Runs SQL as the superuser on the server of a port, in `database` or in `postgres`; answers the last statement's rows. */
export async function runSql<Row extends QueryResultRow = QueryResultRow>(
  port: number,
  text: string,
  database = 'postgres',
): Promise<Row[]> {
  const client = new Client({ host: '127.0.0.1', port, user: 'chat', database });
  client.on('error', () => {});
  await client.connect();
  try {
    const result = await client.query<Row>(text);
    return (Array.isArray(result) ? result.at(-1) : result).rows;
  } finally {
    await client.end();
  }
}

let databases = 0;

/** Makes an empty database on the server of a port. */
export async function createDatabase(port: number): Promise<TestDatabase> {
  const name = `chat_${process.pid}_${++databases}`;
  await runSql(port, `CREATE DATABASE ${name}`);
  return {
    name,
    url: urlOf(port, name),
    drop: async () => void (await runSql(port, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)),
  };
}

/** Takes out of a store's database all that was put in since its tables were made. */
export async function emptyTables(port: number, database: string): Promise<void> {
  await runSql(
    port,
    `DO $$ DECLARE names text; BEGIN
      SELECT string_agg(quote_ident(tablename), ', ') INTO names
        FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'chat_format';
      EXECUTE 'TRUNCATE ' || names || ' RESTART IDENTITY';
    END $$;
    INSERT INTO audit_ends (one, start_seq, head_seq) VALUES (1, 0, 0);
    INSERT INTO conversations (room, last_seq, latest_at, created_at) VALUES ('lobby', 0, 0, 0)`,
    database,
  );
}

/** Starts a PostgreSQL; answers when it takes connections. Throws where its programs are missing: {@link hasPostgres}. */
export async function startPostgres(options: PostgresServerOptions = {}): Promise<PostgresServer> {
  const programs = programDirectory();
  if (programs === undefined) throw new Error('no PostgreSQL is installed here');
  const as = owner();
  // A run's own temporary directory is open to everybody, so that the other user comes into it.
  const directory = await mkdtemp(join(tmpdir(), 'chat-postgres-'));
  if (as) chownSync(directory, as.uid, as.gid);
  const data = join(directory, 'data');
  const log = join(directory, 'log');
  const port = await freePort();
  execFileSync(
    join(programs, 'initdb'),
    ['--no-sync', '--username=chat', '--auth=trust', '--encoding=UTF8', '--locale=C', `--pgdata=${data}`],
    { ...as, cwd: directory, stdio: 'pipe' },
  );
  if (options.tls) {
    for (const [name, text] of [
      ['server.crt', options.tls.certificate],
      ['server.key', options.tls.key],
    ] as const) {
      const path = join(data, name);
      writeFileSync(path, text, { mode: 0o600 });
      chmodSync(path, 0o600);
      if (as) chownSync(path, as.uid, as.gid);
    }
  }
  const settings = [
    'listen_addresses=127.0.0.1',
    `port=${port}`,
    `unix_socket_directories=${directory}`,
    'max_connections=200',
    'logging_collector=off',
    ...(options.fsync === true ? [] : ['fsync=off', 'full_page_writes=off']),
    ...(options.tls ? ['ssl=on'] : []),
    ...(options.settings ?? []),
  ];
  let running: ChildProcess | undefined;

  const url: PostgresServer['url'] = (database, parameters) => urlOf(port, database, parameters);
  const sql: PostgresServer['sql'] = (text, database) => runSql(port, text, database);

  async function start(): Promise<void> {
    const child = spawn(
      join(programs ?? '', 'postgres'),
      ['-D', data, ...settings.flatMap((one) => ['-c', one])],
      { ...as, cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    running = child;
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-20_000);
      writeFileSync(log, said);
    });
    const ended = once(child, 'exit');
    let hasEnded = false;
    void ended.then(() => {
      hasEnded = true;
      if (running === child) running = undefined;
    });
    for (;;) {
      if (hasEnded) throw new Error(`PostgreSQL did not start:\n${said}`);
      try {
        await sql('SELECT 1');
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  async function signal(name: NodeJS.Signals, pids: (pid: number) => number[]): Promise<void> {
    const child = running;
    if (child?.pid === undefined) return;
    const ended = once(child, 'exit');
    for (const pid of pids(child.pid)) send(pid, name);
    await ended;
    running = undefined;
  }

  function send(pid: number, name: NodeJS.Signals): void {
    try {
      process.kill(pid, name);
    } catch {
      // It has ended meanwhile.
    }
  }

  const atExit = (): void => {
    if (running?.pid !== undefined) for (const pid of family(running.pid)) send(pid, 'SIGKILL');
  };
  process.on('exit', atExit);
  await start();
  return {
    port,
    url,
    sql,
    createDatabase: () => createDatabase(port),
    dataDirectory: () => data,
    stop: (mode = 'fast') => signal(mode === 'fast' ? 'SIGINT' : 'SIGQUIT', (pid) => [pid]),
    start,
    kill: () => signal('SIGKILL', family),
    pause() {
      if (running?.pid !== undefined) for (const pid of family(running.pid)) send(pid, 'SIGSTOP');
    },
    resume() {
      if (running?.pid !== undefined) for (const pid of family(running.pid)) send(pid, 'SIGCONT');
    },
    async close() {
      if (running?.pid !== undefined) for (const pid of family(running.pid)) send(pid, 'SIGCONT');
      await signal('SIGQUIT', (pid) => [pid]);
      process.off('exit', atExit);
      await rm(directory, { recursive: true, force: true });
    },
  };
}
