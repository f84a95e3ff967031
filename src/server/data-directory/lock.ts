import { closeSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { ChatError } from '../../core/errors.ts';

/** A lock that was taken. */
export interface DirectoryLock {
  release(): Promise<void>;
}

/** What the lock file says of its holder; words for people, the sockets decide. */
interface Holder {
  readonly pid: number;
  readonly since: string;
  readonly boot: string;
}

/** Longest path of a socket that every platform takes, in bytes. */
const maxSocketPath = 100;

/**
 * Takes a data directory for this process (storage, "The lock"): a listening socket in it, which a process that is gone cannot
 * hold and which is seen from other containers too, and a file that tells who holds it.
 *
 * A socket's file stays behind when its process is killed, and two that clear it away could each believe to have won. So on Linux
 * one name without a file, which the kernel frees by itself, is taken first: of the servers of one machine it lets one through.
 * No package does this: those at hand go by the age of a file, and take over from a server that was merely stopped for a while.
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const guard = process.platform === 'linux' ? await listen(abstractName(directory), directory) : undefined;
  try {
    const fd = process.platform === 'linux' ? openSync(directory, 'r') : undefined;
    try {
      const path = socketPath(directory, fd);
      if (await isListening(path)) throw held(directory);
      rmSync(path, { force: true });
      const server = await listen(path, directory);
      writeFileSync(join(directory, 'lock'), `${JSON.stringify(holder())}\n`, { mode: 0o600 });
      return {
        async release() {
          rmSync(join(directory, 'lock'), { force: true });
          await close(server);
          if (guard) await close(guard);
        },
      };
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  } catch (error) {
    if (guard) await close(guard);
    throw error;
  }
}

/** A name in Linux's abstract namespace, the same however the directory is reached. */
function abstractName(directory: string): string {
  const { dev, ino } = statSync(directory);
  return `\0chat-data-${dev}-${ino}`;
}

function socketPath(directory: string, fd: number | undefined): string {
  const path = join(directory, 'lock.sock');
  if (Buffer.byteLength(path) <= maxSocketPath) return path;
  // The kernel's limit is on the text, not on the place: through the open directory it is short.
  if (fd !== undefined) return `/proc/self/fd/${fd}/lock.sock`;
  throw new ChatError(
    'unavailable',
    `the data directory's path is too long for a socket in it (${maxSocketPath} bytes): give a shorter one with --data`,
  );
}

function listen(path: string, directory: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'EADDRINUSE' ? held(directory) : cannotLock(directory, error));
    });
    server.listen(path, () => {
      // The lock must not keep a process alive that has nothing else to do.
      server.unref();
      resolve(server);
    });
  });
}

function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

function holder(): Holder {
  return { pid: process.pid, since: new Date().toISOString(), boot: bootId() };
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return ''; // Only Linux has one.
  }
}

function held(directory: string): ChatError {
  let who = '';
  try {
    const { pid, since } = JSON.parse(readFileSync(join(directory, 'lock'), 'utf8')) as Holder;
    who = `process ${Number(pid)}, since ${String(since).slice(0, 30)}`;
  } catch {
    who = 'a process that has only just started'; // It writes its name after it has the lock.
  }
  return new ChatError(
    'unavailable',
    `the data directory ${directory} is in use by another chat server (${who}): stop that one, or give another directory with --data`,
  );
}

function cannotLock(directory: string, error: NodeJS.ErrnoException): ChatError {
  return new ChatError('unavailable', `the data directory ${directory} cannot be locked (${error.code})`, {
    cause: error,
  });
}
