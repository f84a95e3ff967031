import fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Session } from '../../../src/core/model/session.ts';
import { migrations } from '../../../src/server/store/migrations/index.ts';
import { digest } from '../../contract/support/people.ts';
import { opened, seqs, texts } from './support/database.ts';

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'chat-opening-'));
  path = join(directory, 'chat.db');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** What the directory's files hold now; SQLite makes the log as it looks into a database, and leaves it empty. */
const files = (): Record<string, string> =>
  Object.fromEntries(
    fs
      .readdirSync(directory)
      .map((name) => [name, fs.readFileSync(join(directory, name)).toString('base64')])
      .filter(([name, content]) => !(name === 'chat.db-wal' && content === '')),
  );

/** Opens, expecting a refusal with this text that leaves every byte as it was. */
async function refused(message: string, options: Parameters<typeof opened>[1] = {}): Promise<void> {
  const before = files();
  await expect(opened(directory, options)).rejects.toMatchObject({ code: 'unavailable', message });
  expect(files()).toEqual(before);
}

/** Makes a database with one message in it, and closes it. */
async function made(): Promise<void> {
  const database = await opened(directory);
  database.say(database.join('alice'), 'one');
  database.database.close();
}

describe('a database that is refused is left as it is', () => {
  test('when a newer version wrote it: both formats are named', async () => {
    const database = await opened(directory);
    database.say(database.join('alice'), 'one');
    database.database.execute('PRAGMA user_version = 99');
    database.database.close();
    const message = `${path} was written by a newer chat (its format is 99, this one knows ${migrations.length}): start that version, or restore an older backup`;
    await refused(message);
    await refused(message);
  });

  test('when a newer version wrote it and was killed: its log stays too', async () => {
    const database = await opened(directory);
    database.say(database.join('alice'), 'one');
    database.database.execute('PRAGMA user_version = 99');
    database.database.abandon();
    expect(Object.keys(files()).sort()).toEqual(['chat.db', 'chat.db-wal']);
    await refused(
      `${path} was written by a newer chat (its format is 99, this one knows ${migrations.length}): start that version, or restore an older backup`,
    );
  });

  test('when it is no database', async () => {
    fs.writeFileSync(path, 'this is a text that somebody keeps here, and no database at all'.repeat(100));
    await refused(
      `${path} is damaged (file is not a database): restore a backup; the file was left as it is`,
    );
  });

  test('when its tables cannot be read', async () => {
    await made();
    const bytes = fs.readFileSync(path);
    // The first page's list of tables; the header before it is whole.
    bytes.fill(0xaa, 100, 4_096);
    fs.writeFileSync(path, bytes);
    await refused(
      `${path} is damaged (database disk image is malformed): restore a backup; the file was left as it is`,
    );
  });

  test('when it is some other program’s', async () => {
    const database = await opened(directory, { migrations: [['CREATE TABLE theirs (id INTEGER)']] });
    database.database.execute('PRAGMA user_version = 0');
    database.database.close();
    await refused(`${path} is not a database of chat: give another data directory`);
  });

  /** Three commits of 80 messages in the log of a killed server; answers the log and where each commit begins. */
  async function killed(): Promise<{ log: Buffer; starts: number[] }> {
    const database = await opened(directory);
    const alice = database.join('alice');
    const logPath = `${path}-wal`;
    const starts: number[] = [];
    for (const commit of ['one', 'two', 'three']) {
      starts.push(fs.statSync(logPath).size);
      database.say(alice, ...Array.from({ length: 80 }, (_, n) => `${commit} ${n} ${'x'.repeat(200)}`));
    }
    database.database.abandon();
    return { log: fs.readFileSync(logPath), starts };
  }
  const damagedLog = () =>
    `${path}-wal is damaged: messages that were acknowledged could be missing; restore a backup; the file was left as it is`;

  test('when a bit of its log has changed before the last commit, wherever it is', async () => {
    const { log, starts } = await killed();
    const [first = 0, second = 0, third = 0] = starts;
    const places = [
      0,
      9,
      17,
      31,
      32,
      36,
      40,
      48,
      first,
      first + 5_000,
      second - 1,
      second,
      second + 4,
      third - 1,
    ];
    for (const place of places) {
      const changed = Buffer.from(log);
      changed[place] = (changed[place] ?? 0) ^ 0x10;
      fs.writeFileSync(`${path}-wal`, changed);
      await refused(damagedLog());
    }
    const holed = Buffer.from(log).fill(0, second, second + 512);
    fs.writeFileSync(`${path}-wal`, holed);
    await refused(damagedLog());
    fs.writeFileSync(`${path}-wal`, log);
    const database = await opened(directory);
    expect(database.said()).toHaveLength(240);
    database.database.close();
  });

  test('but not when its last commit is there in part, which is what a power cut leaves', async () => {
    const { log, starts } = await killed();
    const file = fs.readFileSync(path);
    const third = starts[2] ?? 0;
    for (let hole = third; hole < log.length; hole += 4_120) {
      fs.writeFileSync(path, file);
      fs.writeFileSync(`${path}-wal`, Buffer.from(log).fill(0, hole, hole + 1_024));
      const database = await opened(directory);
      expect(database.said()).toHaveLength(160);
      database.database.abandon();
    }
  });

  test('but not when an earlier round of the log stands behind its end', async () => {
    const database = await opened(directory);
    const alice = database.join('alice');
    database.say(alice, ...Array.from({ length: 80 }, (_, n) => `one ${n} ${'x'.repeat(9_000)}`));
    // All of it goes into the file, and the next commit is written over its beginning.
    database.database.execute('PRAGMA wal_checkpoint(RESTART)');
    const { size } = fs.statSync(`${path}-wal`);
    database.say(alice, 'two');
    database.database.abandon();
    expect(fs.statSync(`${path}-wal`).size).toBe(size);
    const again = await opened(directory);
    expect(again.said()).toHaveLength(81);
    again.database.close();
  });

  test('when the host does not let it be opened', async () => {
    await made();
    const host = {
      ...fs,
      openSync() {
        throw Object.assign(new Error('EACCES'), { code: 'EACCES' });
      },
    };
    await refused(
      `${path} cannot be opened (unable to open database file): check its permissions and its disk`,
      {
        host,
      },
    );
    // And once it does, it is served.
    const database = await opened(directory);
    expect(texts(database.said())).toEqual(['one']);
    database.database.close();
  });
});

