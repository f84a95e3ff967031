import { mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { staleLockMs } from '../../src/cli/file-lock.ts';
import { holdLock } from '../../src/cli/held-lock.ts';
import { ChatError } from '../../src/core/errors.ts';
import { temporaryDirectory } from './support/fake-host.ts';

const self = { processId: process.pid, hostName: 'here' };
/** Above every process id that Linux gives by default and macOS gives at all. */
const deadPid = 4_194_305;
const busy = (who: string) => new ChatError('conflict', `in use by ${who}`);

/** Waits for what the file system does in its own time. */
const eventually = <T>(check: () => T | Promise<T>) => vi.waitFor(check, { interval: 1, timeout: 60_000 });

async function hold(path: string, onLost?: (why: ChatError) => void) {
  const lock = await holdLock(path, self, busy, onLost);
  onTestFinished(() => lock.release());
  return lock;
}

async function lockLeftBy(holder: object | string): Promise<string> {
  const path = join(await temporaryDirectory(), 'lock');
  await writeFile(path, typeof holder === 'string' ? holder : JSON.stringify(holder));
  return path;
}

async function age(path: string, ms: number): Promise<void> {
  const then = new Date(Date.now() - ms);
  await utimes(path, then, then);
}

describe('a lock that is held', () => {
  it('keeps others out at once, is for its owner alone, and is free again after its release', async () => {
    const path = join(await temporaryDirectory(), 'deep', 'lock');
    const first = await hold(path);
    await expect(holdLock(path, self, busy)).rejects.toMatchObject({
      code: 'conflict',
      message: `in use by process ${process.pid}`,
    });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await first.release();
    await (await hold(path)).release();
    expect(await readdir(dirname(path))).toEqual([]);
  });

  it('is had by one of many that start at once', async () => {
    const path = join(await temporaryDirectory(), 'lock');
    const tries = await Promise.allSettled(Array.from({ length: 20 }, () => hold(path)));
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await readdir(dirname(path))).toEqual(['lock']);
  });

  it.each([
    ['of a process that is gone', { pid: deadPid, host: 'here', nonce: 'x' }],
    ['of a process that had the number of this one', { pid: process.pid, host: 'here', nonce: 'x' }],
  ])('%s is taken over at once', async (_what, holder) => {
    const path = await lockLeftBy(holder);
    await hold(path);
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ pid: process.pid });
    expect(await readdir(dirname(path))).toEqual(['lock']);
  });

  it.each([
    ['of another machine', { pid: 7, host: 'elsewhere', nonce: 'x' }, 'process 7 on elsewhere'],
    ['of a living process', { pid: process.ppid, host: 'here', nonce: 'x' }, `process ${process.ppid}`],
    ['that says nothing', '', 'another process'],
  ])(
    '%s is believed for as long as it is renewed, to the second on both sides',
    async (_what, holder, who) => {
      const path = await lockLeftBy(holder);
      await age(path, staleLockMs - 1_000);
      await expect(holdLock(path, self, busy)).rejects.toThrow(`in use by ${who}`);
      await age(path, staleLockMs + 1_000);
      await hold(path);
    },
  );

  it('that another process took over is told at a check, and left to it', async () => {
    const path = join(await temporaryDirectory(), 'lock');
    const lock = await hold(path);
    await lock.check();
    const theirs = JSON.stringify({ pid: process.ppid, host: 'here', nonce: 'x' });
    await writeFile(path, theirs);
    await expect(lock.check()).rejects.toThrow(`in use by process ${process.ppid}`);
    await lock.release();
    expect(await readFile(path, 'utf8')).toBe(theirs);
  });

  it('that somebody removed is made again at a check', async () => {
    const path = join(await temporaryDirectory(), 'lock');
    const lock = await hold(path);
    const { unlink } = await import('node:fs/promises');
    await unlink(path);
    await lock.check();
    await expect(holdLock(path, self, busy)).rejects.toThrow('in use');
  });

  it('that cannot be made says where and why', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'file'), '');
    await expect(hold(join(directory, 'file', 'lock'))).rejects.toMatchObject({ code: 'invalid' });
    const path = join(directory, 'n'.repeat(300));
    await expect(hold(path)).rejects.toMatchObject({
      code: 'invalid',
      message: `${path}: cannot make the lock (ENAMETOOLONG)`,
    });
  });

  it('where a directory of its name stands says so', async () => {
    const path = join(await temporaryDirectory(), 'lock');
    await mkdir(path);
    await expect(hold(path)).rejects.toMatchObject({ message: `${path}: cannot read the lock (EISDIR)` });
  });
});

describe('the renewal of a lock', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('comes three times in the life that a lock has without it', async () => {
    const path = join(await temporaryDirectory(), 'lock');
    await hold(path);
    for (let third = 0; third < 3; third++) {
      await age(path, staleLockMs - 1_000);
      vi.advanceTimersByTime(staleLockMs / 3);
      await eventually(async () =>
        expect(Date.now() - (await stat(path)).mtimeMs).toBeLessThan(staleLockMs / 2),
      );
    }
  });

  it('tells the holder that the lock is another’s by now', async () => {
    const path = join(await temporaryDirectory(), 'lock');
    const lost: string[] = [];
    await hold(path, ({ message }) => lost.push(message));
    vi.advanceTimersByTime(staleLockMs / 3 - 1);
    await writeFile(path, JSON.stringify({ pid: 7, host: 'elsewhere', nonce: 'x' }));
    expect(lost).toEqual([]);
    vi.advanceTimersByTime(1);
    await eventually(() => expect(lost).toEqual(['in use by process 7 on elsewhere']));
  });

  it('does not outlive its release', async () => {
    const path = join(await temporaryDirectory(), 'lock');
    const lock = await hold(path);
    vi.advanceTimersByTime(staleLockMs / 3);
    await lock.release();
    vi.advanceTimersByTime(staleLockMs);
    expect(await readdir(dirname(path))).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
