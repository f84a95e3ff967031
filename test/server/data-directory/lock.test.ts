import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openDataDirectory } from '../../../src/server/data-directory/data-directory.ts';
import { lockDirectory } from '../../../src/server/data-directory/lock.ts';

const program = fileURLToPath(new URL('./support/holder.ts', import.meta.url));
let directory: string;
let children: ChildProcess[];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'chat-lock-'));
  children = [];
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await rm(directory, { recursive: true, force: true });
});

/** Another process, which is about to take the lock; `take` answers what it said. */
async function aboutTo(where = directory) {
  const child = spawn(process.execPath, [program, where], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  const said = async () => String((await once(child.stdout, 'data'))[0]).trim();
  expect(await said()).toBe('ready');
  return {
    child,
    take() {
      child.stdin.write('now');
      return said();
    },
  };
}

/** Another process that takes the lock; answers what it said. */
async function starter(where = directory): Promise<{ child: ChildProcess; said: string }> {
  const { child, take } = await aboutTo(where);
  return { child, said: await take() };
}

const inUse = (pid: number | undefined) =>
  expect.stringMatching(
    new RegExp(
      `^the data directory ${directory} is in use by another chat server \\(process ${pid}, since \\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z\\): stop that one, or give another directory with --data$`,
    ),
  );
const names = () => readdirSync(directory).map((name) => name.replace(/^lock-[0-9a-f]{16}/, 'lock-*'));

describe('the lock of a data directory', () => {
  test('is held by one process; another is told who holds it, since when, and where', async () => {
    const { child, said } = await starter();
    expect(said).toBe('held');
    await expect(lockDirectory(directory)).rejects.toMatchObject({
      code: 'unavailable',
      message: inUse(child.pid),
    });
    expect(JSON.parse(readFileSync(join(directory, 'lock'), 'utf8'))).toMatchObject({ pid: child.pid });
    expect(names().sort()).toEqual(['lock', 'lock-*.sock']);
  });

  test('is free again when it is released, and leaves nothing behind', async () => {
    const lock = await lockDirectory(directory);
    await lock.release();
    expect(names()).toEqual([]);
    await (await lockDirectory(directory)).release();
  });

  test('is not held twice by one process either', async () => {
    const lock = await lockDirectory(directory);
    await expect(lockDirectory(directory)).rejects.toMatchObject({ message: inUse(process.pid) });
    await lock.release();
  });

  test('of a process that was killed is free, whatever it left behind', async () => {
    const { child } = await starter();
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(names().sort()).toEqual(['lock', 'lock-*.sock']);
    const lock = await lockDirectory(directory);
    expect(names().sort()).toEqual(['lock', 'lock-*.sock']);
    expect(JSON.parse(readFileSync(join(directory, 'lock'), 'utf8'))).toMatchObject({ pid: process.pid });
    await lock.release();
  });

  test('of a process that is stopped is held', async () => {
    const { child } = await starter();
    child.kill('SIGSTOP');
    await expect(lockDirectory(directory)).rejects.toMatchObject({ message: inUse(child.pid) });
  });

  test('goes by no number: a file that names a living process holds nothing', async () => {
    writeFileSync(join(directory, 'lock'), JSON.stringify({ pid: process.pid, since: 'long ago', boot: '' }));
    writeFileSync(join(directory, 'lock-0123456789abcdef.sock'), 'no socket at all');
    writeFileSync(join(directory, 'lock-0123456789abcdee.sock.new'), 'nor this one');
    const lock = await lockDirectory(directory);
    await lock.release();
    expect(names()).toEqual([]);
  });

  test('goes to exactly one of many that start at once, over the leftovers of a killed one', async () => {
    for (let round = 0; round < 3; round++) {
      const before = await starter();
      before.child.kill('SIGKILL');
      await once(before.child, 'exit');
      const starters = await Promise.all(Array.from({ length: 8 }, () => aboutTo()));
      const said = await Promise.all(starters.map(({ take }) => take()));
      expect(said.filter((one) => one === 'held')).toHaveLength(1);
      for (const one of said) {
        if (one !== 'held') expect(one).toContain('is in use by another chat server (process ');
      }
      starters[said.indexOf('held')]?.child.kill('SIGKILL');
    }
    // Twenty-seven processes: a slow machine takes its time for them.
  }, 180_000);

  test('goes to exactly one of many at once within a process', async () => {
    for (let round = 0; round < 20; round++) {
      const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => lockDirectory(directory)));
      const locks = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      expect(locks).toHaveLength(1);
      for (const lock of locks) await lock.release();
    }
  });

  test('is taken in a directory whose path is longer than a socket’s may be', async () => {
    const long = join(directory, 'd'.repeat(120), 'e'.repeat(120));
    mkdirSync(long, { recursive: true });
    const lock = await lockDirectory(long);
    await expect(lockDirectory(long)).rejects.toMatchObject({ code: 'unavailable' });
    await lock.release();
    expect(readdirSync(long)).toEqual([]);
  });

  // A claim's name is 30 bytes as it begins, and a socket's path 100 at most: 69 is the longest that is bound as it stands.
  test.each([68, 69, 70, 71])('is one lock, also across processes, on a path of %i bytes', async (bytes) => {
    const path = join(directory, 'd'.repeat(bytes - directory.length - 1));
    mkdirSync(path);
    expect(Buffer.byteLength(path)).toBe(bytes);
    const { child, said } = await starter(path);
    expect(said).toBe('held');
    await expect(lockDirectory(path)).rejects.toMatchObject({
      message: expect.stringContaining(`(process ${child.pid}, since `),
    });
    child.kill('SIGKILL');
    await once(child, 'exit');
    const lock = await lockDirectory(path);
    expect((await starter(path)).said).toContain(`(process ${process.pid}, since `);
    await lock.release();
    expect(readdirSync(path)).toEqual([]);
  });

  test('is shown to its owner alone', async () => {
    const lock = await lockDirectory(directory);
    expect(statSync(join(directory, 'lock')).mode & 0o777).toBe(0o600);
    await lock.release();
  });
});

