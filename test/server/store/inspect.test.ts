import fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { migrations } from '../../../src/server/store/migrations/index.ts';
import { inspectDatabase } from '../../../src/server/store/sqlite/inspect.ts';
import { inspectAside } from '../../../src/server/store/sqlite/inspect-aside.ts';
import { opened } from './support/database.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'chat-inspect-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const sound = () => ({
  path: join(directory, 'chat.db'),
  format: migrations.length as number | undefined,
  known: migrations.length,
  faults: [] as string[],
  trailFault: undefined as string | undefined,
});
const inspect = () => inspectDatabase({ directory });

/** Every byte of the directory, and when its files were written. */
const everything = () =>
  fs.readdirSync(directory).map((name) => {
    const path = join(directory, name);
    return [name, fs.readFileSync(path).toString('base64'), fs.statSync(path).mtimeMs];
  });

/** Makes a database with many messages; `end` is how its server ended. */
async function made(end: 'close' | 'abandon', count = 500): Promise<void> {
  const { database, join: register, say } = await opened(directory);
  say(register('alice'), ...Array.from({ length: count }, (_, n) => `${n} ${'x'.repeat(300)}`));
  database[end]();
}

describe('a look at a database', () => {
  test.each(['close', 'abandon'] as const)(
    'tells its format and that it is sound, and leaves every byte as it was, after %s',
    async (end) => {
      await made(end);
      const before = everything();
      expect(await inspect()).toEqual(sound());
      expect(await inspect()).toEqual(sound());
      expect(everything()).toEqual(before);
    },
  );

  test('sees what only the log of a killed server has', async () => {
    const { database } = await opened(directory);
    database.close();
    const { database: again } = await opened(directory);
    again.execute('PRAGMA user_version = 99');
    again.abandon();
    await expect(inspect()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('was written by a newer chat (its format is 99'),
    });
  });

  test('finds none, and makes none', async () => {
    expect(await inspect()).toEqual({ ...sound(), format: undefined });
    expect(everything()).toEqual([]);
  });

  test('needs no right to write', async () => {
    await made('abandon');
    for (const name of fs.readdirSync(directory)) fs.chmodSync(join(directory, name), 0o400);
    fs.chmodSync(directory, 0o500);
    expect(await inspect()).toEqual(sound());
    fs.chmodSync(directory, 0o700);
  });

  test('finds a page that was overwritten', async () => {
    await made('close');
    const path = join(directory, 'chat.db');
    const file = fs.openSync(path, 'r+');
    // In the middle, page by page: some are those of the table of messages.
    const { size } = fs.fstatSync(file);
    for (let at = Math.floor(size / 8192) * 4096; at < size; at += 4096) {
      fs.writeSync(file, Buffer.alloc(64, 0xee), 0, 64, at);
    }
    fs.closeSync(file);
    expect((await inspect()).faults.join('\n')).toMatch(/page/i);
  });

  test.each([
    [
      'no database at all',
      Buffer.from('not a database, but long enough to be read as one'.repeat(50)),
      'is damaged',
    ],
    ['another program’s', undefined, 'is not a database of chat'],
  ])('refuses %s', async (_name, bytes, text) => {
    if (bytes) fs.writeFileSync(join(directory, 'chat.db'), bytes);
    else {
      const { database } = await opened(directory, { migrations: [['CREATE TABLE theirs (a)']] });
      database.execute('PRAGMA user_version = 0');
      database.close();
    }
    await expect(inspect()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining(text),
    });
  });

  test('happens on a thread of its own too', async () => {
    await made('abandon', 1);
    expect(await inspectAside(directory)).toEqual(sound());
    fs.writeFileSync(join(directory, 'chat.db'), 'x'.repeat(4096));
    fs.rmSync(join(directory, 'chat.db-wal'));
    await expect(inspectAside(directory)).rejects.toMatchObject({ code: 'unavailable' });
  });
});
