import fs, { constants } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HostFileSystem } from './host-files.ts';

/** A file system for looking: the files that are there are only read, and what SQLite makes on its way lands elsewhere. */
export interface LookOnly {
  readonly host: HostFileSystem;
  /** Removes what was made elsewhere; once, when all files are closed. */
  close(): void;
}

function refused(): Error {
  return Object.assign(new Error('the files are only looked at'), { code: 'EROFS' });
}

/** Shows a database to SQLite without changing a byte of it, or of its directory. */
export function lookOnly(): LookOnly {
  /** Files that SQLite wanted to make, like an empty log: their descriptors, by the path that it asked for. */
  const made = new Map<string, number>();
  let directory: string | undefined;
  const isMade = (fd: number): boolean => [...made.values()].includes(fd);

  function make(path: string): number {
    directory ??= fs.mkdtempSync(join(tmpdir(), 'chat-look-'));
    const fd = fs.openSync(join(directory, String(made.size)), 'wx+', 0o600);
    made.set(path, fd);
    return fd;
  }

  const host = {
    ...fs,
    openSync(path: string, flags: number) {
      try {
        return fs.openSync(path, constants.O_RDONLY);
      } catch (error) {
        const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
        if (!isMissing || (flags & constants.O_CREAT) === 0) throw error;
        return make(path);
      }
    },
    statSync(path: string) {
      const fd = made.get(path);
      return fd === undefined ? fs.statSync(path) : fs.fstatSync(fd);
    },
    closeSync(fd: number) {
      for (const [path, one] of made) if (one === fd) made.delete(path);
      fs.closeSync(fd);
    },
    writeSync(fd: number, ...rest: [Uint8Array, number, number, number]) {
      if (!isMade(fd)) throw refused();
      return fs.writeSync(fd, ...rest);
    },
    ftruncateSync(fd: number, length?: number) {
      if (!isMade(fd)) throw refused();
      fs.ftruncateSync(fd, length);
    },
    unlinkSync(path: string) {
      if (!made.has(path)) throw refused();
    },
    fdatasyncSync() {},
    fsyncSync() {},
  };
  return {
    // Only the calls that files of a database need are there, in the forms in which they are made.
    host: host as unknown as HostFileSystem,
    close() {
      if (directory !== undefined) fs.rmSync(directory, { recursive: true, force: true });
    },
  };
}
