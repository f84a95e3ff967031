import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { lockNumber, lockSpace } from '../../src/server/store/postgres/migrate.ts';
import { postgresMigrations } from '../../src/server/store/postgres/migrations/index.ts';
import { postgresStore } from '../../src/server/store/postgres/store.ts';
import { people } from '../contract/support/people.ts';
import { newAuthority, signCertificate, TestKey } from '../core/support/certificates.ts';
import { createDatabase, type PostgresServer, runSql, startPostgres } from '../support/postgres-server.ts';

const port = inject('postgresPort');

describe.skipIf(port === undefined)('opening a store on a PostgreSQL', () => {
  async function fresh() {
    const database = await createDatabase(port ?? 0);
    onTestFinished(() => database.drop());
    return database;
  }
  const opening = (url: string, options: Partial<Parameters<typeof postgresStore>[0]> = {}) =>
    postgresStore({ url, ...options });
  const sql = (text: string, database: string) => runSql(port ?? 0, text, database);

  test('five nodes that start at once on an empty database make its tables once', async () => {
    for (let round = 0; round < 3; round++) {
      const { url, name } = await fresh();
      const stores = await Promise.all(Array.from({ length: 5 }, () => opening(url)));
      const fresh5 = stores.map((store, n) =>
        store.settings({ realm: `r${n}`, serverSecret: new Uint8Array(32).fill(n) }),
      );
      expect(new Set((await Promise.all(fresh5)).map(({ realm }) => realm)).size).toBe(1);
      expect(await sql('SELECT version FROM chat_format', name)).toEqual([
        { version: postgresMigrations.length },
      ]);
      await Promise.all(stores.map((store) => store.close()));
    }
  });

  test('what a newer version wrote is refused, and left as it is', async () => {
    const { url, name } = await fresh();
    await (await opening(url)).close();
    await sql('UPDATE chat_format SET version = version + 1', name);
    await expect(opening(url)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('was written by a newer chat'),
    });
    expect(await sql('SELECT version FROM chat_format', name)).toEqual([
      { version: postgresMigrations.length + 1 },
    ]);
  });

  test('a step that a new version brings is taken by the tables that are there, and one that fails undoes itself', async () => {
    const { url, name } = await fresh();
    const store = await opening(url);
    await people(store, 'alice');
    await store.close();
    const bad = [...postgresMigrations, ['CREATE TABLE later (a text)', 'CREATE TABLE later (a text)']];
    await expect(opening(url, { migrations: bad })).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('"later" already exists'),
    });
    const good = [...postgresMigrations, ['CREATE TABLE later (a text)']];
    const newer = await opening(url, { migrations: good });
    expect(await newer.usernames({ after: '', limit: 9 })).toEqual(['alice']);
    await newer.close();
    expect(await sql('SELECT version FROM chat_format', name)).toEqual([{ version: good.length }]);
  });

  describe('that is given up', () => {
    const enough = new Error('enough');
    /** What stores are doing in the database at this moment. */
    const busy = async (name: string): Promise<string[]> => {
      const rows = await sql(
        `SELECT query FROM pg_stat_activity WHERE datname = '${name}' AND application_name = 'chat' AND state <> 'idle'`,
        'postgres',
      );
      return rows.map(({ query }) => String(query));
    };
    const nobody = (name: string) => expect.poll(() => busy(name), { timeout: 20_000 }).toEqual([]);

    test('waits no longer for a node that brings the tables up to date, here or in the database', async () => {
      const { url, name } = await fresh();
      const other = new Client(url);
      await other.connect();
      onTestFinished(() => other.end());
      await other.query('SELECT pg_advisory_lock($1, $2)', [lockSpace, lockNumber.migrations]);
      const giving = new AbortController();
      const awaited = Promise.withResolvers<void>();
      const refused = opening(url, { signal: giving.signal, onWait: awaited.resolve }).catch(
        (error: unknown) => error,
      );
      await awaited.promise;
      await expect.poll(() => busy(name)).toEqual([expect.stringContaining('pg_advisory_xact_lock')]);
      giving.abort(enough);
      expect(await refused).toBe(enough);
      await nobody(name);
      expect(await sql(`SELECT tablename FROM pg_tables WHERE schemaname = 'public'`, name)).toEqual([]);
      // Who comes later waits for its turn, and gets it.
      const waits = Promise.withResolvers<void>();
      const later = opening(url, { onWait: waits.resolve });
      await waits.promise;
      await other.query('SELECT pg_advisory_unlock_all()');
      await (await later).close();
    });

    test('undoes what it has brought up to date so far', async () => {
      const { url, name } = await fresh();
      await (await opening(url)).close();
      const giving = new AbortController();
      const slow = [...postgresMigrations, ['CREATE TABLE later (a text)', 'SELECT pg_sleep(600)']];
      const refused = opening(url, { migrations: slow, signal: giving.signal }).catch(
        (error: unknown) => error,
      );
      await expect.poll(() => busy(name), { timeout: 20_000 }).toEqual(['SELECT pg_sleep(600)']);
      giving.abort(enough);
      expect(await refused).toBe(enough);
      await nobody(name);
      expect(
        await sql(`SELECT version, to_regclass('later') IS NULL AS is_undone FROM chat_format`, name),
      ).toEqual([{ version: postgresMigrations.length, is_undone: true }]);
      await (await opening(url)).close();
    });
  });

  test('a database of another program is refused, and left as it is', async () => {
    const { url, name } = await fresh();
    await sql('CREATE TABLE theirs (a text)', name);
    await expect(opening(url)).rejects.toMatchObject({
      message: expect.stringContaining('has tables of another program'),
    });
    expect(await sql(`SELECT tablename FROM pg_tables WHERE schemaname = 'public'`, name)).toEqual([
      { tablename: 'theirs' },
    ]);
  });

  test('a database that is not kept as UTF-8 is refused', async () => {
    const name = `latin_${process.pid}`;
    await sql(`CREATE DATABASE ${name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`, 'postgres');
    onTestFinished(async () => void (await sql(`DROP DATABASE ${name} WITH (FORCE)`, 'postgres')));
    await expect(opening(`postgres://chat@127.0.0.1:${port}/${name}`)).rejects.toMatchObject({
      message: expect.stringContaining('keeps texts as LATIN1'),
    });
  });

  test('who cannot come through is told where and why, without the password', async () => {
    for (const [url, why] of [
      [`postgres://chat:hunter2@127.0.0.1:${port}/nowhere`, 'database "nowhere" does not exist'],
      [`postgres://nobody:hunter2@127.0.0.1:${port}/postgres`, 'role "nobody" does not exist'],
      ['postgres://chat:hunter2@127.0.0.1:1/postgres', 'ECONNREFUSED'],
    ] as const) {
      const error = await opening(url).then(
        () => new Error('it was opened'),
        (refusal: Error) => refusal,
      );
      expect(error).toMatchObject({ code: 'unavailable' });
      expect(error.message).toContain(why);
      expect(error.message).toContain('the database at 127.0.0.1:');
      expect(error.message).not.toContain('hunter2');
    }
  });
});

