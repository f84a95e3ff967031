import { link, unlink, utimes, writeFile } from 'node:fs/promises';
import { ChatError } from '../core/errors.ts';
import { uuidV7 } from '../core/random.ts';
import {
  besideLock,
  createLock,
  evictLock,
  type FoundLock,
  type Holder,
  inspectLock,
  isStaleLock,
  makeLockDirectory,
  parseHolder,
  staleLockMs,
} from './file-lock.ts';
import type { Host } from './host.ts';
import { stateError } from './state-directory.ts';

/** A lock that a process keeps for as long as it runs. */
export interface HeldLock {
  /** Throws `conflict` when it is another's by now: this process was stopped for so long that it counted as gone. */
  check(): Promise<void>;
  release(): Promise<void>;
}

/** How often a holder shows that it is alive. */
const renewEveryMs = staleLockMs / 3;
/** What a file system without hard links says. */
const noLinks: readonly unknown[] = ['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'];
/** The holds of this very process: a lock with its number and another nonce was left by one that had it before. */
const own = new Set<string>();

const errnoOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined;

/** Makes the file with its content at once: a process that is killed at any moment leaves no lock that names nobody. */
async function createWhole(path: string, text: string, self: Holder): Promise<boolean> {
  const temporary = besideLock(path, self);
  try {
    await writeFile(temporary, text, { flag: 'wx', mode: 0o600 });
    await link(temporary, path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    if (noLinks.includes(errnoOf(error))) return await createLock(path, text);
    throw stateError(path, `cannot make the lock (${errnoOf(error) ?? 'unknown error'})`, error);
  } finally {
    await unlink(temporary).catch(() => {});
  }
}

function isLeftBehind(found: FoundLock, { pid, host }: Holder): boolean {
  const holder = parseHolder(found.text);
  const isOurs = holder?.pid === pid && holder.host === host;
  return isOurs && !own.has(holder.nonce);
}

function nameOf(found: FoundLock, hostName: string): string {
  const holder = parseHolder(found.text);
  if (holder === undefined) return 'another process';
  return `process ${holder.pid}${holder.host === hostName ? '' : ` on ${holder.host}`}`;
}

/**
 * Takes a lock for as long as the process runs, and waits for nobody: throws `conflict`, as `busy` words it, when a living
 * process has it. One whose process is gone is taken over, and so is one that was not renewed for {@link staleLockMs};
 * `onLost` is told soon after that happened to this one.
 */
export async function holdLock(
  path: string,
  { processId, hostName }: Pick<Host, 'processId' | 'hostName'>,
  busy: (who: string) => ChatError,
  onLost: (why: ChatError) => void = () => {},
): Promise<HeldLock> {
  const self: Holder = { pid: processId, host: hostName, nonce: uuidV7() };
  const text = JSON.stringify(self);
  await makeLockDirectory(path);
  async function take(): Promise<void> {
    while (!(await createWhole(path, text, self))) {
      const found = await inspectLock(path);
      if (found === undefined) continue;
      if (!isStaleLock(found, hostName) && !isLeftBehind(found, self)) throw busy(nameOf(found, hostName));
      await evictLock(path, found.text, self);
    }
  }
  async function check(): Promise<void> {
    const found = await inspectLock(path);
    if (found === undefined) await take();
    else if (found.text !== text) throw busy(nameOf(found, hostName));
  }
  own.add(self.nonce);
  try {
    await take();
  } catch (error) {
    own.delete(self.nonce);
    throw error;
  }
  async function renew(): Promise<void> {
    await check();
    await utimes(path, new Date(), new Date());
  }
  let renewed = Promise.resolve();
  const timer = setInterval(() => {
    renewed = renew().catch((error: unknown) => {
      // Any other trouble may be over by the next time.
      if (error instanceof ChatError && error.code === 'conflict') onLost(error);
    });
  }, renewEveryMs);
  timer.unref();
  return {
    check,
    async release() {
      clearInterval(timer);
      // It would make a lock that it finds gone.
      await renewed;
      own.delete(self.nonce);
      const found = await inspectLock(path).catch(() => undefined);
      if (found?.text === text) await unlink(path).catch(() => {});
    },
  };
}