describe('a data directory', () => {
  test('is made, for its owner alone', async () => {
    const path = join(directory, 'a', 'b');
    const opened = await openDataDirectory(path);
    expect(existsSync(path)).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o700);
    await opened.close();
  });

  test('that was open to others is closed to them, and keeps what is in it', async () => {
    writeFileSync(join(directory, 'kept'), 'kept');
    for (const mode of [0o755, 0o777, 0o710, 0o701]) {
      chmodSync(directory, mode);
      const opened = await openDataDirectory(directory);
      expect(statSync(directory).mode & 0o777).toBe(0o700);
      await opened.close();
    }
    expect(readFileSync(join(directory, 'kept'), 'utf8')).toBe('kept');
  });

  test('is one directory by whatever path it is reached: a second server is told who has it', async () => {
    const path = join(directory, 'data');
    const link = join(directory, 'link');
    const opened = await openDataDirectory(path);
    symlinkSync(path, link);
    expect(opened.path).toBe(realpathSync(path));
    for (const other of [path, link, join(link, '..', 'data'), `${path}/`]) {
      await expect(openDataDirectory(other)).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining(
          `the data directory ${opened.path} is in use by another chat server (process ${process.pid}, since `,
        ),
      });
    }
    await opened.close();
    const again = await openDataDirectory(link);
    expect(again.path).toBe(opened.path);
    await expect(openDataDirectory(path)).rejects.toMatchObject({ code: 'unavailable' });
    await again.close();
    expect(readdirSync(path)).toEqual([]);
  });

  test('that a killed server had through a link is free by its own path', async () => {
    const path = join(directory, 'data');
    const link = join(directory, 'link');
    mkdirSync(path);
    symlinkSync(path, link);
    const { child } = await starter(link);
    await expect(openDataDirectory(path)).rejects.toMatchObject({
      message: expect.stringContaining(`(process ${child.pid}, since `),
    });
    child.kill('SIGKILL');
    await once(child, 'exit');
    await (await openDataDirectory(path)).close();
  });

  test('that cannot be made is named with the reason', async () => {
    const path = join(directory, 'file', 'b');
    writeFileSync(join(directory, 'file'), '');
    await expect(openDataDirectory(path)).rejects.toMatchObject({
      code: 'unavailable',
      message: `the data directory ${path} cannot be written (ENOTDIR): give another with --data, or change its permissions`,
    });
  });
});
