import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { keptNames, toldOf, unpackData } from '../../../scripts/keep-database/kept.ts';
import { openDataDirectory } from '../../../src/server/data-directory/data-directory.ts';
import { type ExportOptions, exportStore } from '../../../src/server/moving/export-store.ts';
import {
  type Manifest,
  pieceName,
  readManifest,
  spellManifest,
} from '../../../src/server/moving/manifest.ts';
import { migrations } from '../../../src/server/store/migrations/index.ts';
import { movedTables } from '../../../src/server/store/moved-tables.ts';
import { opened } from '../store/support/database.ts';

const newest = keptNames()
  .filter((name) => toldOf(name).format === migrations.length)
  .at(-1);
if (newest === undefined) throw new Error('no stored directory of this format');

let place: string;
/** A data directory of a day's life; a test that changes one makes its own. */
let data: string;
let directory: string;
let runs = 0;

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'chat-moving-'));
  data = ownData();
});
afterAll(() => rm(place, { recursive: true, force: true }));
beforeEach(() => {
  runs += 1;
  directory = join(place, `export-${runs}`);
});

function ownData(): string {
  runs += 1;
  const own = join(place, `data-${runs}`);
  unpackData(newest ?? '', own);
  return own;
}

const exported = (options: Partial<ExportOptions> = {}) =>
  exportStore({ directory, data, version: '0.0.0', now: 0, ...options });

const manifestOf = (where = directory): Manifest =>
  readManifest(fs.readFileSync(join(where, 'manifest.json'), 'utf8'), 'manifest.json');

const failure = (work: Promise<unknown>) =>
  work.then(
    () => 'nothing was refused',
    ({ code, message }) => ({ code, message }),
  );

/** What stands in an export of a table: its pieces, taken apart. */
const textOf = (table: Manifest['tables'][number], where = directory): string =>
  table.pieces
    .map((_, index) =>
      gunzipSync(fs.readFileSync(join(where, pieceName(table.name, index)))).toString('utf8'),
    )
    .join('');

/** The files of a directory with what is in them; a lock, and the empty log that a look leaves, are left out. */
const filesOf = (where: string): Record<string, string> =>
  Object.fromEntries(
    fs
      .readdirSync(where, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name !== 'lock')
      .map(({ parentPath, name }) => join(parentPath, name))
      .filter((path) => !path.endsWith('-wal') || fs.statSync(path).size > 0)
      .sort()
      .map((path) => [path.slice(where.length), fs.readFileSync(path).toString('base64')]),
  );

/** An export without when it was begun. */
const contentOf = (where: string) => ({
  ...filesOf(where),
  '/manifest.json': { ...manifestOf(where), begun_at: '' },
});

const small = { rows: 3, characters: 2_000 };

describe('the tables that move', () => {
  it('are all that the database has, but for the index of words, with every column and their primary keys', async () => {
    const own = join(place, 'fresh');
    fs.mkdirSync(own);
    const fresh = await opened(own);
    fresh.database.close();
    const database = new DatabaseSync(join(own, 'chat.db'), { readOnly: true });
    const names = database
      .prepare(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'search_%' ORDER BY name",
      )
      .all()
      .map(({ name }) => name);
    expect(movedTables.map(({ name }) => name).sort()).toEqual(names);
    const kinds: Record<string, string> = { TEXT: 'text', INTEGER: 'integer', BLOB: 'bytes' };
    for (const { name, columns, key } of movedTables) {
      const found = database.prepare(`PRAGMA table_info("${name}")`).all();
      const declared = found.map((column) => ({
        name: column.name,
        kind: name === 'settings' && column.name === 'value' ? 'either' : kinds[String(column.type)],
      }));
      expect([...columns].sort((a, b) => (a.name < b.name ? -1 : 1))).toEqual(
        declared.sort((a, b) => (String(a.name) < String(b.name) ? -1 : 1)),
      );
      const keys = found.filter(({ pk }) => Number(pk) > 0).sort((a, b) => Number(a.pk) - Number(b.pk));
      expect(key).toEqual(keys.map((column) => column.name));
    }
    database.close();
  });

  it('come after those that they refer to', async () => {
    const database = new DatabaseSync(join(data, 'chat.db'), { readOnly: true });
    const seen: string[] = [];
    for (const { name } of movedTables) {
      for (const { table } of database.prepare(`PRAGMA foreign_key_list("${name}")`).all())
        expect(seen).toContain(table);
      seen.push(name);
    }
    database.close();
  });
});

