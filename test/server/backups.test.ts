import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { auditChain } from '../../src/core/audit-chain.ts';
import { ChatError } from '../../src/core/errors.ts';
import type { Backup } from '../../src/core/ports/operator.ts';
import { type Backups, openBackups } from '../../src/server/backups/backups.ts';
import { migrations } from '../../src/server/store/migrations/index.ts';
import { type EmbeddedStore, sqliteStore } from '../../src/server/store/sqlite/store.ts';
import { inRoom, message, people } from '../contract/support/people.ts';

let directory: string;
let store: EmbeddedStore;
let backups: Backups;
const now = Date.parse('2026-11-21T15:30:02.123Z');
const place = () => join(directory, 'backups');
const open = (data: string) =>
  sqliteStore({
    directory: data,
    onFatal: (error) => {
      throw error;
    },
  });
const over = (whileStill: EmbeddedStore['whileStill'], freeBytes?: (directory: string) => Promise<number>) =>
  openBackups({
    directory: place(),
    database: join(directory, 'chat.db'),
    whileStill,
    ...(freeBytes && { freeBytes }),
  });

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'chat-backups-'));
  store = await open(directory);
  backups = await over((work) => store.whileStill(work));
});
afterEach(async () => {
  await backups.stop();
  await store.close();
  await rm(directory, { recursive: true, force: true });
});

async function refusal(work: Promise<unknown>): Promise<ChatError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof ChatError) return error;
  throw new Error(`refused otherwise: ${error}`);
}

/** Opens a backup as the database of a server, and answers the texts in the lobby. */
async function restored({ name }: Pick<Backup, 'name'>): Promise<(string | undefined)[]> {
  const data = await mkdtemp(join(directory, 'restored-'));
  fs.copyFileSync(join(place(), name), join(data, 'chat.db'));
  const other = await open(data);
  try {
    const texts: (string | undefined)[] = [];
    for (;;) {
      const page = await other.messages({ conversation: 1 as never, after: texts.length, limit: 1_000 });
      if (page.length === 0) return texts;
      for (const { body } of page) texts.push('text' in body ? body.text : undefined);
    }
  } finally {
    await other.close();
  }
}

