import fs from 'node:fs';

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

/** What went wrong below SQLite, which only tells `disk I/O error`. */
export interface HostTrouble {
  /** The last write that failed for want of space since it was cleared. */
  full: boolean;
  /** Set for ever once a sync failed: what the disk holds is unknown from then on (a later sync may lie). */
  syncFailure: Error | undefined;
}

/** The files of one database as SQLite's system calls see them. */
export interface HostFiles {
  readonly trouble: HostTrouble;
  /** Emscripten's hook: instantiates `module` with its file system calls mapped to the host. */
  instantiate(module: WebAssembly.Module, imports: WebAssembly.Imports): WebAssembly.Instance;
  /** Closes what is still open. */
  close(): void;
}

type Call = (...args: never[]) => unknown;

// Errno values are WASI's, which Emscripten uses.
const errno = {
  EACCES: 2,
  EBADF: 8,
  EEXIST: 20,
  EINVAL: 28,
  EIO: 29,
  ENOENT: 44,
  ENOSPC: 51,
  EROFS: 69,
} as const;
const openFlags = {
  write: 1,
  readWrite: 2,
  create: 64,
  exclusive: 128,
  truncate: 512,
  directory: 65_536,
} as const;
const fcntlGetLock = 12;
const unlocked = 2;
/** Descriptors of ours begin here; Emscripten's own stay below. */
const firstDescriptor = 1_000;
const fileModes = { directory: 0o040_000, regular: 0o100_000 } as const;

/** System calls of sql.js's debug build that are mapped here; each must be there, or the build is not the one that was tried. */
const mappedCalls = {
  env: [
    '__syscall_openat',
    '__syscall_fstat64',
    '__syscall_stat64',
    '__syscall_lstat64',
    '__syscall_newfstatat',
    '__syscall_faccessat',
    '__syscall_unlinkat',
    '__syscall_ftruncate64',
    '__syscall_fcntl64',
    '__syscall_fchmod',
    '__syscall_chmod',
    '__syscall_fchown32',
    '__syscall_mkdirat',
    '__syscall_rmdir',
    '__syscall_readlinkat',
    '__syscall_utimensat',
  ],
  wasi_snapshot_preview1: ['fd_read', 'fd_write', 'fd_seek', 'fd_sync', 'fd_close'],
} as const;

/** The calls of `mappedCalls` that `module` does not import: empty for the sql.js that this was written for. */
export function missingCalls(module: WebAssembly.Module): string[] {
  const imported = new Set(
    WebAssembly.Module.imports(module).map(({ module: from, name }) => `${from}.${name}`),
  );
  return Object.entries(mappedCalls)
    .flatMap(([from, names]) => names.map((name) => `${from}.${name}`))
    .filter((name) => !imported.has(name));
}

interface OpenFile {
  readonly hostFd: number;
  readonly isDirectory: boolean;
  position: number;
}

/**
 * Puts SQLite's own pager, write-ahead log and recovery on real files (storage, "Embedded: sql.js on real files"): the database
 * file, its `-wal` and its `-journal` in `directory`, and the directory itself, whose entries are synced too. Every other path
 * is EACCES, never Emscripten's file system in memory, where a write would report success and be lost.
 */
