import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import { rm } from 'node:fs/promises';
import { devNull, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type ServerProcess, startServer } from '../../scripts/campaigns/server-process.ts';
import { checkServer } from '../../src/server/check.ts';
import { type RunningServer, serve } from '../../src/server/serve.ts';
import { lockNumber, lockSpace } from '../../src/server/store/postgres/migrate.ts';
import { postgresMigrations } from '../../src/server/store/postgres/migrations/index.ts';
import { freePorts } from '../support/free-ports.ts';
import {
  hasPostgres,
  type PostgresServer,
  startPostgres,
  type TestDatabase,
} from '../support/postgres-server.ts';
import { hasRedisServer, type RedisServer, startRedis } from '../support/redis-server.ts';

const password = 'hunter2';
const format = postgresMigrations.length;

describe.skipIf(!hasPostgres() || !hasRedisServer())('over PostgreSQL and Redis', () => {
  let postgres: PostgresServer;
  let redis: RedisServer;
  let home: string;
  let data: string;
  let secret: string;
  let database: TestDatabase;
  /** `PostgreSQL 15.18 at 127.0.0.1:5432` */
  let server: string;

  beforeAll(async () => {
    [postgres, redis] = await Promise.all([startPostgres(), startRedis({ password })]);
    const [row] = await postgres.sql<{ version: string }>(
      `SELECT split_part(current_setting('server_version'), ' ', 1) AS version`,
    );
    server = `PostgreSQL ${row?.version} at 127.0.0.1:${postgres.port}`;
    // Who has a password must give it.
    await postgres.sql(`CREATE ROLE guarded LOGIN PASSWORD '${password}'`);
    const rules = join(postgres.dataDirectory(), 'pg_hba.conf');
    fs.writeFileSync(rules, `host all guarded 127.0.0.1/32 scram-sha-256\n${fs.readFileSync(rules, 'utf8')}`);
    await postgres.sql('SELECT pg_reload_conf()');
  });
  afterAll(async () => {
    await redis?.close();
    await postgres?.close();
  });
  beforeEach(async () => {
    home = fs.mkdtempSync(join(tmpdir(), 'chat-check-'));
    const own = home;
    onTestFinished(() => rm(own, { recursive: true, force: true }));
    data = join(home, 'data');
    secret = newSecret('secret');
    database = await postgres.createDatabase();
    const made = database;
    onTestFinished(() => made.drop());
  });

  function newSecret(name: string): string {
    const path = join(home, name);
    fs.writeFileSync(path, randomBytes(32).toString('hex'), { mode: 0o600 });
    return path;
  }

  interface Change {
    readonly data?: string;
    readonly store?: string;
    readonly bus?: string | undefined;
    readonly secret?: string;
  }
  const sources = (change: Change = {}) => {
    const bus = 'bus' in change ? change.bus : redis.url;
    return {
      flags: {
        listen: '127.0.0.1:0',
        data: change.data ?? data,
        'cluster-secret': change.secret ?? secret,
      },
      env: { CHAT_STORE: change.store ?? database.url, ...(bus !== undefined && { CHAT_BUS: bus }) },
      platform: 'linux' as const,
      homeDirectory: home,
    };
  };

  /** The findings between those of the data directory's lock and of the address, as lines. */
  async function check(change: Change = {}): Promise<string[]> {
    const { findings } = await checkServer(sources(change), Date.now(), () => undefined);
    const lines = findings.map(({ check: name, status, message, code }) =>
      [status, name, message.replaceAll(home, 'HOME'), ...(code === undefined ? [] : [code])].join(' '),
    );
    expect(lines.join('\n')).not.toContain(password);
    return lines.filter((line) => !/^ok (settings|data|lock|listen) /.test(line));
  }

  async function start(change: Change = {}): Promise<RunningServer> {
    const out = { ready: () => {}, log: () => {}, claim: () => {} };
    const running = await serve(sources(change), out);
    onTestFinished(async () => {
      await end(running);
    });
    return running;
  }
  async function end(running: RunningServer): Promise<void> {
    running.stop('SIGTERM');
    await running.closed;
  }

  const fits = 'ok cluster secret HOME/secret fits';
  const alone = 'ok nodes no node uses the database';
  const noKeys = 'ok shared keys none are in the database yet: the next start puts them there';
  const opened = 'ok shared keys the cluster secret opens them, and they fit the data directory';
  const ofFormat = () => `ok database ${server}: format ${format}`;
  const bus = () =>
    expect.stringMatching(new RegExp(`^ok bus Redis \\d+\\.\\d+\\.\\d+ at 127.0.0.1:${redis.port}$`));
  const tables = (): Promise<{ tablename: string }[]> =>
    postgres.sql(`SELECT tablename FROM pg_tables WHERE schemaname = 'public'`, database.name);

  describe('the check of a server', () => {
    it('of a first start says what will be made, and makes nothing', async () => {
      const empty = `ok database ${server}: it is empty, and the first start makes the tables`;
      expect(await check()).toEqual([fits, empty, alone, noKeys, bus()]);
      expect(await tables()).toEqual([]);
      expect(fs.existsSync(data)).toBe(false);
    });

    it('of another node says that it takes the keys of the others, and of a later start that they fit', async () => {
      await start();
      const one = 'ok nodes 1 node uses the database';
      const other = join(home, 'other');
      expect(await check({ data: other })).toEqual([fits, ofFormat(), one, opened, bus()]);
      fs.mkdirSync(other, { mode: 0o700 });
      const taken = 'taken from the other nodes at the next start';
      expect(await check({ data: other })).toEqual([
        ...[fits, ofFormat(), one, opened, bus()],
        ...[`ok authority ${taken}`, `ok certificate ${taken}`],
      ]);
      expect(fs.readdirSync(other)).toEqual([]);
      expect((await check())[0]).toMatch(/^warn lock a server is running there now/);
      expect((await check()).slice(1, 6)).toEqual([fits, ofFormat(), one, opened, bus()]);
    });

    it('fails for another secret, and for the keys of another server', async () => {
      await end(await start());
      const wrong = newSecret('wrong');
      expect(await check({ secret: wrong })).toContain(
        'fail shared keys --cluster-secret is not the secret under which the keys of this server were sealed: give every node the same file invalid',
      );
      const second = await postgres.createDatabase();
      onTestFinished(() => second.drop());
      const other = join(home, 'other');
      await end(await start({ data: other, store: second.url }));
      expect(await check({ data: other })).toContainEqual(
        expect.stringMatching(
          /^fail shared keys .*is not the key that the nodes of this server share.* invalid$/,
        ),
      );
      fs.chmodSync(secret, 0o644);
      expect((await check())[0]).toBe(
        'fail cluster secret --cluster-secret: HOME/secret can be read or written by others: run chmod 600 HOME/secret invalid',
      );
    });

    it('fails beside a node that has the database alone, and warns when it is the one that is looked at', async () => {
      await start({ bus: undefined });
      const other = join(home, 'other');
      expect((await check({ data: other })).filter((line) => line.startsWith('fail'))).toEqual([
        'fail nodes a node without a bus uses this database: stop it, or start it with the same --bus unavailable',
      ]);
      expect(
        (await check({ data: other, bus: undefined })).filter((line) => line.startsWith('fail')),
      ).toEqual([
        'fail nodes another node uses this database: nodes that share one need a common bus, start each of them with --bus unavailable',
      ]);
      const own = await check({ bus: undefined });
      expect(own).toContain(
        'warn nodes a node uses the database alone, as it does while the server is running',
      );
      expect(own.filter((line) => line.startsWith('fail'))).toEqual([]);
    });

    it('says which database is older, newer, somebody else’s, half imported or not to be written to', async () => {
      await end(await start());
      const failure = async () => (await check()).find((line) => line.includes(' database '));
      await postgres.sql('UPDATE chat_format SET version = 0', database.name);
      expect(await failure()).toBe(
        `ok database ${server}: format 0; the next start brings it to format ${format}`,
      );
      await postgres.sql(`UPDATE chat_format SET version = ${format + 1}`, database.name);
      expect(await failure()).toBe(
        `fail database the database was written by a newer chat (its format is ${format + 1}, this one knows ${format}): start that version unavailable`,
      );
      await postgres.sql(
        `UPDATE chat_format SET version = ${format}; CREATE TABLE unfinished_import (a text)`,
        database.name,
      );
      expect(await failure()).toMatch(/^fail database the database holds half of a server's data: run chat/);
      await postgres.sql('DROP TABLE chat_format', database.name);
      expect(await failure()).toMatch(
        /^fail database the database has tables of another program: .* unavailable$/,
      );
      const left = (await tables()).length;
      const empty = await postgres.createDatabase();
      onTestFinished(() => empty.drop());
      const store = empty.url.replace('chat@', `guarded:${password}@`);
      expect(await check({ store })).toContain(
        'fail database the database lets guarded make no tables: run ALTER DATABASE … OWNER TO "guarded" there unavailable',
      );
      expect((await tables()).length).toBe(left);
    });

    it('fails for a standby', async () => {
      await end(await start());
      const signal = join(postgres.dataDirectory(), 'standby.signal');
      await postgres.stop();
      fs.writeFileSync(signal, '', { mode: 0o644 });
      try {
        await postgres.start();
        expect(await check()).toContain(
          'fail database the database is a standby, which can only be read: name the primary unavailable',
        );
      } finally {
        await postgres.stop();
        fs.rmSync(signal);
        await postgres.start();
      }
    });

    it('fails for a database that cannot be reached, and only warns of such a Redis', async () => {
      const [free] = await freePorts(1);
      const found = await check({
        store: `postgres://chat:${password}@127.0.0.1:${free}/chat`,
        bus: `redis://default:${password}@127.0.0.1:${free}`,
      });
      expect(found).toEqual([
        fits,
        `fail database the database at 127.0.0.1:${free} cannot be used: connect ECONNREFUSED 127.0.0.1:${free} unavailable`,
        `warn bus Redis at 127.0.0.1:${free} cannot be used: connect ECONNREFUSED 127.0.0.1:${free}; a start goes on without it, and joins the other nodes when it is there`,
      ]);
      const missing = `rediss://default:${password}@127.0.0.1:${free}?ca=${join(home, 'none.pem')}`;
      expect((await check({ bus: missing })).at(-1)).toBe(
        "fail bus the bus's URL names a file under 'ca' that cannot be read (ENOENT): HOME/none.pem invalid",
      );
      const wrong = redis.url.replace(password, 'wrong');
      expect((await check({ bus: wrong })).at(-1)).toMatch(
        /^warn bus Redis at .* cannot be used: WRONGPASS /,
      );
    });
  });

  describe('chat serve', () => {
    async function serveHere(change: Change = {}) {
      const { flags, env } = sources(change);
      const outcome = await startServer({
        command: [process.execPath, 'dist/chat.mjs', 'serve'],
        data: flags.data,
        flags: ['--cluster-secret', flags['cluster-secret']],
        env,
      });
      if ('kill' in outcome) onTestFinished(async () => void (await outcome.kill('SIGKILL')));
      return outcome;
    }
    /** How a start ended that was refused: its code, and the one line it has said. */
    async function refused(change: Change): Promise<string> {
      const outcome = await serveHere(change);
      if ('kill' in outcome) throw new Error('it has started');
      return `${outcome.code}: ${outcome.errors}`;
    }
    const said = (running: ServerProcess, text: string) =>
      expect.poll(() => running.errors, { timeout: 30_000 }).toContain(text);

    it('ends at once with a wrong password or a missing database: one line, exit 3', async () => {
      const at = `chat: the database at 127.0.0.1:${postgres.port} cannot be used:`;
      expect(await refused({ store: database.url.replace('chat@', 'guarded:wrong@') })).toBe(
        `3: ${at} password authentication failed for user "guarded" (28P01)\n`,
      );
      expect(await refused({ store: database.url.replace(/\w+$/, 'nowhere') })).toBe(
        `3: ${at} database "nowhere" does not exist (3D000)\n`,
      );
    });

    it('ends with exit 2 when a file that the URL of Redis names is not there', async () => {
      const ca = join(home, 'none.pem');
      expect(await refused({ bus: `rediss://default:${password}@127.0.0.1:${redis.port}?ca=${ca}` })).toMatch(
        new RegExp(`^2: (.* info .*\\n)*chat: the bus's URL names a file under 'ca' that .*: ${ca}\\n$`),
      );
    });

    /** A start of the program that has said on stderr what `words` are about. */
    async function starting(words: RegExp) {
      const { flags, env } = sources();
      const given = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
      const child = spawn(process.execPath, ['dist/chat.mjs', 'serve', ...given], {
        env: { ...process.env, CHAT_SERVE_CONFIG: devNull, CHAT_SYSTEM_CONFIG: devNull, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      onTestFinished(() => void child.kill('SIGKILL'));
      const said = { stdout: '', stderr: '' };
      for (const name of ['stdout', 'stderr'] as const) {
        child[name].setEncoding('utf8').on('data', (text: string) => {
          said[name] += text;
        });
      }
      const ended = once(child, 'close');
      await expect.poll(() => said.stderr, { timeout: 20_000 }).toMatch(words);
      return { child, said, ended };
    }

    it('ends at SIGTERM while another node brings the tables up to date, with one line more', async () => {
      const other = new Client(database.url);
      await other.connect();
      onTestFinished(() => other.end());
      await other.query('SELECT pg_advisory_lock($1, $2)', [lockSpace, lockNumber.migrations]);
      const { child, said, ended } = await starting(
        /^\S+ warn store-awaited why="another node brings the tables of the database up to date" .*\n$/,
      );
      const before = said.stderr;
      child.kill('SIGTERM');
      expect(await ended).toEqual([143, null]);
      expect(said.stdout).toBe('');
      expect(said.stderr.replace(before, '')).toMatch(
        /^\S+ info stopped note="it was asked to end while it was starting"\n$/,
      );
      await expect
        .poll(() =>
          postgres.sql(
            `SELECT pid FROM pg_stat_activity WHERE datname = '${database.name}' AND application_name = 'chat'`,
          ),
        )
        .toEqual([]);
    });

    describe('while PostgreSQL is down', () => {
      beforeEach(() => postgres.stop());
      afterEach(async () => {
        await postgres.stop();
        await postgres.start();
      });

      /** A node that waits for it, and has said so. */
      const waiting = () =>
        starting(
          /warn store-awaited why="the database at 127\.0\.0\.1:\d+ cannot be used: connect ECONNREFUSED/,
        );

      it('waits for it, and starts when it is there', async () => {
        const { child, said, ended } = await waiting();
        expect(said.stdout).toBe('');
        await postgres.start();
        await expect.poll(() => said.stdout, { timeout: 30_000 }).toMatch(/^127\.0\.0\.1:\d+ SHA256:/);
        child.kill('SIGTERM');
        expect(await ended).toEqual([0, null]);
      });

      it('ends at SIGTERM, and leaves its data directory to the next one', async () => {
        const { child, said, ended } = await waiting();
        const asked = performance.now();
        child.kill('SIGTERM');
        expect(await ended).toEqual([143, null]);
        // It would have waited for half a minute.
        expect(performance.now() - asked).toBeLessThan(15_000);
        expect(said.stdout).toBe('');
        const { findings } = await checkServer(sources(), Date.now(), () => undefined);
        expect(findings).toContainEqual({
          check: 'lock',
          status: 'ok',
          message: 'no server is running there',
        });
      });
    });

    it('starts without Redis, says so, and joins when it is there', async () => {
      await redis.kill();
      const running = await serveHere();
      if (!('kill' in running)) throw new Error(running.errors);
      await said(running, 'warn bus-lost why="connect ECONNREFUSED');
      await redis.start();
      await said(running, 'info bus-back');
      expect((await running.kill('SIGTERM')).code).toBe(0);
      expect(running.errors).not.toContain(password);
    });
  });
});