describe('a backup', () => {
  test('is one file for its owner alone, with the size and digest that are answered, and is sound', async () => {
    const [alice] = await people(store, 'alice');
    await store.appendMessage(message(alice, inRoom('lobby'), { body: { text: 'kept' } }));
    const made = await backups.backUp(now);
    expect(made.name).toMatch(/^chat-20261121T153002Z-[0-9a-f]{6}\.db$/);
    expect(fs.readdirSync(place())).toEqual([made.name]);
    const bytes = fs.readFileSync(join(place(), made.name));
    expect(made.bytes).toBe(bytes.length);
    expect(Buffer.from(made.sha256)).toEqual(createHash('sha256').update(bytes).digest());
    expect(fs.statSync(join(place(), made.name)).mode & 0o777).toBe(0o600);
    expect(fs.statSync(place()).mode & 0o777).toBe(0o700);
    expect(await restored(made)).toEqual(['kept']);
    const checked = await backups.check(made.name, now);
    expect(checked).toMatchObject({ name: made.name, bytes: made.bytes, faults: [] });
    expect(fs.readdirSync(place())).toEqual([made.name]);
  });

  test('made while messages are sent has every one that was acknowledged before it began, and goes on being served', async () => {
    const [alice] = await people(store, 'alice');
    // Enough that the log would go into the file several times while it is copied.
    const filler = 'x'.repeat(8_000);
    let sent = 0;
    let isOver = false;
    const enough = Promise.withResolvers<void>();
    const saying = (async () => {
      while (!isOver) {
        const texts = Array.from({ length: 64 }, (_, n) => `${sent + n} ${filler}`);
        await Promise.all(
          texts.map((text) => store.appendMessage(message(alice, inRoom('lobby'), { body: { text } }))),
        );
        sent += texts.length;
        if (sent >= 640) enough.resolve();
      }
    })();
    try {
      await enough.promise;
      const before = sent;
      const made = await backups.backUp(now);
      const after = sent;
      isOver = true;
      const texts = await restored(made);
      expect(texts.length).toBeGreaterThanOrEqual(before);
      expect(texts.every((text, index) => text === `${index} ${filler}`)).toBe(true);
      expect(after).toBeGreaterThan(before);
      expect((await backups.check(made.name, now)).faults).toEqual([]);
    } finally {
      isOver = true;
      await saying;
    }
  }, 60_000);

  test('without room for it is refused before anything is written, and leaves room for the server', async () => {
    const size = () => fs.statSync(join(directory, 'chat.db')).size;
    const reserved = 256 * 1_048_576;
    let free = size() + reserved - 1;
    const poor = await over(
      (work) => store.whileStill(work),
      async () => free,
    );
    const error = await refusal(poor.backUp(now));
    expect(error.code).toBe('unavailable');
    expect(error.message).toMatch(
      /^no room for a backup: it takes \d+ MiB, 256 MiB must stay free besides, and 256 MiB are:/,
    );
    expect(fs.readdirSync(place())).toEqual([]);
    free += 1;
    await poor.backUp(now);
    expect(fs.readdirSync(place())).toHaveLength(1);
  });

  test('that cannot be written leaves nothing behind, says so, and another one can be made', async () => {
    // A file stands where the directory should be.
    fs.writeFileSync(place(), '');
    expect(await refusal(backups.backUp(now))).toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(
        /^the directory for backups cannot be written \(E[A-Z]+\): see --backup-dir$/,
      ),
    });
    fs.rmSync(place());
    const failing = await over(async () => {
      fs.writeFileSync(join(place(), 'half'), '');
      throw Object.assign(new Error('full'), { code: 'ENOSPC' });
    });
    expect(await refusal(failing.backUp(now))).toMatchObject({
      code: 'unavailable',
      message: 'the disk for backups is full: nothing is left of this one',
    });
    await backups.backUp(now);
    expect(fs.readdirSync(place()).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  test('is given up when the server ends, with nothing left behind', async () => {
    fs.mkdirSync(place());
    execFileSync('mkfifo', [join(directory, 'never-read')]);
    // Reading a pipe that nobody writes to does not end by itself.
    const stuck = await openBackups({
      directory: place(),
      database: join(directory, 'never-read'),
      whileStill: (work) => store.whileStill(work),
    });
    const making = refusal(stuck.backUp(now));
    const writer = fs.openSync(join(directory, 'never-read'), fs.constants.O_RDWR);
    await stuck.stop();
    fs.closeSync(writer);
    expect(await making).toMatchObject({ code: 'unavailable' });
    expect(fs.readdirSync(place())).toEqual([]);
    expect(await refusal(stuck.backUp(now))).toMatchObject({ message: 'the server is shutting down' });
  });

  test('is one at a time', async () => {
    const [first, second] = await Promise.allSettled([backups.backUp(now), backups.backUp(now)]);
    expect(first.status).toBe('fulfilled');
    expect(second).toMatchObject({
      status: 'rejected',
      reason: { code: 'conflict', message: 'a backup or a check is being made: wait for it' },
    });
    expect(fs.readdirSync(place())).toHaveLength(1);
  });

  test('of which a killed server has left a part is removed at the next start, and nothing else is', async () => {
    fs.mkdirSync(place());
    const kept = [
      'chat-20261121T153002Z-3f9a01.db',
      'mine.db.partial',
      'chat-20261121T153002Z-3f9a01.db.partial.txt',
    ];
    for (const name of [...kept, 'chat-20261121T153002Z-3f9a01.db.partial'])
      fs.writeFileSync(join(place(), name), '');
    await over((work) => store.whileStill(work));
    expect(fs.readdirSync(place()).sort()).toEqual([...kept].sort());
  });
});

describe('a check', () => {
  test('of the database looks at a copy, and leaves none', async () => {
    await people(store, 'alice');
    expect(await backups.check(undefined, now)).toMatchObject({ name: null, faults: [] });
    expect(fs.readdirSync(place())).toEqual([]);
  });

  test('finds damage in a backup', async () => {
    const [alice] = await people(store, 'alice');
    for (let n = 0; n < 20; n++) {
      await store.appendMessage(message(alice, inRoom('lobby'), { body: { text: 'y'.repeat(4_000) } }));
    }
    const { name, bytes } = await backups.backUp(now);
    const file = fs.openSync(join(place(), name), 'r+');
    for (let at = 8_192; at + 4_096 <= bytes; at += 4_096)
      fs.writeSync(file, Buffer.alloc(64, 0xff), 0, 64, at);
    fs.closeSync(file);
    expect(await backups.check(name, now)).toMatchObject({ faults: ['database disk image is malformed'] });
  });

  test.each([
    ['no database', 'x'.repeat(8_192), ['file is not a database']],
    ['nothing', '', ['there is no database in it']],
  ])('says of a backup that it is %s, as of any other fault', async (_name, text, faults) => {
    const { name } = await backups.backUp(now);
    fs.writeFileSync(join(place(), name), text);
    expect(await backups.check(name, now)).toEqual({ name, bytes: text.length, format: 0, faults });
  });

  test.each([
    [99, `it was written by a newer chat (its format is 99, this one knows ${migrations.length})`],
    [0, 'it is not a database of chat'],
  ])('says of a backup of format %i that it is none of ours', async (format, fault) => {
    const { name } = await backups.backUp(now);
    const database = new DatabaseSync(join(place(), name));
    database.exec(`PRAGMA user_version = ${format}`);
    database.close();
    expect(await backups.check(name, now)).toMatchObject({ name, faults: [fault] });
  });

  test('finds a row of the audit trail that was edited in a backup', async () => {
    const settings = { realm: 'chat.example', serverSecret: new Uint8Array(32).fill(7) };
    await store.settings(settings);
    await people(store, 'alice');
    const row = {
      at: now,
      operation: 'login.finish',
      user: 'alice',
      door: 'line',
      address: '192.0.2.1',
    } as const;
    const entries = [1, 2, 3].map(() => ({ ...row, outcome: 'ok' }) as const);
    await store.appendAudit({ entries, chain: auditChain(settings) });
    const { name } = await backups.backUp(now);
    expect(await backups.check(name, now)).toMatchObject({ faults: [] });
    const database = new DatabaseSync(join(place(), name));
    database.exec(`UPDATE audit SET "user" = 'mallory' WHERE seq = 2`);
    database.close();
    expect(await backups.check(name, now)).toMatchObject({
      faults: ['the audit trail is not intact: row 2 is not as it was written'],
    });
    expect(await backups.check(undefined, now)).toMatchObject({ faults: [] });
  });

  test('finds no backup under another kind of name, whatever file it may lead to', async () => {
    fs.mkdirSync(place());
    fs.writeFileSync(join(place(), 'chat-20261121T153002Z-3f9a01.db.partial'), '');
    for (const name of [
      '../chat.db',
      'chat.db',
      '..',
      '',
      '/etc/passwd',
      'chat-20261121T153002Z-3f9a01.db/../../chat.db',
      'chat-20261121T153002Z-3f9a01.db\0',
      'chat-20261121T153002Z-3f9a01.db.partial',
      'chat-20261121T153002Z-000000.db',
    ]) {
      expect(await refusal(backups.check(name, now))).toMatchObject({
        code: 'not-found',
        message: 'there is no backup of this name',
      });
    }
  });

  test('follows no link', async () => {
    fs.mkdirSync(place());
    fs.symlinkSync(join(directory, 'chat.db'), join(place(), 'chat-20261121T153002Z-3f9a01.db'));
    expect(await refusal(backups.check('chat-20261121T153002Z-3f9a01.db', now))).toMatchObject({
      code: 'not-found',
    });
  });
});

describe('the database while it is held still', () => {
  test('does not change in its file although much is stored, is as acknowledged before, and takes the log up afterwards', async () => {
    const [alice] = await people(store, 'alice');
    const file = join(directory, 'chat.db');
    const digest = () => createHash('sha256').update(fs.readFileSync(file)).digest('hex');
    await store.whileStill(async () => {
      const before = digest();
      for (let n = 0; n < 200; n++) {
        await store.appendMessage(message(alice, inRoom('lobby'), { body: { text: 'z'.repeat(15_000) } }));
      }
      expect(digest()).toBe(before);
    });
    const held = digest();
    await store.appendMessage(message(alice, inRoom('lobby')));
    await store.counts();
    expect(digest()).not.toBe(held);
  });

  test('is scrubbed only afterwards, and not closed before', async () => {
    const order: string[] = [];
    const held = store.whileStill(async () => {
      await store.counts();
      await new Promise(setImmediate);
      order.push('held');
    });
    const scrubbed = store.scrub({ from: 0 }).then(() => order.push('scrubbed'));
    await Promise.all([held, scrubbed]);
    const again = store.whileStill(async () => {
      await store.counts();
      order.push('held');
    });
    await Promise.all([again, store.close().then(() => order.push('closed'))]);
    expect(order).toEqual(['held', 'scrubbed', 'held', 'closed']);
    await expect(store.whileStill(async () => {})).rejects.toMatchObject({ code: 'unavailable' });
    store = await open(directory);
  });
});