describe('an export', () => {
  it('has every row of every table, as another reader of the file finds them, and the digest over them', async () => {
    const report = await exported({ bounds: small });
    const manifest = manifestOf();
    const database = new DatabaseSync(join(data, 'chat.db'), { readOnly: true });
    expect(manifest.complete).toBe(true);
    expect(manifest.tables.map(({ name }) => name)).toEqual(movedTables.map(({ name }) => name));
    for (const [index, { name, columns, key }] of movedTables.entries()) {
      const table = manifest.tables[index] as Manifest['tables'][number];
      const order = key.map((column) => `"${column}"`).join(', ');
      const filter = name === 'settings' ? "WHERE name <> 'unscrubbed'" : '';
      const rows = database.prepare(`SELECT * FROM "${name}" ${filter} ORDER BY ${order}`).all();
      const lines = rows.map((row) => {
        const cells = columns.map(({ name: column, kind }) => {
          const value = row[column];
          if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
          return kind === 'either' ? Buffer.from(String(value)).toString('base64') : value;
        });
        return `${JSON.stringify(cells)}\n`;
      });
      expect(textOf(table)).toBe(lines.join(''));
      expect(table.rows).toBe(rows.length);
      const sha256 = createHash('sha256').update(lines.join('')).digest('hex');
      expect(table.sha256).toBe(sha256);
      expect(report.tables[index]).toEqual({ table: name, rows: rows.length, sha256 });
      for (const piece of table.pieces) expect(piece.rows).toBeLessThanOrEqual(small.rows);
    }
    const { value: realm } = database.prepare("SELECT value FROM settings WHERE name = 'realm'").get() ?? {};
    database.close();
    expect(manifest.realm).toBe(realm);
    expect(report.realm).toBe(realm);
    const full = manifest.tables.filter(({ rows }) => rows > 0).map(({ name }) => name);
    expect(full).toEqual(
      expect.arrayContaining(['messages', 'sessions', 'audit', 'totp', 'key_backups', 'invites']),
    );
  });

  it('is for its owner alone, has the keys by which the server is known, and changes nothing where it comes from', async () => {
    const before = filesOf(data);
    await exported();
    expect(filesOf(data)).toEqual(before);
    for (const entry of fs.readdirSync(directory, { recursive: true, withFileTypes: true })) {
      const mode = fs.statSync(join(entry.parentPath, entry.name)).mode & 0o777;
      expect([entry.name, mode]).toEqual([entry.name, entry.isDirectory() ? 0o700 : 0o600]);
    }
    expect(fs.statSync(directory).mode & 0o777).toBe(0o700);
    const files = ['ttpkeys/ca.key', 'ttpkeys/ca.crt', 'serverkeys/server.key', 'serverkeys/server.crt'];
    expect(manifestOf().keys.map(({ file }) => file)).toEqual(files);
    for (const file of files)
      expect(fs.readFileSync(join(directory, file))).toEqual(fs.readFileSync(join(data, file)));
  });

  it('has what a killed server has left in its log alone', async () => {
    const own = ownData();
    const killed = await opened(own);
    killed.say(killed.join('zoe'), 'only in the log');
    killed.database.abandon();
    expect(fs.statSync(join(own, 'chat.db-wal')).size).toBeGreaterThan(0);
    await exported({ data: own });
    const messages = manifestOf().tables.find(({ name }) => name === 'messages');
    expect(messages && textOf(messages)).toContain('"only in the log"');
  });

  it('takes the rows of a backup while the server runs, and its keys', async () => {
    const own = ownData();
    const backup = join(own, 'backups', 'chat-20260101T000000Z-abcdef.db');
    fs.mkdirSync(dirname(backup), { recursive: true });
    fs.copyFileSync(join(own, 'chat.db'), backup);
    const held = await openDataDirectory(own);
    onTestFinished(() => held.close());
    await exported({ data: own, from: backup });
    expect(manifestOf()).toMatchObject({ complete: true, keys: { length: 4 } });
  });
});

