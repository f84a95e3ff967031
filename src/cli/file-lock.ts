import { link, mkdir, open, readFile, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ChatError } from '../core/errors.ts';
import { uuidV7 } from '../core/random.ts';
import type { Host } from './host.ts';
import { isMissing, systemError } from './state-directory.ts';

/** A holder is never slower than this: what is done under a lock is one call with a shorter timeout. */
export const staleLockMs = 30_000;
/** How long a process waits for another one before it gives up. */
const lockWaitMs = 40_000;
const pollMs = 25;

/** Who holds a lock; `nonce` tells two holds of one process apart. */
export interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly nonce: string;
}

/** What a lock's file says; undefined when that is nothing of ours. */
export function parseHolder(text: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    const { pid, host, nonce } = value as Partial<Record<keyof Holder, unknown>>;
    if (typeof pid !== 'number' || typeof host !== 'string' || typeof nonce !== 'string') return undefined;
    return { pid, host, nonce };
  } catch {
    return undefined;
  }
}

/** True when there is a process with this number on this machine. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}

/** A lock as it is found. */
export interface FoundLock {
  readonly text: string;
  readonly ageMs: number;
}

/** Reads a lock's content and age; undefined when it is gone. */
export async function inspectLock(path: string): Promise<FoundLock | undefined> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)]);
    return { text, ageMs: Date.now() - mtimeMs };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw systemError(path, 'read the lock', error);
  }
}

/** A lock is stale when its holder on this machine is gone, or when it is older than any holder may be. */
export function isStaleLock(found: FoundLock, hostName: string): boolean {
  const holder = parseHolder(found.text);
  if (holder !== undefined && holder.host === hostName && !isRunning(holder.pid)) return true;
  return found.ageMs > staleLockMs || found.ageMs < -staleLockMs;
}

/** What a look at a lock found. */
export interface LockState {
  /** `stale`: its holder is gone, and the next process takes it over. */
  readonly state: 'held' | 'stale';
  /** Who has or had it, for people. */
  readonly holder: string;
  readonly ageMs: number;
}

function holderText(holder: Holder | undefined): string {
  return holder === undefined ? 'another process' : `process ${holder.pid} on ${holder.host}`;
}

/** Looks at a lock and changes nothing; undefined when there is none. */
export async function lookAtFileLock(path: string, hostName: string): Promise<LockState | undefined> {
  const found = await inspectLock(path);
  if (found === undefined) return undefined;
  const state = isStaleLock(found, hostName) ? 'stale' : 'held';
  return { state, holder: holderText(parseHolder(found.text)), ageMs: found.ageMs };
}

/** A new name beside a lock, which says whose file it is: what a killed process leaves is known from what a living one needs. */
export function besideLock(path: string, { pid, host }: Pick<Holder, 'pid' | 'host'>): string {
  return `${path}.${pid}.${encodeURIComponent(host)}.${uuidV7()}.tmp`;
}

/** Takes a stale lock away for `self`; one that was renewed between look and rename is put back. */
export async function evictLock(
  path: string,
  staleText: string,
  self: Pick<Holder, 'pid' | 'host'>,
): Promise<void> {
  const aside = besideLock(path, self);
  try {
    await rename(path, aside);
  } catch (error) {
    if (isMissing(error)) return;
    const { pid } = parseHolder(staleText) ?? {};
    const whose =
      pid === undefined ? 'a lock that was left behind' : `the lock that process ${pid} left behind`;
    throw systemError(path, `remove ${whose}`, error);
  }
  const taken = await readFile(aside, 'utf8');
  if (taken !== staleText) await link(aside, path).catch(() => {});
  await unlink(aside);
}

/** Makes the lock's file; false when there is one. */
export async function createLock(path: string, text: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw systemError(path, 'make the lock', error);
  }
}

/** Makes the directory that a lock is to be in. */
export async function makeLockDirectory(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw systemError(dirname(path), 'make the directory', error);
  });
}

/**
 * Runs `work` while no other process does so under the same `path`; waits at most `waitMs` for another holder, then
 * throws `unavailable`. Our own, since proper-lockfile (last released in 2021) tells a dead holder from a slow one only
 * by its age, and Node has no lock on files. Should two processes ever hold one lock (a holder that slept longer than
 * {@link staleLockMs}), the server's grace for refresh tokens gives both the same successor (security 3).
 */
export async function withFileLock<T>(
  path: string,
  host: Pick<Host, 'processId' | 'hostName'>,
  work: () => Promise<T>,
  waitMs = lockWaitMs,
): Promise<T> {
  const holder: Holder = { pid: host.processId, host: host.hostName, nonce: uuidV7() };
  const text = JSON.stringify(holder);
  const giveUpAt = performance.now() + waitMs;
  await makeLockDirectory(path);
  while (!(await createLock(path, text))) {
    const found = await inspectLock(path);
    if (found === undefined) continue;
    if (isStaleLock(found, host.hostName)) {
      await evictLock(path, found.text, holder);
      continue;
    }
    if (performance.now() >= giveUpAt) {
      throw new ChatError(
        'unavailable',
        `${path}: is held by ${holderText(parseHolder(found.text))}; try again, or end that process`,
      );
    }
    await delay(pollMs);
  }
  try {
    return await work();
  } finally {
    const mine = await readFile(path, 'utf8').catch(() => '');
    if (mine === text) await unlink(path).catch(() => {});
  }
}