export function hostFiles(databasePath: string, directory: string, host: HostFileSystem = fs): HostFiles {
  const trouble: HostTrouble = { full: false, syncFailure: undefined };
  const files = new Map<number, OpenFile>();
  let nextDescriptor = firstDescriptor;
  let memory: WebAssembly.Memory | undefined;
  let cachedView: DataView | undefined;
  let cachedBytes: Uint8Array | undefined;

  function view(): DataView {
    // The buffer is replaced when the memory grows.
    if (!memory) throw new Error('a system call before the module was instantiated');
    if (cachedView?.buffer !== memory.buffer) cachedView = new DataView(memory.buffer);
    return cachedView;
  }

  function bytes(): Uint8Array {
    if (!memory) throw new Error('a system call before the module was instantiated');
    if (cachedBytes?.buffer !== memory.buffer) cachedBytes = new Uint8Array(memory.buffer);
    return cachedBytes;
  }

  function textAt(pointer: number): string {
    const heap = bytes();
    return Buffer.from(heap.subarray(pointer, heap.indexOf(0, pointer))).toString('utf8');
  }

  /** The host's path for one of SQLite's; undefined for all that is not the database's. `new SQL.Database()` names it dbfile_N. */
  function mapped(path: string): string | undefined {
    const suffix = /^\/?dbfile_\d+(|-wal|-journal)$/.exec(path)?.[1];
    if (suffix !== undefined) return databasePath + suffix;
    return path === '/' || path === '.' ? directory : undefined;
  }

  function failed(error: unknown): number {
    switch ((error as NodeJS.ErrnoException).code) {
      case 'ENOENT':
        return errno.ENOENT;
      case 'EEXIST':
        return errno.EEXIST;
      case 'EACCES':
      case 'EPERM':
        return errno.EACCES;
      case 'EROFS':
        return errno.EROFS;
      case 'ENOSPC':
      case 'EDQUOT':
        trouble.full = true;
        return errno.ENOSPC;
      default:
        return errno.EIO;
    }
  }

  function open(path: string, flags: number): number {
    const real = mapped(path);
    if (real === undefined) return -errno.EACCES;
    try {
      const hostFd = host.openSync(real, hostFlags(flags), 0o600);
      const descriptor = nextDescriptor++;
      files.set(descriptor, { hostFd, isDirectory: real === directory, position: 0 });
      return descriptor;
    } catch (error) {
      return -failed(error);
    }
  }

  function writeStat(pointer: number, stat: fs.Stats): number {
    const heap = view();
    bytes().fill(0, pointer, pointer + 96);
    heap.setUint32(pointer, stat.dev >>> 0, true);
    const kind = stat.isDirectory() ? fileModes.directory : fileModes.regular;
    heap.setUint32(pointer + 4, kind | (stat.mode & 0o777), true);
    heap.setUint32(pointer + 8, stat.nlink, true);
    heap.setBigInt64(pointer + 24, BigInt(stat.size), true);
    heap.setInt32(pointer + 32, 4_096, true);
    heap.setBigInt64(pointer + 88, BigInt(stat.ino), true);
    return 0;
  }

  function statPath(path: string, pointer: number): number {
    const real = mapped(path);
    if (real === undefined) return -errno.EACCES;
    try {
      return writeStat(pointer, host.statSync(real));
    } catch (error) {
      return -failed(error);
    }
  }

  /** Reads or writes a list of buffers at the file's position; answers WASI's errno and leaves the count at `countAt`. */
  function transfer(
    file: OpenFile,
    list: { at: number; count: number; countAt: number },
    move: (buffer: Uint8Array, offset: number, length: number, position: number) => number,
  ): number {
    let total = 0;
    try {
      for (let i = 0; i < list.count; i++) {
        let pointer = view().getUint32(list.at + i * 8, true);
        let left = view().getUint32(list.at + i * 8 + 4, true);
        while (left > 0) {
          const moved = move(bytes(), pointer, left, file.position);
          if (moved === 0) break;
          file.position += moved;
          pointer += moved;
          left -= moved;
          total += moved;
        }
        if (left > 0) break;
      }
    } catch (error) {
      const code = failed(error);
      if (total === 0) return code;
    }
    view().setUint32(list.countAt, total, true);
    return 0;
  }

  function sync(file: OpenFile): number {
    try {
      if (file.isDirectory) host.fsyncSync(file.hostFd);
      else host.fdatasyncSync(file.hostFd);
      return 0;
    } catch (error) {
      trouble.syncFailure ??= error as Error;
      return errno.EIO;
    }
  }

  function seek(file: OpenFile, offset: bigint, whence: number, resultAt: number): number {
    const base = whence === 0 ? 0 : whence === 1 ? file.position : host.fstatSync(file.hostFd).size;
    const position = base + Number(offset);
    if (position < 0) return errno.EINVAL;
    file.position = position;
    view().setBigInt64(resultAt, BigInt(position), true);
    return 0;
  }

  function wrap(
    original: WebAssembly.ModuleImports,
    name: string,
    ours: (...args: never[]) => number | undefined,
  ): void {
    const theirs = original[name] as Call;
    // `undefined` from ours means: not a file of ours, let Emscripten answer.
    original[name] = (...args: never[]) => ours(...args) ?? theirs(...args);
  }

  const ofOurs = <A extends unknown[]>(call: (file: OpenFile, ...rest: A) => number) => {
    return (descriptor: number, ...rest: A): number | undefined => {
      const file = files.get(descriptor);
      return file && call(file, ...rest);
    };
  };

  function install(imports: WebAssembly.Imports): void {
    const env = imports.env as WebAssembly.ModuleImports;
    const wasi = imports.wasi_snapshot_preview1 as WebAssembly.ModuleImports;
    const refuse = () => -errno.EACCES;

    wrap(env, '__syscall_openat', (_dir: number, pathAt: number, flags: number) => {
      const path = textAt(pathAt);
      // SQLite's source of chance is Emscripten's device, which asks the platform.
      return path === '/dev/urandom' ? undefined : open(path, flags);
    });
    wrap(env, '__syscall_stat64', (pathAt: number, at: number) => statPath(textAt(pathAt), at));
    wrap(env, '__syscall_lstat64', (pathAt: number, at: number) => statPath(textAt(pathAt), at));
    wrap(env, '__syscall_newfstatat', (_dir: number, pathAt: number, at: number) =>
      statPath(textAt(pathAt), at),
    );
    wrap(env, '__syscall_faccessat', (_dir: number, pathAt: number) => {
      const real = mapped(textAt(pathAt));
      if (real === undefined) return -errno.EACCES;
      try {
        host.statSync(real);
        return 0;
      } catch (error) {
        return -failed(error);
      }
    });
    wrap(env, '__syscall_unlinkat', (_dir: number, pathAt: number) => {
      const real = mapped(textAt(pathAt));
      if (real === undefined) return -errno.EACCES;
      try {
        host.unlinkSync(real);
        return 0;
      } catch (error) {
        return -failed(error);
      }
    });
    for (const name of ['__syscall_chmod', '__syscall_mkdirat', '__syscall_rmdir', '__syscall_utimensat']) {
      wrap(env, name, refuse);
    }
    // None of the paths is a symbolic link to SQLite.
    wrap(env, '__syscall_readlinkat', () => -errno.EINVAL);
    wrap(
      env,
      '__syscall_fchmod',
      ofOurs(() => 0),
    );
    wrap(
      env,
      '__syscall_fchown32',
      ofOurs(() => 0),
    );
    wrap(
      env,
      '__syscall_fstat64',
      ofOurs((file, at: number) => writeStat(at, host.fstatSync(file.hostFd))),
    );
    wrap(
      env,
      '__syscall_ftruncate64',
      ofOurs((file, length: bigint) => {
        try {
          host.ftruncateSync(file.hostFd, Number(length));
          return 0;
        } catch (error) {
          return -failed(error);
        }
      }),
    );
    wrap(
      env,
      '__syscall_fcntl64',
      // The data directory's own lock keeps other processes out; SQLite's locks are between processes.
      ofOurs((_file, command: number, varargs: number) => {
        if (command === fcntlGetLock) view().setInt16(view().getUint32(varargs, true), unlocked, true);
        return 0;
      }),
    );
    wrap(
      wasi,
      'fd_read',
      ofOurs((file, at: number, count: number, countAt: number) =>
        transfer(file, { at, count, countAt }, (buffer, offset, length, position) =>
          host.readSync(file.hostFd, buffer, offset, length, position),
        ),
      ),
    );
    wrap(
      wasi,
      'fd_write',
      ofOurs((file, at: number, count: number, countAt: number) =>
        transfer(file, { at, count, countAt }, (buffer, offset, length, position) =>
          host.writeSync(file.hostFd, buffer, offset, length, position),
        ),
      ),
    );
    wrap(wasi, 'fd_seek', ofOurs(seek));
    wrap(wasi, 'fd_sync', ofOurs(sync));
    wrap(wasi, 'fd_close', (descriptor: number) => {
      const file = files.get(descriptor);
      if (!file) return undefined;
      files.delete(descriptor);
      host.closeSync(file.hostFd);
      return 0;
    });
  }

  return {
    trouble,
    instantiate(module, imports) {
      install(imports);
      const instance = new WebAssembly.Instance(module, imports);
      memory = instance.exports.memory as WebAssembly.Memory;
      return instance;
    },
    close() {
      for (const file of files.values()) host.closeSync(file.hostFd);
      files.clear();
    },
  };
}

/** Emscripten's open flags in this platform's numbers. */
function hostFlags(flags: number): number {
  const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC } = fs.constants;
  let result = flags & openFlags.readWrite ? O_RDWR : flags & openFlags.write ? O_WRONLY : O_RDONLY;
  if (flags & openFlags.create) result |= O_CREAT;
  if (flags & openFlags.exclusive) result |= O_EXCL;
  if (flags & openFlags.truncate) result |= O_TRUNC;
  return result;
}