describe('who exports is told', () => {
  it('that the audit trail is not intact, and that the server has no certificate of its own', async () => {
    const own = ownData();
    fs.rmSync(join(own, 'serverkeys'), { recursive: true });
    const database = new DatabaseSync(join(own, 'chat.db'));
    database.exec("UPDATE audit SET outcome = 'another' WHERE seq = 2");
    database.close();
    const notes: string[] = [];
    await exported({ data: own, onNote: (text) => notes.push(text) });
    expect(notes).toEqual([
      expect.stringMatching(/^the audit trail is not intact, and is taken along as it is: .*row 2/),
      'there is no serverkeys/server.key: clients know this server by an operator’s certificate, which each node must be given',
    ]);
    expect(manifestOf().keys.map(({ file }) => file)).toEqual(['ttpkeys/ca.key', 'ttpkeys/ca.crt']);
  });
});

describe('an interrupted export', () => {
  /** Runs until something has been told so many times, as a killed process would; answers whether it came to its end. */
  async function interrupted(times: number, options: Partial<ExportOptions> = {}): Promise<boolean> {
    let told = 0;
    const onProgress = (): void => {
      told += 1;
      if (told > times) throw new Error('killed');
    };
    return await exported({ bounds: small, ...options, onProgress }).then(
      () => true,
      (error: unknown) => {
        expect(error).toEqual(new Error('killed'));
        return false;
      },
    );
  }

  it('goes on wherever it was interrupted, and is then as if it had not been', async () => {
    await exported({ bounds: small });
    const whole = contentOf(directory);
    directory = join(place, 'interrupted');
    let steps = 0;
    let rounds = 0;
    for (; !(await interrupted(steps)); steps += 9) rounds += 1;
    expect(rounds).toBeGreaterThan(5);
    expect(contentOf(directory)).toEqual(whole);
  });

  it('goes on after the last piece that is whole: what a kill left of the next one, and a damaged one, are written again', async () => {
    await exported({ bounds: small });
    const whole = contentOf(directory);
    const manifest = manifestOf();
    const messages = manifest.tables.find(({ name }) => name === 'messages');
    expect(messages?.pieces.length).toBeGreaterThan(3);
    for (const damage of [
      (path: string) => fs.rmSync(path),
      (path: string) => fs.writeFileSync(path, fs.readFileSync(path).subarray(1)),
      (path: string) => {
        const bytes = fs.readFileSync(path);
        bytes[bytes.length - 12] = (bytes[bytes.length - 12] ?? 0) ^ 1;
        fs.writeFileSync(path, bytes);
      },
    ]) {
      fs.writeFileSync(join(directory, 'manifest.json'), spellManifest({ ...manifest, complete: false }));
      damage(join(directory, pieceName('messages', 1)));
      fs.writeFileSync(join(directory, `${pieceName('messages', 1)}.partial`), 'half');
      await exported({ bounds: small });
      expect(contentOf(directory)).toEqual(whole);
    }
  });

  it('begins anew when the server has run since, and says so', async () => {
    const own = ownData();
    expect(await interrupted(30, { data: own })).toBe(false);
    const database = await opened(own);
    database.say(database.join('zoe'), 'later');
    database.database.close();
    const notes: string[] = [];
    await exported({ data: own, bounds: small, onNote: (text) => notes.push(text) });
    expect(notes).toEqual(['the database has changed since this export was interrupted: it begins anew']);
    const after = contentOf(directory);
    directory = join(place, 'straight');
    await exported({ data: own, bounds: small });
    expect(after).toEqual(contentOf(directory));
  });

  it('that has come to its end is answered the same again', async () => {
    const report = await exported();
    const before = filesOf(directory);
    expect(await exported()).toEqual(report);
    expect(filesOf(directory)).toEqual(before);
  });
});

