import { constants, type Stats } from 'node:fs';
import type { HostFileSystem } from '../../../../src/server/store/sqlite/host-files.ts';

/** What power does to a disk; everything that happens after it throws this. */
export class PowerCut extends Error {
  override readonly name = 'PowerCut';
}

type Change =
  | { readonly kind: 'write'; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly length: number };

/** The bytes of a file; room is made for more than is written, so that a file which grows is not copied each time. */
class Content {
  #room: Uint8Array;
  length: number;

  constructor(bytes: Uint8Array) {
    this.#room = bytes.slice();
    this.length = bytes.length;
  }

  get bytes(): Uint8Array {
    return this.#room.subarray(0, this.length);
  }

  apply(change: Change): void {
    if (change.kind === 'truncate') {
      this.#fit(change.length);
      // Whatever stood behind is zero when the file grows again.
      this.#room.fill(0, change.length);
      this.length = change.length;
    } else {
      const end = change.position + change.bytes.length;
      this.#fit(end);
      this.#room.set(change.bytes, change.position);
      this.length = Math.max(this.length, end);
    }
  }

  #fit(length: number): void {
    if (length <= this.#room.length) return;
    const room = new Uint8Array(Math.max(length, 2 * this.#room.length));
    room.set(this.bytes);
    this.#room = room;
  }
}

interface Inode {
  /** Never the same for two files: SQLite tells files apart by it. */
  readonly number: number;
  /** What is surely there after a power cut. */
  readonly durable: Content;
  /** What reads see. */
  readonly current: Content;
  /** What was done since the last sync: each may be on disk, in part or not at all. */
  readonly pending: Change[];
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
    durable: new Content(bytes),
    current: new Content(bytes),
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
      const bytes = fileOf(fd).current.bytes.subarray(position, position + length);
      into.set(bytes, offset);
      return bytes.length;
    },
    writeSync(fd: number, from: Uint8Array, offset: number, length: number, position: number) {
      happens();
      const file = fileOf(fd);
      const change: Change = { kind: 'write', position, bytes: from.slice(offset, offset + length) };
      file.pending.push(change);
      file.current.apply(change);
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
      file.current.apply(change);
    },
    fdatasyncSync(fd: number) {
      happens();
      const file = fileOf(fd);
      for (const change of file.pending.splice(0)) file.durable.apply(change);
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
  const content = new Content(file.durable.bytes);
  for (const change of file.pending) {
    const fate = random();
    if (fate < 0.4) continue;
    if (fate < 0.8 || change.kind === 'truncate') content.apply(change);
    else {
      const sectors = Math.floor((random() * change.bytes.length) / sectorBytes);
      content.apply({ ...change, bytes: change.bytes.subarray(0, sectors * sectorBytes) });
    }
  }
  return content.bytes;
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}
