import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { open, signUp } from '../../scripts/campaigns/people.ts';
import { auditChain } from '../../src/core/audit-chain.ts';
import type { Username } from '../../src/core/model/username.ts';
import { type OneTimeCode, oneTimeCodeDigest, parseOneTimeCode } from '../../src/core/one-time-code.ts';
import { recoverOver } from '../../src/server/cluster/recover-over.ts';
import { type RunningServer, serve } from '../../src/server/serve.ts';
import { serverSettings } from '../../src/server/server-settings.ts';
import { refusal } from '../../src/server/store/postgres/node-lock.ts';
import { type PostgresStore, postgresStore } from '../../src/server/store/postgres/store.ts';
import { fakeHost, runOn } from '../cli/support/fake-host.ts';
import { freePorts } from '../support/free-ports.ts';
import {
  hasPostgres,
  type PostgresServer,
  startPostgres,
  type TestDatabase,
} from '../support/postgres-server.ts';
import { hasRedisServer, type RedisServer, startRedis } from '../support/redis-server.ts';

const [alice, bob] = ['alice', 'bob'] as [Username, Username];
const failure = (work: Promise<unknown>) =>
  work.then(
    () => 'nothing was refused',
    ({ code, message }) => ({ code, message }),
  );

describe.skipIf(!hasPostgres() || !hasRedisServer())(
  'whoever has the database and the cluster secret',
  () => {
    let postgres: PostgresServer;
    let redis: RedisServer;
    let home: string;
    let database: TestDatabase;
    let secretFile: string;

    beforeAll(async () => {
      [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
      home = mkdtempSync(join(tmpdir(), 'chat-recover-'));
      secretFile = newSecret('secret');
    });
    afterAll(async () => {
      await redis?.close();
      await postgres?.close();
      rmSync(home, { recursive: true, force: true });
    });
    beforeEach(async () => {
      database = await postgres.createDatabase();
      const made = database;
      onTestFinished(() => made.drop());
    });

    function newSecret(name: string): string {
      const path = join(home, name);
      writeFileSync(path, randomBytes(32).toString('hex'), { mode: 0o600 });
      return path;
    }
    const over = (change: { readonly store?: string; readonly secretFile?: string } = {}) => ({
      store: database.url,
      secretFile,
      ...change,
    });

    async function node(flags: Readonly<Record<string, string>>): Promise<RunningServer> {
      const running = await serve(
        {
          flags: {
            ...{
              listen: '127.0.0.1:0',
              'bcrypt-cost': '10',
              store: database.url,
              'cluster-secret': secretFile,
            },
            ...{ data: mkdtempSync(join(home, 'node-')), ...flags },
          },
          env: {},
          platform: 'linux',
          homeDirectory: home,
        },
        { ready: () => {}, log: () => {}, claim: () => {} },
      );
      onTestFinished(() => end(running));
      return running;
    }
    async function end(running: RunningServer): Promise<void> {
      running.stop('SIGTERM');
      await running.closed;
    }
    async function look(): Promise<PostgresStore> {
      const store = await postgresStore({ url: database.url, isIndexing: false });
      onTestFinished(() => store.close());
      return store;
    }

    it('makes a code, or takes a second factor away, while nodes run, which end the sessions; it is seen in the audit trail', async () => {
      const running = await node({ bus: redis.url });
      const token = await signUp(running.port, 'alice');
      await signUp(running.port, 'bob');
      const connection = await open(running.port, token);
      let isClosed = false;
      void connection.closed.then(() => {
        isClosed = true;
      });
      const store = await look();
      const account = await store.account(alice);
      if (!account) throw new Error('alice has no account');
      const [session] = await store.sessions({ userId: account.id, now: Date.now(), idleMs: 3_600_000 });
      if (!session) throw new Error('alice has no session');
      const factor = { userId: account.id, secret: new Uint8Array(20), now: 1 };
      await store.beginSecondFactor(factor);
      await store.confirmSecondFactor({ ...factor, step: 1, codes: [], except: session.id });

      const { code, expiresAt } = await recoverOver(over(), async (recovery) => {
        expect(await failure(recovery.resetCode('nobody' as Username))).toEqual({
          code: 'not-found',
          message: 'there is no user @nobody',
        });
        expect(await recovery.takeSecondFactor(alice)).toBe(1);
        return await recovery.resetCode(bob);
      });
      await expect.poll(() => isClosed, { timeout: 20_000 }).toBe(true);
      expect((await store.account(alice))?.hasSecondFactor).toBe(false);
      const hash = oneTimeCodeDigest(code);
      expect((await store.accountOfResetCode({ hash, now: expiresAt - 1 }))?.username).toBe('bob');
      const { rows } = await store.auditPage({ after: 0, limit: 1_000 });
      const done = rows.filter(({ operation }) => operation.startsWith('operator.'));
      expect(done.map(({ operation, user, door }) => [operation, user, door])).toEqual([
        ['operator.take-second-factor', 'alice', null],
        ['operator.reset', 'bob', null],
      ]);
      expect((await store.auditEnds(auditChain(await serverSettings(store)))).isSealed).toBe(true);
    });

    it('does so by the command line, with the database’s URL in CHAT_STORE', async () => {
      const running = await node({});
      await signUp(running.port, 'alice');
      await end(running);
      const host = await fakeHost({ env: { CHAT_STORE: database.url } });
      const reset = await runOn(host, 'admin', 'reset', 'alice', '--cluster-secret', secretFile);
      expect(reset).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^([0-9A-Z]{4}-){6}[0-9A-Z]{4}\n$/),
        stderr: expect.stringMatching(/^for alice, once, until /),
      });
      const store = await look();
      const hash = oneTimeCodeDigest(parseOneTimeCode(reset.stdout) as OneTimeCode);
      expect((await store.accountOfResetCode({ hash, now: Date.now() }))?.username).toBe('alice');
      expect(
        await runOn(host, 'admin', 'totp', 'off', 'alice', '--cluster-secret', secretFile),
      ).toMatchObject({
        code: 7,
        stderr: expect.stringContaining('this account has no second factor\n'),
      });
    });

    it('is refused beside a node without a bus, which asks nobody about the sessions that it knows', async () => {
      const running = await node({});
      await signUp(running.port, 'alice');
      expect(await failure(recoverOver(over(), (recovery) => recovery.resetCode(alice)))).toEqual({
        code: 'unavailable',
        message: refusal.shared,
      });
      const { rows } = await (await look()).auditPage({ after: 0, limit: 1_000 });
      expect(rows.filter(({ operation }) => operation.startsWith('operator.'))).toEqual([]);
    });

    it('is refused with another secret, over an empty database, one of another version, and one that is away', async () => {
      const refused = (change: Parameters<typeof over>[0]) =>
        failure(recoverOver(over(change), () => Promise.reject(new Error('it was opened'))));
      const at = `127.0.0.1:${postgres.port}`;
      expect(await refused({})).toEqual({
        code: 'not-found',
        message: expect.stringMatching(
          new RegExp(`^no server was started on PostgreSQL \\S+ at ${at}: give the --store of its nodes$`),
        ),
      });
      const tables = () =>
        postgres.sql(`SELECT tablename FROM pg_tables WHERE schemaname = 'public'`, database.name);
      expect(await tables()).toEqual([]);
      await end(await node({}));
      expect(await refused({ secretFile: newSecret('other') })).toEqual({
        code: 'invalid',
        message: expect.stringContaining('--cluster-secret is not the secret under which the keys'),
      });
      await postgres.sql('UPDATE chat_format SET version = version - 1', database.name);
      expect(await refused({})).toEqual({
        code: 'unavailable',
        message: expect.stringMatching(/^the database was written by an older chat \(its format is \d+, /),
      });
      const [{ version }] = (await postgres.sql('SELECT version FROM chat_format', database.name)) as [
        { version: number },
      ];
      await postgres.sql('UPDATE chat_format SET version = version + 1', database.name);
      expect(await refused({})).toEqual({ code: undefined, message: 'it was opened' });
      expect(await postgres.sql('SELECT version FROM chat_format', database.name)).toEqual([
        { version: version + 1 },
      ]);
      const [nobody] = await freePorts(1);
      expect(await refused({ store: `postgres://chat@127.0.0.1:${nobody}/chat` })).toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining('ECONNREFUSED'),
      });
    });
  },
);