describe('an export is refused', () => {
  it('while a server runs there', async () => {
    const held = await openDataDirectory(data);
    onTestFinished(() => held.close());
    expect(await failure(exported())).toEqual({
      code: 'unavailable',
      message: expect.stringMatching(
        `in use by another chat server \\(process ${process.pid}, .*: stop that one`,
      ),
    });
    expect(fs.existsSync(directory)).toBe(false);
  });

  it('into a directory that holds something else, which stays as it is', async () => {
    fs.mkdirSync(directory, { mode: 0o755 });
    fs.writeFileSync(join(directory, 'thesis.txt'), 'x');
    expect(await failure(exported())).toEqual({
      code: 'conflict',
      message: `${directory} is not empty, and holds no export: give another directory, or an empty one`,
    });
    expect(fs.readdirSync(directory)).toEqual(['thesis.txt']);
    expect(fs.statSync(directory).mode & 0o777).toBe(0o755);
  });

  it('into one with an export of an earlier state, or of another server', async () => {
    const own = ownData();
    await exported({ data: own });
    const database = await opened(own);
    database.say(database.join('zoe'), 'later');
    database.database.close();
    expect(await failure(exported({ data: own }))).toEqual({
      code: 'conflict',
      message: `${directory} holds a finished export of an earlier state of this server: give another directory`,
    });
    const manifest = manifestOf();
    const other = spellManifest({ ...manifest, realm: 'another', complete: false });
    fs.writeFileSync(join(directory, 'manifest.json'), other);
    expect(await failure(exported({ data: own }))).toEqual({
      code: 'conflict',
      message: `${directory} holds an unfinished export of another server: give another directory`,
    });
  });

  it('into one whose manifest is damaged, or of a newer version', async () => {
    await exported();
    const path = join(directory, 'manifest.json');
    const text = fs.readFileSync(path, 'utf8');
    for (const wrong of [
      '',
      '{}',
      'x',
      text.replace('"complete": true', '"complete": false'),
      text.slice(1),
    ]) {
      fs.writeFileSync(path, wrong);
      expect(await failure(exported())).toEqual({
        code: 'unavailable',
        message: `${path} is damaged: export again, into another directory`,
      });
    }
    fs.writeFileSync(path, text.replace('"version": 1', '"version": 2'));
    expect(await failure(exported())).toEqual({
      code: 'unavailable',
      message: `${path} was written by a newer chat (version 2 of the manifest, this one knows 1): use that version`,
    });
  });

  it('of a database of an older format, also of a backup', async () => {
    const older = keptNames().find((name) => toldOf(name).format === migrations.length - 1) ?? '';
    const own = join(place, 'older');
    unpackData(older, own);
    const backup = join(place, 'older.db');
    fs.copyFileSync(join(own, 'chat.db'), backup);
    const begin = (file: string) =>
      `${file} has format ${migrations.length - 1}, of an older chat; this one moves format ${migrations.length}: `;
    expect(await failure(exported({ data: own }))).toEqual({
      code: 'unavailable',
      message: `${begin(join(own, 'chat.db'))}start chat serve there once, which brings it up to date, and stop it`,
    });
    expect(await failure(exported({ data: own, from: backup }))).toEqual({
      code: 'unavailable',
      message: `${begin(backup)}restore it into a data directory, start chat serve there once, and export that`,
    });
  });

  it('where there is no database, no backup, or no key of the authority', async () => {
    const empty = join(place, 'empty');
    fs.mkdirSync(empty);
    for (const wrong of [empty, join(place, 'nowhere')]) {
      expect(await failure(exported({ data: wrong }))).toEqual({
        code: 'not-found',
        message: `there is no database of a server in ${wrong}: give its data directory`,
      });
    }
    const backup = join(place, 'no.db');
    expect(await failure(exported({ from: backup }))).toEqual({
      code: 'not-found',
      message: `there is no backup ${backup}: give the path of one`,
    });
    expect(await failure(exported({ from: join(data, 'chat.db') }))).toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('--from takes a backup'),
    });
    const own = ownData();
    const key = join(own, 'ttpkeys', 'ca.key');
    fs.rmSync(key);
    expect(await failure(exported({ data: own }))).toEqual({
      code: 'unavailable',
      message: `${key} is missing: bring the keys from where the database comes from, or clients would see another server`,
    });
    expect(fs.existsSync(directory)).toBe(false);
  });

  it('of a damaged database, and of a damaged backup', async () => {
    const own = ownData();
    const file = join(own, 'chat.db');
    const bytes = fs.readFileSync(file);
    bytes.fill(0xa5, 4_096 * 3, 4_096 * 6);
    fs.writeFileSync(file, bytes);
    expect(await failure(exported({ data: own }))).toEqual({
      code: 'unavailable',
      message: expect.stringMatching(/chat\.db is damaged.*: restore a backup/s),
    });
    const backup = join(place, 'damaged.db');
    fs.writeFileSync(backup, bytes);
    expect(await failure(exported({ from: backup }))).toEqual({
      code: 'unavailable',
      message: expect.stringMatching(/damaged\.db is damaged: .*; take another backup/s),
    });
    expect(fs.existsSync(directory)).toBe(false);
  });
});