describe.skipIf(port === undefined)('the way to a PostgreSQL', () => {
  let server: PostgresServer;
  let directory: string;
  const authority = newAuthority();
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'chat-roots-'));
    const key = new TestKey();
    const certificate = await signCertificate(key, { name: 'localhost', use: 'server', by: await authority });
    server = await startPostgres({ tls: { certificate, key: key.pem } });
    await server.sql('CREATE DATABASE tls');
    writeFileSync(join(directory, 'ours.pem'), (await authority).certificate);
    writeFileSync(join(directory, 'other.pem'), (await newAuthority('two')).certificate);
    writeFileSync(
      join(directory, 'empty.pem'),
      generateKeyPairSync('ed25519').publicKey.export({ format: 'pem', type: 'spki' }),
    );
  });
  afterAll(async () => {
    await server.close();
    rmSync(directory, { recursive: true, force: true });
  });

  /** How the store's connections are kept; the words of its refusal when it is not opened. */
  async function way(host: string, parameters: Readonly<Record<string, string>>): Promise<string> {
    const query = new URLSearchParams(parameters);
    try {
      const store = await postgresStore({ url: `postgres://chat@${host}:${server.port}/tls?${query}` });
      const [used] = await server.sql<{ ssl: boolean }>(
        `SELECT bool_and(s.ssl) AS ssl FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.application_name = 'chat'`,
      );
      await store.close();
      return used?.ssl === true ? 'TLS' : 'plain';
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
  const root = (name: string) => join(directory, `${name}.pem`);

  test('is what sslmode says: in the open, by TLS, or by TLS to the very one that was meant', async () => {
    expect(await way('127.0.0.1', {})).toBe('plain');
    expect(await way('127.0.0.1', { sslmode: 'disable' })).toBe('plain');
    expect(await way('127.0.0.1', { sslmode: 'require' })).toBe('TLS');
    expect(await way('localhost', { sslmode: 'verify-full', sslrootcert: root('ours') })).toBe('TLS');
    expect(await way('127.0.0.1', { sslmode: 'verify-ca', sslrootcert: root('ours') })).toBe('TLS');
    expect(await way('127.0.0.1', { sslmode: 'require', sslrootcert: root('ours') })).toBe('TLS');
  });

  test('is refused to one that is not the one meant, with the reason', async () => {
    // By an authority that nobody here trusts, another one, and for another name.
    expect(await way('localhost', { sslmode: 'verify-full' })).toMatch(/cannot be used: .*certificate/);
    for (const sslmode of ['verify-full', 'verify-ca', 'require']) {
      expect(await way('localhost', { sslmode, sslrootcert: root('other') })).toMatch(
        /cannot be used: .*(certificate|issuer)/,
      );
    }
    expect(await way('127.0.0.1', { sslmode: 'verify-full', sslrootcert: root('ours') })).toMatch(
      /cannot be used: .*(IP|altnames)/,
    );
  });

  test('is refused before it is tried where its words make no sense', async () => {
    expect(await way('127.0.0.1', { sslmode: 'prefer' })).toContain(
      'which anybody on the way could take away',
    );
    expect(await way('127.0.0.1', { sslmode: 'verify-ca' })).toContain('without sslrootcert');
    expect(await way('127.0.0.1', { sslrootcert: root('ours') })).toContain('TLS is off');
    expect(await way('127.0.0.1', { sslmode: 'verify-full', sslrootcert: root('none') })).toContain('ENOENT');
    expect(await way('127.0.0.1', { sslmode: 'verify-full', sslrootcert: root('empty') })).toContain(
      'no certificate',
    );
    expect(await way('127.0.0.1', { password: 'x' })).toContain('password=…, which is not known');
  });
});
