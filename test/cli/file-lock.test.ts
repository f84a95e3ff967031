import { execFile } from 'node:child_process';
import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { lookAtFileLock, staleLockMs, withFileLock } from '../../src/cli/file-lock.ts';
import { temporaryDirectory } from './support/fake-host.ts';

const self = { processId: process.pid, hostName: 'here' };
/** Above every process id that Linux gives by default and macOS gives at all. */
const deadPid = 4_194_305;

async function lockHeldBy(holder: object | string): Promise<string> {
  const path = join(await temporaryDirectory(), 'lock');
  await writeFile(path, typeof holder === 'string' ? holder : JSON.stringify(holder));
  return path;
}

async function age(path: string, ms: number): Promise<void> {
  const then = new Date(Date.now() - ms);
  await utimes(path, then, then);
}

describe('a file lock', () => {
  it('lets one at a time in, and leaves nothing behind', async () => {
    const path = join(await temporaryDirectory(), 'deep', 'lock');
    let inside = 0;
    let most = 0;
    const done = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        withFileLock(path, self, async () => {
          inside += 1;
          most = Math.max(most, inside);
          await Promise.resolve();
          inside -= 1;
          return n;
        }),
      ),
    );
    expect(most).toBe(1);
    expect(done).toEqual(Array.from({ length: 20 }, (_, n) => n));
    expect(await readdir(join(path, '..'))).toEqual([]);
  });

  it('is given back when the work fails', async () => {
    const path = join(await temporaryDirectory(), 'lock');
    const failing = withFileLock(path, self, async () => {
      throw new Error('work failed');
    });
    await expect(failing).rejects.toThrow('work failed');
    expect(await withFileLock(path, self, async () => 'next', 0)).toBe('next');
  });

  it('of a process that is gone on this machine is taken over at once', async () => {
    const path = await lockHeldBy({ pid: deadPid, host: 'here', nonce: 'x' });
    expect(await withFileLock(path, self, async () => 'mine', 0)).toBe('mine');
  });

  it('of a live process is waited for, and the wait ends with its process id', async () => {
    const path = await lockHeldBy({ pid: process.pid, host: 'here', nonce: 'x' });
    await expect(withFileLock(path, self, async () => 'mine', 0)).rejects.toMatchObject({
      code: 'unavailable',
      message: `${path}: is held by process ${process.pid} on here; try again, or end that process`,
    });
    expect(await readFile(path, 'utf8')).toContain('"nonce":"x"');
  });

  it('of another machine is believed until it is too old, to the second on both sides', async () => {
    const path = await lockHeldBy({ pid: deadPid, host: 'elsewhere', nonce: 'x' });
    await age(path, staleLockMs - 1_000);
    await expect(withFileLock(path, self, async () => 'mine', 0)).rejects.toMatchObject({
      code: 'unavailable',
    });
    await age(path, staleLockMs + 1_000);
    expect(await withFileLock(path, self, async () => 'mine', 0)).toBe('mine');
  });

  it('with unreadable content goes by its age alone', async () => {
    const path = await lockHeldBy('');
    await expect(withFileLock(path, self, async () => 'mine', 0)).rejects.toMatchObject({
      message: `${path}: is held by another process; try again, or end that process`,
    });
    await age(path, staleLockMs + 1_000);
    expect(await withFileLock(path, self, async () => 'mine', 0)).toBe('mine');
  });

  it('that another process took meanwhile is not removed at the end', async () => {
    const path = join(await temporaryDirectory(), 'lock');
    await withFileLock(path, self, () => writeFile(path, 'theirs'));
    expect(await readFile(path, 'utf8')).toBe('theirs');
  });

  it('can be looked at: who has it, since when, and whether that one is gone', async () => {
    const path = await lockHeldBy({ pid: process.pid, host: 'here', nonce: 'x' });
    await age(path, 5_000);
    const held = await lookAtFileLock(path, 'here');
    expect(held).toMatchObject({ state: 'held', holder: `process ${process.pid} on here` });
    expect(held?.ageMs).toBeGreaterThanOrEqual(5_000);
    await writeFile(path, JSON.stringify({ pid: deadPid, host: 'here', nonce: 'x' }));
    expect(await lookAtFileLock(path, 'here')).toMatchObject({ state: 'stale' });
    await writeFile(path, 'x');
    expect(await lookAtFileLock(path, 'here')).toMatchObject({ state: 'held', holder: 'another process' });
    expect(await readFile(path, 'utf8')).toBe('x');
    expect(await lookAtFileLock(`${path}.none`, 'here')).toBeUndefined();
  });

  it('holds between processes: no increment of a counter in a file is lost', async () => {
    const directory = await temporaryDirectory();
    const counter = join(directory, 'counter');
    await writeFile(counter, '0');
    const worker = join(import.meta.dirname, 'support', 'lock-worker.ts');
    const run = promisify(execFile);
    await Promise.all(
      Array.from({ length: 4 }, () =>
        run(process.execPath, [worker, join(directory, 'lock'), counter, '25']),
      ),
    );
    expect(await readFile(counter, 'utf8')).toBe('100');
  });
});
