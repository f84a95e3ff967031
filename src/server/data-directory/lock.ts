import { createHash } from 'node:crypto';
import { closeSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ChatError } from '../../core/errors.ts';
import { uuidV7 } from '../../core/random.ts';
import { askClaim, type Claim, type Holder } from './claim.ts';

/** A lock that was taken. */
export interface DirectoryLock {
  release(): Promise<void>;
}

/** Longest path of a socket that every platform takes, in bytes (sun_path is 104 on macOS, 108 on Linux). */
const maxSocketPath = 100;
/** How often a starter looks whether a later one has given way. */
const pollMs = 10;
const claimName = /^lock-[0-9a-f]{16}\.sock$/;
const beginningName = /^lock-[0-9a-f]{16}\.sock\.new$/;
/** The lock's file for people; what it says decides nothing. */
const holderFile = 'lock';

/**
 * Takes a data directory for this process (storage, "The lock"), or throws `unavailable` naming the process that has it, since
 * when, and the directory. A server that was killed holds nothing; one that is stopped for a while still does.
 *
 * Each starter listens on a socket of its own in the directory before it looks around: a socket whose process is gone refuses
 * connections, also when that process had the same number, or ran in another container. Then it asks the others. It gives up
 * when one holds the lock or has an earlier name; it waits while one with a later name has not given up; it holds the lock once
 * it has seen none other alive. Of two, the one whose socket came later sees the other, so two never hold it; and of those that
 * start at once the one with the earliest name is left. Nobody removes a name that can come back to life, so there is no
 * moment at which two clear away the same leftover. The packages at hand go by the age of a file instead, and take over from a
 * server that was merely stopped.
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  if (process.platform === 'win32') return lockByPipe(directory);
  const claim: Claim = { state: 'claiming', pid: process.pid, since: new Date().toISOString() };
  // Milliseconds and chance: as short as it may be, since a socket's path has a limit.
  const id = uuidV7().replaceAll('-', '');
  const own = `lock-${id.slice(0, 12)}${id.slice(-4)}.sock`;
  const place = socketPlace(directory);
  let server: Server | undefined;
  async function release(): Promise<void> {
    for (const name of [own, `${own}.new`]) rmSync(join(directory, name), { force: true });
    if (server) await close(server);
    place.close();
  }
  try {
    // It gets its name when it listens: until then it would refuse connections like a dead one.
    const beginning = `${own}.new`;
    server = await listen(place.pathOf(beginning), directory, claim);
    begin(directory, beginning, own);
    await outlast(directory, own, place.pathOf);
    claim.state = 'held';
    tellHolder(directory, claim);
    // Left by processes that were killed as they began; one that is alive finds its own gone, and gives up.
    for (const name of readdirSync(directory)) {
      if (beginningName.test(name)) rmSync(join(directory, name), { force: true });
    }
  } catch (error) {
    await release();
    throw error instanceof ChatError ? error : cannotLock(directory, error);
  }
  return {
    async release() {
      rmSync(join(directory, holderFile), { force: true });
      await release();
    },
  };
}

/** What a look at a directory's lock found. */
export interface LockState {
  /** The server that holds it; `unknown` for one that does not answer, as when it is stopped. */
  readonly holder: Holder | 'unknown' | undefined;
  /** Sockets of servers that were killed; the next start removes them. */
  readonly leftovers: number;
}

/** Looks who holds the lock of a directory, and takes and changes nothing. */
export async function lookAtLock(directory: string): Promise<LockState> {
  const place = socketPlace(directory);
  try {
    const paths =
      process.platform === 'win32'
        ? [pipeOf(directory)]
        : readdirSync(directory)
            .filter((name) => claimName.test(name))
            .map((name) => place.pathOf(name));
    const answers = await Promise.all(paths.map(askClaim));
    const alive = answers.filter((answer) => answer !== 'gone');
    const told = alive.find((answer) => answer !== 'silent');
    return {
      holder: told ?? (alive.length > 0 ? (readHolder(directory) ?? 'unknown') : undefined),
      leftovers: process.platform === 'win32' ? 0 : answers.length - alive.length,
    };
  } finally {
    place.close();
  }
}

