import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { devNull, tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { canMount } from '../../scripts/campaigns/full-disk.ts';
import { mountSmall } from '../../scripts/campaigns/leavings.ts';
import { keptNames, toldOf, unpackData } from '../../scripts/keep-database/kept.ts';
import { exportStore } from '../../src/server/moving/export-store.ts';
import { type ImportOptions, importStore } from '../../src/server/moving/import-store.ts';
import { type Manifest, pieceName, readManifest, spellManifest } from '../../src/server/moving/manifest.ts';
import type { MoveProgress } from '../../src/server/moving/move-report.ts';
import { migrations } from '../../src/server/store/migrations/index.ts';
import { movedTables } from '../../src/server/store/moved-tables.ts';
import { lockNumber, lockSpace } from '../../src/server/store/postgres/migrate.ts';
import { readText } from '../../src/server/store/postgres/text.ts';
import { opened } from '../server/store/support/database.ts';
import { until } from '../server/support/until.ts';
import { compileCache } from '../support/compile-cache.ts';
import {
  hasPostgres,
  type PostgresServer,
  startPostgres,
  type TestDatabase,
} from '../support/postgres-server.ts';

const newest = keptNames().find((name) => toldOf(name).format === migrations.length) ?? '';
/** What PostgreSQL keeps as something else, and what the ends of its types are. */
const oddTexts = ['nothing\u0000here', '\u0001\u00000', '', '\\x41 {"a",NULL}', '🦊 ẞ \u2028', 'NULL', '"'];
const small = { rows: 7, characters: 4_000 };

describe.skipIf(!hasPostgres())('an import into PostgreSQL', () => {
  let place: string;
  let data: string;
  /** An export in small pieces; a test that damages one makes a copy. */
  let whole: string;
  let secret: string;
  let server: PostgresServer;
  let database: TestDatabase;
  let copies = 0;

  beforeAll(async () => {
    place = await mkdtemp(join(tmpdir(), 'chat-moving-'));
    data = join(place, 'data');
    unpackData(newest, data);
    const embedded = await opened(data);
    embedded.say(embedded.join('zoe'), ...oddTexts);
    embedded.database.close();
    whole = join(place, 'whole');
    await exportStore({ directory: whole, data, version: '0.0.0', now: 0, bounds: small });
    secret = join(place, 'secret');
    fs.writeFileSync(secret, randomBytes(32).toString('base64'), { mode: 0o600 });
    server = await startPostgres();
  });
  afterAll(async () => {
    await server?.close();
    await rm(place, { recursive: true, force: true });
  });
  beforeEach(async () => {
    database = await server.createDatabase();
    onTestFinished(() => database.drop());
  });

  const imported = (options: Partial<ImportOptions> = {}) =>
    importStore({ directory: whole, store: database.url, clusterSecret: secret, ...options });

  const failure = (work: Promise<unknown>) =>
    work.then(
      () => 'nothing was refused',
      ({ code, message }) => ({ code, message }),
    );

  function copy(): string {
    copies += 1;
    const own = join(place, `copy-${copies}`);
    fs.cpSync(whole, own, { recursive: true });
    return own;
  }

  const manifestOf = (where: string): Manifest =>
    readManifest(fs.readFileSync(join(where, 'manifest.json'), 'utf8'), 'manifest.json');

  const sql = <Row extends object>(text: string) =>
    server.sql<Row & Record<string, unknown>>(text, database.name);

  /** A value as both databases' drivers give it in the end. */
  const plain = (value: unknown): unknown => {
    if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
    if (typeof value === 'string') return readText(value);
    return value;
  };

  /** Every table as another reader of PostgreSQL finds it, beside what another reader of the embedded database finds. */
  async function expectSame(): Promise<void> {
    const embedded = new DatabaseSync(join(data, 'chat.db'), { readOnly: true });
    for (const { name, columns, key } of movedTables) {
      const order = key.map((column) => `"${column}"`).join(', ');
      const filter = name === 'settings' ? "WHERE name <> 'unscrubbed' AND name NOT LIKE 'shared_%'" : '';
      const text = `SELECT * FROM "${name}" ${filter} ORDER BY ${order}`;
      const there = (await sql(text)).map((row) =>
        columns.map(({ name: column, kind }) => {
          const value = row[column];
          return kind === 'integer' && value !== null ? Number(value) : plain(value);
        }),
      );
      const here = embedded
        .prepare(text)
        .all()
        .map((row) =>
          columns.map(({ name: column, kind }) => {
            const value = row[column];
            return plain(kind === 'either' && typeof value === 'string' ? Buffer.from(value) : value);
          }),
        );
      expect([name, there]).toEqual([name, here]);
    }
    embedded.close();
  }

  const isUnfinished = async (): Promise<boolean> =>
    (await sql<{ there: boolean }>("SELECT to_regclass('unfinished_import') IS NOT NULL AS there"))[0]
      ?.there === true;

  /** Goes on until something has been told so many times, as a killed process would; answers whether it came to its end. */
  async function interrupted(times: number, directory = whole): Promise<boolean> {
    let told = 0;
    const onProgress = (): void => {
      told += 1;
      if (told > times) throw new Error('killed');
    };
    return await imported({ directory, onProgress }).then(
      () => true,
      (error: unknown) => {
        expect(error).toEqual(new Error('killed'));
        return false;
      },
    );
  }

  it('has every row of every table, as other readers of both databases find them', async () => {
    const report = await imported();
    const manifest = manifestOf(whole);
    expect(report).toEqual({
      realm: manifest.realm,
      tables: manifest.tables.map(({ name, rows, sha256 }) => ({ table: name, rows, sha256 })),
    });
    await expectSame();
    const texts = await sql<{ body: string }>('SELECT body FROM messages ORDER BY conversation_id, seq');
    expect(texts.map(({ body }) => body && readText(body))).toEqual(expect.arrayContaining(oddTexts));
    expect(await isUnfinished()).toBe(false);
  });

  it('lets new conversations have the next numbers, keeps the keys sealed, and leaves the index of words to be made', async () => {
    await imported();
    const [{ greatest } = { greatest: 0 }] = await sql<{ greatest: string }>(
      'SELECT max(id) AS greatest FROM conversations',
    );
    const [{ next } = { next: 0 }] = await sql<{ next: string }>(
      "SELECT nextval(pg_get_serial_sequence('conversations', 'id')) AS next",
    );
    expect(Number(next)).toBe(Number(greatest) + 1);
    const kept = await sql<{ name: string; value: Buffer }>(
      "SELECT name, value FROM settings WHERE name LIKE 'shared_%' ORDER BY name",
    );
    expect(kept.map(({ name }) => name)).toEqual(['shared_authority', 'shared_keys']);
    for (const { value } of kept) expect(value.toString('latin1')).not.toContain('BEGIN');
    expect(await sql('SELECT 1 FROM search_parts')).toEqual([]);
  });

  it('goes on wherever it was interrupted, with nothing left out and nothing twice', async () => {
    let steps = 0;
    let rounds = 0;
    for (; !(await interrupted(steps)); steps += 5) {
      rounds += 1;
      expect(await isUnfinished()).toBe(true);
    }
    expect(rounds).toBeGreaterThan(5);
    expect(await isUnfinished()).toBe(false);
    await expectSame();
  });

  it('goes on after each of a few kills of the program, and so does an export', async () => {
    const chat = join(import.meta.dirname, '..', '..', 'src', 'cli', 'chat.ts');
    const env = { PATH: process.env.PATH, HOME: place, CHAT_SYSTEM_CONFIG: devNull, ...compileCache };
    const run = (...words: string[]) => {
      const child = spawn(process.execPath, [chat, 'admin', ...words], {
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      child.stdout.resume();
      return { child, ended: once(child, 'close') };
    };

    /** Runs the program again and again; kills it when `reached` says that it has come beyond the next of `places`. */
    async function killedAt(
      places: readonly number[],
      reached: () => Promise<number>,
      words: string[],
    ): Promise<void> {
      let kills = 0;
      for (const one of places) {
        const { child, ended } = run(...words);
        let hasEnded = false;
        void ended.then(() => {
          hasEnded = true;
        });
        await until(async () => hasEnded || (await reached()) >= one);
        child.kill('SIGKILL');
        const end = await ended;
        // A fast one may have come to its end just before.
        if (end[0] === 0) break;
        expect(end).toEqual([null, 'SIGKILL']);
        kills += 1;
      }
      expect(kills).toBeGreaterThan(0);
      // 7: the last one was killed when all was done, and the database has everything already.
      expect([0, 7]).toContain((await run(...words).ended)[0]);
    }

    const own = join(place, 'killed');
    const files = async () => (fs.existsSync(own) ? fs.readdirSync(own).length : 0);
    await killedAt([5, 13], files, ['export-store', own, '--data', data]);
    expect(manifestOf(own).tables.map(({ sha256 }) => sha256)).toEqual(
      manifestOf(whole).tables.map(({ sha256 }) => sha256),
    );
    const stored = async (): Promise<number> => {
      if (!(await isUnfinished())) return 0;
      const [found] = await sql<{ count: string }>(
        'SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM messages) + (SELECT count(*) FROM audit) AS count',
      );
      return Number(found?.count);
    };
    const words = ['import-store', whole, '--store', database.url, '--cluster-secret', secret];
    await killedAt([8, 30], stored, words);
    expect(await isUnfinished()).toBe(false);
    await expectSame();
  });

  it('goes on after PostgreSQL was killed amid it', async () => {
    const work = failure(
      imported({
        onProgress: ({ table, done }: MoveProgress) => {
          if (table === 'messages' && done > 0) void server.kill();
        },
      }),
    );
    expect(await work).toEqual({
      code: 'unavailable',
      message: expect.stringMatching(
        /^the database cannot be reached \(.*\); what is loaded stays: run the same again, it goes on$/,
      ),
    });
    expect(await failure(imported())).toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('the database cannot be reached'),
    });
    await server.start();
    expect(await isUnfinished()).toBe(true);
    await imported();
    await expectSame();
  });

  /** Gives a small file system more room. */
  const remount = (small: string, bytes: number): void => {
    execFileSync('mount', ['-o', `remount,size=${bytes}`, small], { stdio: 'pipe' });
  };

  it.skipIf(!canMount())(
    'goes on after the disk of the export was full, and so does that export',
    async () => {
      const disk = join(place, 'disk');
      fs.mkdirSync(disk);
      const unmount = mountSmall(disk, 131_072);
      onTestFinished(unmount);
      const directory = join(disk, 'export');
      const exported = () => exportStore({ directory, data, version: '0.0.0', now: 0, bounds: small });
      expect(await failure(exported())).toEqual({
        code: 'unavailable',
        message: `the disk of ${directory} is full: make room and run the same again, it goes on where it stopped`,
      });
      expect(manifestOf(directory).complete).toBe(false);
      remount(disk, 16_777_216);
      await exported();
      expect(manifestOf(directory).tables).toEqual(manifestOf(whole).tables);
    },
  );

  it.skipIf(!canMount())("goes on after the database's disk was full", async () => {
    const disk = join(place, 'tablespace');
    fs.mkdirSync(disk);
    // The user that PostgreSQL runs as goes through it.
    fs.chmodSync(place, 0o711);
    const unmount = mountSmall(disk, 14_680_064);
    onTestFinished(unmount);
    execFileSync('chown', ['postgres', disk]);
    await server.sql(`CREATE TABLESPACE small LOCATION '${disk}'`);
    await server.sql('CREATE DATABASE small TABLESPACE small');
    onTestFinished(async () => {
      await server.sql('DROP DATABASE small WITH (FORCE)');
      await server.sql('DROP TABLESPACE small');
    });
    const many = join(place, 'many');
    fs.cpSync(data, many, { recursive: true });
    const embedded = new DatabaseSync(join(many, 'chat.db'));
    const [{ id } = { id: '' }] = embedded.prepare('SELECT id FROM users').all();
    const put = embedded.prepare('INSERT INTO messages VALUES (1000, ?, ?, ?, 1, 1, ?, NULL, NULL)');
    embedded.exec('BEGIN');
    for (let seq = 1; seq <= 40_000; seq++) put.run(seq, `id-${seq}`, id ?? '', 'x'.repeat(400) + seq);
    embedded.exec('COMMIT');
    embedded.close();
    const directory = join(place, 'export-of-many');
    const { tables } = await exportStore({
      directory,
      data: many,
      version: '0.0.0',
      now: 0,
      bounds: { rows: 2_000, characters: 1e6 },
    });
    const store = server.url('small');
    expect(await failure(imported({ directory, store }))).toEqual({
      code: 'unavailable',
      message: expect.stringMatching(
        /^the database's disk or memory is full \(.*No space left on device.*\): make room; what is loaded stays: run the same again, it goes on$/,
      ),
    });
    const [{ count } = { count: '0' }] = await server.sql<{ count: string }>(
      'SELECT count(*) FROM messages',
      'small',
    );
    expect(Number(count)).toBeGreaterThan(0);
    expect(Number(count)).toBeLessThan(40_000);
    remount(disk, 268_435_456);
    expect((await imported({ directory, store })).tables).toEqual(tables);
  });

  it('is not believed when a row is another than the one that was exported', async () => {
    let last = 0;
    await failure(
      imported({
        onProgress: ({ step, left }) => {
          if (step === 'verify') throw new Error('killed');
          last = left;
        },
      }),
    );
    expect(last).toBe(0);
    await sql("UPDATE messages SET body = 'something else' WHERE body = 'NULL'");
    for (let round = 0; round < 2; round++) {
      expect(await failure(imported())).toEqual({
        code: 'unavailable',
        message: expect.stringMatching(
          /^messages is not the same in the database as in the export \((\d+) of \1 rows; SHA-256 /,
        ),
      });
      expect(await isUnfinished()).toBe(true);
    }
    await sql("UPDATE messages SET body = 'NULL' WHERE body = 'something else'");
    await sql('DELETE FROM recovery_codes WHERE number = (SELECT min(number) FROM recovery_codes)');
    expect(await failure(imported())).toMatchObject({
      message: expect.stringMatching(/^recovery_codes is not the same/),
    });
  });

  it('is refused, with nothing stored, when a piece or a key is damaged or missing; whole again, it is taken', async () => {
    const bitFlip = (path: string): void => {
      const bytes = fs.readFileSync(path);
      bytes[20] = (bytes[20] ?? 0) ^ 4;
      fs.writeFileSync(path, bytes);
    };
    for (const [name, damage, what] of [
      [pieceName('messages', 1), bitFlip, 'damaged'],
      [pieceName('users', 0), (path: string) => fs.truncateSync(path, 10), 'damaged'],
      [pieceName('audit', 0), fs.rmSync, 'missing'],
      ['ttpkeys/ca.key', bitFlip, 'damaged'],
      ['serverkeys/server.key', fs.rmSync, 'missing'],
    ] as const) {
      const directory = copy();
      damage(join(directory, name));
      expect(await failure(imported({ directory }))).toEqual({
        code: 'unavailable',
        message: `${join(directory, name)} is ${what}: copy the export again from where it was made, or export again`,
      });
    }
    expect(await sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).toEqual([]);
    await imported();
  });

  it('is refused when a piece is damaged while it runs, and goes on with a whole one', async () => {
    const directory = copy();
    const path = join(directory, pieceName('messages', 2));
    const bytes = fs.readFileSync(path);
    const damaged = imported({
      directory,
      onProgress: ({ table }) => {
        if (table === 'members') fs.writeFileSync(path, bytes.subarray(1));
      },
    });
    expect(await failure(damaged)).toMatchObject({
      message: `${path} is damaged: copy the export again from where it was made, or export again`,
    });
    expect(await isUnfinished()).toBe(true);
    fs.writeFileSync(path, bytes);
    await imported({ directory });
    await expectSame();
  });

  it('is refused of an export that is not finished, of another format, of a newer version, or none', async () => {
    const directory = copy();
    const path = join(directory, 'manifest.json');
    const manifest = manifestOf(whole);
    fs.writeFileSync(path, spellManifest({ ...manifest, complete: false }));
    expect(await failure(imported({ directory }))).toEqual({
      code: 'conflict',
      message: `the export in ${directory} is not finished: run chat admin export-store again, which goes on where it stopped`,
    });
    for (const [format, who] of [
      [migrations.length - 1, 'an older'],
      [migrations.length + 1, 'a newer'],
    ] as const) {
      fs.writeFileSync(path, spellManifest({ ...manifest, format }));
      expect(await failure(imported({ directory }))).toEqual({
        code: 'unavailable',
        message: `${directory} was exported by ${who} chat (format ${format}, this one imports ${migrations.length}): export again with this version`,
      });
    }
    fs.writeFileSync(
      path,
      fs.readFileSync(join(whole, 'manifest.json'), 'utf8').replace('"version": 1', '"version": 9'),
    );
    expect(await failure(imported({ directory }))).toMatchObject({
      message: `${path} was written by a newer chat (version 9 of the manifest, this one knows 1): use that version`,
    });
    expect(await failure(imported({ directory: place }))).toEqual({
      code: 'not-found',
      message: `there is no export in ${place}: give the directory that chat admin export-store has made`,
    });
    expect(await sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).toEqual([]);
  });

  it('is refused by a database that has the data already, that of another server, or half of another export', async () => {
    await imported();
    expect(await failure(imported())).toEqual({
      code: 'conflict',
      message:
        'the database has the data of this server already: nothing was changed; start chat serve --store on it',
    });
    await sql("UPDATE settings SET value = 'another' WHERE name = 'realm'");
    const others = {
      code: 'conflict',
      message: "the database holds another server's data: give an empty database",
    };
    expect(await failure(imported())).toEqual(others);
    await sql("DELETE FROM settings WHERE name = 'realm'");
    expect(await failure(imported())).toEqual(others);

    const half = await server.createDatabase();
    onTestFinished(() => half.drop());
    const directory = copy();
    const manifest = manifestOf(whole);
    const [settings, users] = manifest.tables;
    if (!settings || !users) throw new Error('no tables');
    database = half;
    expect(await interrupted(3)).toBe(false);
    for (const [realm, whose] of [
      [manifest.realm, 'another export of this server'],
      ['another', 'an export of another server'],
    ] as const) {
      fs.writeFileSync(
        join(directory, 'manifest.json'),
        spellManifest({ ...manifest, realm, begun_at: 'later' }),
      );
      expect(await failure(imported({ directory }))).toEqual({
        code: 'conflict',
        message: `the database holds half of ${whose}: finish that import, or give an empty database`,
      });
    }
    await imported();
  });

  it('is refused while a server, or another import, uses the database', async () => {
    const { Client } = await import('pg');
    const node = new Client({ connectionString: database.url });
    await node.connect();
    for (const lock of ['pg_advisory_lock_shared', 'pg_advisory_lock']) {
      await node.query(`SELECT ${lock}($1, $2)`, [lockSpace, lockNumber.node]);
      expect(await failure(imported())).toEqual({
        code: 'unavailable',
        message: 'a server or another import is using the database: stop it, or give an empty database',
      });
      await node.query('SELECT pg_advisory_unlock_all()');
    }
    await node.end();
    await imported();
  });

  it('is refused without a secret that others do not know, before the database is looked at', async () => {
    const open = join(place, 'open');
    fs.writeFileSync(open, randomBytes(32), { mode: 0o644 });
    expect(
      await failure(imported({ clusterSecret: open, store: 'postgres://127.0.0.1:1/none' })),
    ).toMatchObject({
      code: 'invalid',
      message: expect.stringContaining(`${open} can be read or written by others`),
    });
  });
});