describe('a database that is opened', () => {
  test('may be an empty file', async () => {
    fs.writeFileSync(path, '');
    await made();
    expect(texts((await opened(directory)).said())).toEqual(['one']);
  });

  test('is found whole after a kill, whatever its log ends with', async () => {
    const database = await opened(directory);
    const alice = database.join('alice');
    database.say(alice, 'one');
    const before = fs.statSync(join(directory, 'chat.db-wal')).size;
    database.say(alice, 'two');
    const log = fs.readFileSync(join(directory, 'chat.db-wal'));
    const file = fs.readFileSync(path);
    database.database.abandon();
    const lengths = [log.length, log.length - 1, log.length - 4_096, before + 24, before + 1, before];
    for (const [index, length] of lengths.entries()) {
      for (const tail of [Buffer.alloc(0), Buffer.alloc(5_000, 0x5a)]) {
        const copy = join(directory, `copy-${index}-${tail.length}`);
        fs.mkdirSync(copy);
        fs.writeFileSync(join(copy, 'chat.db'), file);
        fs.writeFileSync(join(copy, 'chat.db-wal'), Buffer.concat([log.subarray(0, length), tail]));
        const found = await opened(copy);
        expect(texts(found.said())).toEqual(index === 0 ? ['one', 'two'] : ['one']);
        expect(found.integrity()).toBe('ok');
        expect(seqs(found.say(alice, 'next'))).toEqual([index === 0 ? 3 : 2]);
        found.database.close();
      }
    }
  });

  test('may be one of format 1, as the first version left it: everything in it is kept', async () => {
    const fixture = fileURLToPath(new URL('fixtures/format-1.db.gz', import.meta.url));
    fs.writeFileSync(path, gunzipSync(fs.readFileSync(fixture)));
    for (const _ of [1, 2]) {
      const database = await opened(directory);
      expect(texts(database.said())).toEqual(['one', 'two']);
      const [found] = database.batch(['sessionByToken', digest(1)]);
      expect(found).toMatchObject({ value: { username: 'alice', deviceLabel: 'laptop', csrfHash: null } });
      expect(database.integrity()).toBe('ok');
      database.database.close();
    }
    const database = await opened(directory);
    const [before] = database.batch(['sessionByToken', digest(1)]);
    const { id } = (before as { value: Session }).value;
    expect(database.batch(['setCsrfHash', { id, csrfHash: digest(3) }])).toEqual([{ value: true }]);
    expect(database.batch(['sessionByToken', digest(1)])).toMatchObject([{ value: { csrfHash: digest(3) } }]);
    database.database.close();
    // The first version is told that it is not its any more.
    await refused(
      `${path} was written by a newer chat (its format is ${migrations.length}, this one knows 1): start that version, or restore an older backup`,
      { migrations: migrations.slice(0, 1) },
    );
  });

  test('is brought up to date step by step, once', async () => {
    await made();
    const next = ['CREATE TABLE later (id INTEGER)', 'INSERT INTO later VALUES (1)'];
    for (const _ of [1, 2]) {
      const database = await opened(directory, { migrations: [...migrations, next] });
      expect(texts(database.said())).toEqual(['one']);
      database.database.execute('INSERT INTO later VALUES (2)');
      database.database.close();
    }
    // The older program is told what it has in hand.
    await refused(
      `${path} was written by a newer chat (its format is ${migrations.length + 1}, this one knows ${migrations.length}): start that version, or restore an older backup`,
    );
  });

  test('keeps nothing of a step that fails, and takes it when it is mended', async () => {
    await made();
    const steps = (last: string) => [...migrations, ['CREATE TABLE later (id INTEGER)', last]];
    await expect(opened(directory, { migrations: steps('CREATE NONSENSE') })).rejects.toThrow(/syntax error/);
    const database = await opened(directory, { migrations: steps('INSERT INTO later VALUES (1)') });
    expect(texts(database.said())).toEqual(['one']);
    database.database.close();
  });
});
