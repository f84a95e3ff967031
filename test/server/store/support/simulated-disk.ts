import { constants, type Stats } from 'node:fs';
import type { HostFileSystem } from '../../../../src/server/store/sqlite/host-files.ts';

/** What power does to a disk; everything that happens after it throws this. */
export class PowerCut extends Error {
  override readonly name = 'PowerCut';
}

type Change =
  | { readonly kind: 'write'; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly length: number };

interface Inode {
  /** Never the same for two files: SQLite tells files apart by it. */
  readonly number: number;
  /** What is surely there after a power cut. */
  durable: Uint8Array;
  /** What reads see. */
  current: Uint8Array;
  /** What was done since the last sync: each may be on disk, in part or not at all. */
  pending: Change[];
}

/** A disk in memory that forgets what was not synced, as real ones do. */
export interface SimulatedDisk {
  readonly host: HostFileSystem;
  /** Operations so far. */
  operations(): number;
  /** Lets power go when the operation of this number is about to happen. */
  cutPowerAt(operation: number): void;
  /** The disk as it may be found afterwards: what was not synced is there as `random` (0..1) has it. */
  afterPowerCut(random: () => number): SimulatedDisk;
}

const sectorBytes = 512;
let inodes = 0;

/** An empty disk with one directory, or one with the given files. */
export function simulatedDisk(files: ReadonlyMap<string, Uint8Array> = new Map()): SimulatedDisk {
  const inode = (bytes: Uint8Array): Inode => ({
    number: ++inodes,
    durable: bytes,
    current: bytes.slice(),
    pending: [],
  });
  const entries = new Map([...files].map(([path, bytes]) => [path, inode(bytes)]));
  /** The directory as it is on disk. */
  let durableEntries = new Map(entries);
  const open = new Map<number, Inode | 'directory'>();
  let nextFd = 10;
  let operations = 0;
  let cutAt = Number.POSITIVE_INFINITY;

  function happens(): void {
    if (++operations >= cutAt) throw new PowerCut('the power is gone');
  }
  function fileOf(fd: number): Inode {
    const file = open.get(fd);
    if (file === undefined || file === 'directory') throw failure('EBADF');
    return file;
  }
  const statOf = (file: Inode | 'directory'): Stats =>
    ({
      dev: 1,
      ino: file === 'directory' ? 0 : file.number,
      nlink: 1,
      mode: 0o600,
      size: file === 'directory' ? 0 : file.current.length,
      isDirectory: () => file === 'directory',
    }) as Stats;
  const isDirectory = (path: string): boolean => !path.includes('chat.db');

  const host = {
    openSync(path: string, flags: number) {
      happens();
      if (!isDirectory(path) && !entries.has(path)) {
        if (!(flags & constants.O_CREAT)) throw failure('ENOENT');
        entries.set(path, inode(new Uint8Array(0)));
      }
      open.set(nextFd, isDirectory(path) ? 'directory' : (entries.get(path) ?? 'directory'));
      return nextFd++;
    },
    closeSync(fd: number) {
      open.delete(fd);
    },
    readSync(fd: number, into: Uint8Array, offset: number, length: number, position: number) {
      happens();
      const bytes = fileOf(fd).current.subarray(position, position + length);
      into.set(bytes, offset);
      return bytes.length;
    },
    writeSync(fd: number, from: Uint8Array, offset: number, length: number, position: number) {
      happens();
      const file = fileOf(fd);
      const change: Change = { kind: 'write', position, bytes: from.slice(offset, offset + length) };
      file.pending.push(change);
      file.current = changed(file.current, change);
      return length;
    },
    fstatSync(fd: number) {
      happens();
      return statOf(open.get(fd) ?? 'directory');
    },
    statSync(path: string) {
      happens();
      const file = isDirectory(path) ? 'directory' : entries.get(path);
      if (!file) throw failure('ENOENT');
      return statOf(file);
    },
    ftruncateSync(fd: number, length: number) {
      happens();
      const file = fileOf(fd);
      const change: Change = { kind: 'truncate', length };
      file.pending.push(change);
      file.current = changed(file.current, change);
    },
    fdatasyncSync(fd: number) {
      happens();
      const file = fileOf(fd);
      file.durable = file.current.slice();
      file.pending = [];
    },
    fsyncSync(fd: number) {
      happens();
      if (open.get(fd) !== 'directory') throw failure('EBADF');
      durableEntries = new Map(entries);
    },
    unlinkSync(path: string) {
      happens();
      if (!entries.delete(path)) throw failure('ENOENT');
    },
  };

  return {
    host: host as unknown as HostFileSystem,
    operations: () => operations,
    cutPowerAt(operation) {
      cutAt = operation;
    },
    afterPowerCut(random) {
      const found = new Map<string, Uint8Array>();
      for (const path of new Set([...durableEntries.keys(), ...entries.keys()])) {
        const [before, now] = [durableEntries.get(path), entries.get(path)];
        // An entry that was made, or removed, since the directory was synced may or may not be.
        const file = before === now || random() < 0.5 ? now : before;
        if (file) found.set(path, survived(file, random));
      }
      return simulatedDisk(found);
    },
  };
}

/** What is found of a file: each change since the last sync is there, is there in part, or is not, in any combination. */
function survived(file: Inode, random: () => number): Uint8Array {
  let bytes: Uint8Array = file.durable.slice();
  for (const change of file.pending) {
    const fate = random();
    if (fate < 0.4) continue;
    if (fate < 0.8 || change.kind === 'truncate') bytes = changed(bytes, change);
    else {
      const sectors = Math.floor((random() * change.bytes.length) / sectorBytes);
      bytes = changed(bytes, { ...change, bytes: change.bytes.subarray(0, sectors * sectorBytes) });
    }
  }
  return bytes;
}

function changed(bytes: Uint8Array, change: Change): Uint8Array {
  const length =
    change.kind === 'truncate'
      ? change.length
      : Math.max(bytes.length, change.position + change.bytes.length);
  let result = bytes;
  if (length !== bytes.length) {
    result = new Uint8Array(length);
    result.set(bytes.subarray(0, length));
  }
  if (change.kind === 'write') result.set(change.bytes, change.position);
  return result;
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}