function begin(directory: string, beginning: string, own: string): void {
  try {
    renameSync(join(directory, beginning), join(directory, own));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw held(directory, readHolder(directory));
    throw error;
  }
}

/** Returns when no other claim on the directory is alive; throws when this one has to give way. */
async function outlast(directory: string, own: string, pathOf: (name: string) => string): Promise<void> {
  for (;;) {
    let isAlone = true;
    for (const name of readdirSync(directory)) {
      if (name === own || !claimName.test(name)) continue;
      const answer = await askClaim(pathOf(name));
      if (answer === 'gone') {
        rmSync(join(directory, name), { force: true });
      } else if (answer === 'silent' || answer.state === 'held' || name < own) {
        throw held(directory, answer === 'silent' ? readHolder(directory) : answer);
      } else {
        isAlone = false;
      }
    }
    if (isAlone) return;
    await delay(pollMs);
  }
}

/** Where sockets of a directory can be bound and reached, however long its path is. */
function socketPlace(directory: string): { pathOf(name: string): string; close(): void } {
  if (Buffer.byteLength(join(directory, 'lock-0123456789abcdef.sock.new')) <= maxSocketPath) {
    return { pathOf: (name) => join(directory, name), close: () => {} };
  }
  if (process.platform === 'linux') {
    // The kernel's limit is on the text, not on the place: through the open directory it is short.
    const fd = openSync(directory, 'r');
    return { pathOf: (name) => `/proc/self/fd/${fd}/${name}`, close: () => closeSync(fd) };
  }
  throw new ChatError(
    'unavailable',
    `the data directory's path is too long for a socket in it (${maxSocketPath} bytes with its name): give a shorter one with --data`,
  );
}

/** Windows has named pipes, which one process makes and which end with it. */
async function lockByPipe(directory: string): Promise<DirectoryLock> {
  const claim: Claim = { state: 'held', pid: process.pid, since: new Date().toISOString() };
  const server = await listen(pipeOf(directory), directory, claim);
  tellHolder(directory, claim);
  return {
    async release() {
      rmSync(join(directory, holderFile), { force: true });
      await close(server);
    },
  };
}

function pipeOf(directory: string): string {
  const name = createHash('sha256').update(directory.toLowerCase()).digest('hex');
  return `\\\\.\\pipe\\chat-data-${name}`;
}

/** Listens, telling everybody who asks what `claim` is at that moment. */
function listen(path: string, directory: string, claim: Claim): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => {}); // Whoever asked has gone.
      socket.end(JSON.stringify(claim));
    });
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE' ? held(directory, readHolder(directory)) : cannotLock(directory, error),
      );
    });
    server.listen(path, () => {
      // The lock must not keep a process alive that has nothing else to do.
      server.unref();
      resolve(server);
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

function tellHolder(directory: string, { pid, since }: Holder): void {
  const text = `${JSON.stringify({ pid, since, boot: bootId() })}\n`;
  writeFileSync(join(directory, holderFile), text, { mode: 0o600 });
}

function readHolder(directory: string): Holder | undefined {
  try {
    const { pid, since } = JSON.parse(readFileSync(join(directory, holderFile), 'utf8')) as Holder;
    return { pid: Number(pid), since: String(since).slice(0, 30) };
  } catch {
    return undefined;
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return ''; // Only Linux has one.
  }
}

function held(directory: string, holder: Holder | undefined): ChatError {
  const who = holder
    ? `process ${holder.pid}, since ${holder.since}`
    : 'a process that has only just started';
  return new ChatError(
    'unavailable',
    `the data directory ${directory} is in use by another chat server (${who}): stop that one, or give another directory with --data`,
  );
}

function cannotLock(directory: string, error: unknown): ChatError {
  const { code } = error as NodeJS.ErrnoException;
  return new ChatError(
    'unavailable',
    `the data directory ${directory} cannot be locked (${code ?? String(error)}): it must be on a file system that takes sockets, not on a share of another machine`,
    {
      cause: error,
    },
  );
}
