import fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type HostFileSystem, hostFiles } from '../../../src/server/store/sqlite/host-files.ts';
import { missingCalls } from '../../../src/server/store/sqlite/system-calls.ts';
import { opened, seqs, texts } from './support/database.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'chat-files-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** `node:fs` with some of its functions replaced. */
const hostWith = (replaced: Partial<Record<keyof HostFileSystem, unknown>>): HostFileSystem => ({
  ...fs,
  ...(replaced as Partial<HostFileSystem>),
});

describe('the files that SQLite sees', () => {
  test('are the database’s own, made for their owner alone', async () => {
    const database = await opened(directory);
    database.say(database.join('alice'), 'one');
    expect(fs.readdirSync(directory).sort()).toEqual(['chat.db', 'chat.db-wal']);
    for (const name of fs.readdirSync(directory)) {
      expect(fs.statSync(join(directory, name)).mode & 0o777).toBe(0o600);
    }
    database.database.close();
    expect(fs.readdirSync(directory)).toEqual(['chat.db']);
  });

  test.each([
    ['VACUUM INTO', (path: string) => `VACUUM INTO '${path}'`],
    ['ATTACH', (path: string) => `ATTACH '${path}' AS other`],
  ])('are no others: %s elsewhere fails and writes nothing', async (_, sql) => {
    const database = await opened(directory);
    for (const path of [
      'copy.db',
      '/copy.db',
      `${directory}/copy.db`,
      '/1/copy.db',
      '/tmp/copy.db',
      '../copy.db',
    ]) {
      expect(() => database.database.execute(sql(path))).toThrow(/unable to open database/);
    }
    database.database.close();
    expect(fs.readdirSync(directory)).toEqual(['chat.db']);
  });

  test('are refused by name before the host is asked', () => {
    const asked: unknown[] = [];
    const files = hostFiles(
      directory,
      'chat.db',
      hostWith({ openSync: (path: unknown) => asked.push(path) }),
    );
    for (const name of ['other.db', 'chat.db-shm', '..', '../chat.db', 'chat.db/', 'lock']) {
      expect(() => files.open(name, fs.constants.O_RDONLY)).toThrow(
        expect.objectContaining({ code: 'EACCES' }),
      );
      expect(() => files.stat(name)).toThrow(expect.objectContaining({ code: 'EACCES' }));
      expect(() => files.unlink(name)).toThrow(expect.objectContaining({ code: 'EACCES' }));
    }
    expect(asked).toEqual([]);
  });

  test('are touched no more once they were let go of', async () => {
    const files = hostFiles(directory, 'chat.db');
    const file = files.open('chat.db', fs.constants.O_RDWR | fs.constants.O_CREAT);
    file.write(new Uint8Array([1]), 0);
    files.close();
    for (const use of [
      () => file.write(new Uint8Array([2]), 0),
      () => file.read(new Uint8Array(1), 0),
      () => file.truncate(0),
      () => file.sync(),
      () => file.stat(),
      () => files.open('chat.db', fs.constants.O_RDWR),
      () => files.stat('chat.db'),
      () => files.unlink('chat.db'),
    ]) {
      expect(use).toThrow('the files are closed');
    }
    file.close();
    expect(fs.readFileSync(join(directory, 'chat.db'))).toEqual(Buffer.alloc(0));
  });

  test('are written and read whole by a host that moves a few bytes at a time', async () => {
    const few = (length: number): number => Math.min(length, 700);
    const host = hostWith({
      readSync: (fd: number, into: Uint8Array, offset: number, length: number, position: number) =>
        fs.readSync(fd, into, offset, few(length), position),
      writeSync: (fd: number, from: Uint8Array, offset: number, length: number, position: number) =>
        fs.writeSync(fd, from, offset, few(length), position),
    });
    const first = await opened(directory, { host });
    const said = Array.from({ length: 50 }, (_, i) => `${i} ${'x'.repeat(2_000)}`);
    expect(seqs(first.say(first.join('alice'), ...said))).toEqual(said.map((_, i) => i + 1));
    first.database.close();
    const second = await opened(directory, { host });
    expect(texts(second.said())).toEqual(said);
    expect(second.integrity()).toBe('ok');
    second.database.close();
  });

  test('are joined in writing: what a batch appends to the log is handed over once', async () => {
    let writes = 0;
    const host = hostWith({
      writeSync: (fd: number, from: Uint8Array, offset: number, length: number, position: number) => {
        writes++;
        return fs.writeSync(fd, from, offset, length, position);
      },
    });
    const database = await opened(directory, { host });
    const alice = database.join('alice');
    database.say(alice, 'first');
    writes = 0;
    database.say(alice, ...Array.from({ length: 100 }, (_, i) => `${i} ${'x'.repeat(100)}`));
    expect(writes).toBe(1);
    database.database.close();
  });
});

describe('syncing', () => {
  /** A host that counts what is synced, by what it is. */
  function counting() {
    const synced = { files: 0, directories: 0 };
    const host = hostWith({
      fdatasyncSync(fd: number) {
        synced.files++;
        fs.fdatasyncSync(fd);
      },
      fsyncSync(fd: number) {
        synced.directories++;
        expect(fs.fstatSync(fd).isDirectory()).toBe(true);
        fs.fsyncSync(fd);
      },
    });
    return { synced, host };
  }

  test('reaches the directory when a file is made', async () => {
    const { synced, host } = counting();
    const database = await opened(directory, { host });
    expect(synced.directories).toBeGreaterThan(0);
    database.database.close();
  });

  test('happens once for a batch of a hundred calls', async () => {
    const { synced, host } = counting();
    const database = await opened(directory, { host });
    const alice = database.join('alice');
    database.say(alice, 'first');
    synced.files = 0;
    const results = database.say(alice, ...Array.from({ length: 100 }, (_, i) => `${i}`));
    expect(seqs(results)).toEqual(Array.from({ length: 100 }, (_, i) => i + 2));
    expect(synced.files).toBe(1);
    database.database.close();
  });

  test('does not happen for a batch that only reads, nor for one whose writes change nothing', async () => {
    const { synced, host } = counting();
    const database = await opened(directory, { host });
    const alice = database.join('alice');
    synced.files = 0;
    database.batch(
      ['account', 'alice'],
      ['usernames', { after: '', limit: 9 }],
      ['conversations', { userId: alice.id }],
    );
    database.batch(['joinRoom', { room: 'lobby', userId: alice.id, now: 1 }]);
    expect(synced).toMatchObject({ files: 0 });
    database.database.close();
  });
});

describe('a build of sql.js with other imports', () => {
  test('is told by the calls that it lacks', () => {
    const empty = new WebAssembly.Module(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));
    const missing = missingCalls(empty);
    expect(missing).toContain('env.__syscall_openat');
    expect(missing).toContain('wasi_snapshot_preview1.fd_sync');
    expect(missing).toHaveLength(21);
  });
});
