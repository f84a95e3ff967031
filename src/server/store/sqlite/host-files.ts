import fs from 'node:fs';
import { join } from 'node:path';
import { type WriteBehind, writeBehind } from './write-behind.ts';

/** The file operations that the database needs; `node:fs` in production, something that fails on purpose in a test. */
export type HostFileSystem = Pick<
  typeof fs,
  | 'openSync'
  | 'closeSync'
  | 'readSync'
  | 'writeSync'
  | 'fstatSync'
  | 'statSync'
  | 'ftruncateSync'
  | 'fdatasyncSync'
  | 'fsyncSync'
  | 'unlinkSync'
>;

/** The machine's own. */
export const systemFiles: HostFileSystem = fs;

/** What went wrong below SQLite, which only tells `disk I/O error`. */
export interface HostTrouble {
  /** Whether a write has failed for want of space since this was set to false. */
  full: boolean;
  /** Set for ever once a sync failed: what the disk holds is unknown from then on, and a later sync may lie. */
  syncFailure: Error | undefined;
}

/** One open file of the database, or its directory. Everything throws the host's own errors. */
export interface HostFile {
  /** Fills `into` from `position`; answers how many bytes there were: less only at the end of the file. */
  read(into: Uint8Array, position: number): number;
  write(bytes: Uint8Array, position: number): void;
  stat(): fs.Stats;
  truncate(bytes: number): void;
  /** Returns when everything written is on disk. */
  sync(): void;
  close(): void;
}

/**
 * The database's files by their names in the data directory: the database, its `-wal` and its `-journal`, and `''`, the
 * directory itself, whose entries SQLite syncs too. Every other name is EACCES.
 */
export interface HostFiles {
  readonly trouble: HostTrouble;
  /** `flags` are the host's own. */
  open(name: string, flags: number): HostFile;
  stat(name: string): fs.Stats;
  unlink(name: string): void;
  /** Closes what is still open, writing nothing; from then on every operation fails, and no file is touched. */
  close(): void;
}

/** The files of the database `databaseName` in `directory`, made for their owner alone (0600). */
export function hostFiles(
  directory: string,
  databaseName: string,
  host: HostFileSystem = systemFiles,
): HostFiles {
  const trouble: HostTrouble = { full: false, syncFailure: undefined };
  const names = new Set(['', databaseName, `${databaseName}-wal`, `${databaseName}-journal`]);
  const open = new Map<number, WriteBehind>();
  let isClosed = false;

  function pathOf(name: string): string {
    if (!names.has(name)) {
      throw Object.assign(new Error(`not a file of the database: ${name}`), { code: 'EACCES' });
    }
    return join(directory, name);
  }

  /** Does something on the host as long as it may be done; notes a full disk, which SQLite's caller is told of in words. */
  function onHost<Result>(work: () => Result): Result {
    // A number that was closed may be another file's by now.
    if (isClosed) throw Object.assign(new Error('the files are closed'), { code: 'EIO' });
    // Nothing is written on top of what nobody knows.
    if (trouble.syncFailure) throw trouble.syncFailure;
    try {
      return work();
    } catch (error) {
      if (isFull(error)) trouble.full = true;
      throw error;
    }
  }

  function fileOf(fd: number, isDirectory: boolean): HostFile {
    const behind = writeBehind(host, fd);
    open.set(fd, behind);
    return {
      read(into, position) {
        onHost(behind.flush);
        let total = 0;
        while (total < into.length) {
          const got = host.readSync(fd, into, total, into.length - total, position + total);
          if (got === 0) break;
          total += got;
        }
        return total;
      },
      write: (bytes, position) => onHost(() => behind.write(bytes, position)),
      stat() {
        onHost(behind.flush);
        return host.fstatSync(fd);
      },
      truncate(bytes) {
        onHost(behind.flush);
        onHost(() => host.ftruncateSync(fd, bytes));
      },
      sync() {
        // A write that fails fails SQLite's transaction, which is undone; after a sync that fails nothing is known.
        onHost(behind.flush);
        try {
          if (isDirectory) host.fsyncSync(fd);
          else host.fdatasyncSync(fd);
        } catch (error) {
          trouble.syncFailure ??= error instanceof Error ? error : new Error(String(error));
          throw error;
        }
      },
      close() {
        if (!open.delete(fd)) return;
        try {
          onHost(behind.flush);
        } finally {
          host.closeSync(fd);
        }
      },
    };
  }

  return {
    trouble,
    open(name, flags) {
      const path = pathOf(name);
      return fileOf(
        onHost(() => host.openSync(path, flags, 0o600)),
        name === '',
      );
    },
    stat(name) {
      const path = pathOf(name);
      for (const behind of open.values()) onHost(behind.flush);
      return onHost(() => host.statSync(path));
    },
    unlink(name) {
      const path = pathOf(name);
      onHost(() => host.unlinkSync(path));
    },
    close() {
      isClosed = true;
      for (const fd of open.keys()) host.closeSync(fd);
      open.clear();
    },
  };
}

/** True for what a write to a disk without room throws. */
export function isFull(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOSPC' || code === 'EDQUOT';
}
