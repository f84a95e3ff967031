import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
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

/** Another process that takes the lock at a moment; answers what it said. */
async function starter(at = 0): Promise<{ child: ChildProcess; said: string }> {
  const child = spawn(process.execPath, [program, directory, `${at}`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, said: said.toString().trim() };
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
      const at = Date.now() + 1_500;
      const starters = await Promise.all(Array.from({ length: 6 }, () => starter(at)));
      const holders = starters.filter(({ said }) => said === 'held');
      expect(holders).toHaveLength(1);
      for (const { said } of starters) {
        if (said !== 'held') expect(said).toContain('is in use by another chat server (process ');
      }
      for (const { child } of holders) child.kill('SIGKILL');
    }
  }, 60_000);

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
});

describe('a data directory', () => {
  test('is made, for its owner alone', async () => {
    const path = join(directory, 'a', 'b');
    const opened = await openDataDirectory(path);
    expect(existsSync(path)).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o700);
    await opened.close();
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
