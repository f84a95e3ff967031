import { constants, type Stats } from 'node:fs';
import type { HostFile, HostFiles } from './host-files.ts';

/**
 * Puts SQLite's own pager, write-ahead log and recovery on real files: the file system calls of sql.js's debug build, whose
 * imports have names, go to {@link HostFiles} (storage, "Embedded: sql.js on real files"). A path that is not mounted is
 * EACCES, never Emscripten's file system in memory, where a write would report success and be lost.
 */
export interface SystemCalls {
  /** Takes the place of Emscripten's calls in `imports`. */
  install(imports: WebAssembly.Imports): void;
  /** The instance's memory, before its first call. */
  attach(memory: WebAssembly.Memory): void;
  /** Shows `files` to SQLite; answers the path of their directory there. */
  mount(files: HostFiles): string;
  unmount(directory: string): void;
}

/** The calls that are replaced; each must be imported, or the build is not the one that was tried. */
const replaced = {
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

/** The replaced calls that `module` does not import: empty for the sql.js that this was written for. */
export function missingCalls(module: WebAssembly.Module): string[] {
  const imported = new Set(
    WebAssembly.Module.imports(module).map(({ module: from, name }) => `${from}.${name}`),
  );
  return Object.entries(replaced)
    .flatMap(([from, names]) => names.map((name) => `${from}.${name}`))
    .filter((name) => !imported.has(name));
}

/** WASI's numbers for errors, which Emscripten uses. */
const errno = { EACCES: 2, EEXIST: 20, EINVAL: 28, EIO: 29, ENOENT: 44, ENOSPC: 51, EROFS: 69 } as const;
const errnoOfHost: Readonly<Record<string, number>> = {
  ...errno,
  EPERM: errno.EACCES,
  // A quota that is used up is a full disk to its owner.
  EDQUOT: errno.ENOSPC,
};
/** Emscripten's open flags (musl, fcntl.h). */
const openFlag = { writeOnly: 1, readWrite: 2, create: 64, exclusive: 128, truncate: 512 } as const;
const fcntlGetLock = 12;
const unlocked = 2;
const kindOf = { directory: 0o040_000, regular: 0o100_000 } as const;
/** Descriptors from here on are ours; Emscripten's own stay below. */
const firstDescriptor = 1_000;

interface Descriptor {
  readonly file: HostFile;
  position: number;
}

/** The calls of one instance of the module. */
export function systemCalls(): SystemCalls {
  const mounts = new Map<string, HostFiles>();
  const descriptors = new Map<number, Descriptor>();
  let nextDescriptor = firstDescriptor;
  let nextMount = 1;
  let memory: WebAssembly.Memory | undefined;
  let view = new DataView(new ArrayBuffer(0));
  let heap = new Uint8Array(0);

  /** The memory as it is now: its buffer is replaced when it grows. */
  function current(): DataView {
    if (!memory) throw new Error('a system call before the memory was attached');
    if (view.buffer !== memory.buffer) {
      view = new DataView(memory.buffer);
      heap = new Uint8Array(memory.buffer);
    }
    return view;
  }

  function textAt(at: number): string {
    current();
    return Buffer.from(heap.subarray(at, heap.indexOf(0, at))).toString('utf8');
  }

  function located(path: string): { files: HostFiles; name: string } | undefined {
    const [, directory, name = ''] = /^(\/\d+)(?:\/([^/]+))?$/.exec(path) ?? [];
    const files = directory === undefined ? undefined : mounts.get(directory);
    return files && { files, name };
  }

  function writeStat(at: number, stat: Stats): void {
    const to = current();
    heap.fill(0, at, at + 96);
    to.setUint32(at, stat.dev >>> 0, true);
    to.setUint32(
      at + 4,
      (stat.isDirectory() ? kindOf.directory : kindOf.regular) | (stat.mode & 0o777),
      true,
    );
    to.setUint32(at + 8, stat.nlink, true);
    to.setBigInt64(at + 24, BigInt(stat.size), true);
    to.setInt32(at + 32, 4_096, true);
    to.setBigInt64(at + 88, BigInt(stat.ino), true);
  }

  /** Linux's way to answer: the result, or minus the error's number. */
  function answer(work: () => number | undefined): number {
    try {
      return work() ?? 0;
    } catch (error) {
      return -errnoOf(error);
    }
  }

  /** WASI's way to answer: 0, or the error's number. */
  const outcome = (work: () => undefined): number => -answer(work);

  function atPath(at: number, work: (files: HostFiles, name: string) => number | undefined): number {
    const found = located(textAt(at));
    return found ? answer(() => work(found.files, found.name)) : -errno.EACCES;
  }

  /** Moves each buffer of a list between memory and file, from the file's position on. */
  function transfer(
    descriptor: Descriptor,
    list: { readonly at: number; readonly count: number; readonly totalAt: number },
    move: (file: HostFile, bytes: Uint8Array, position: number) => number,
  ): number {
    return outcome(() => {
      let total = 0;
      for (let i = 0; i < list.count; i++) {
        const at = current().getUint32(list.at + i * 8, true);
        const length = current().getUint32(list.at + i * 8 + 4, true);
        const moved = move(descriptor.file, heap.subarray(at, at + length), descriptor.position);
        descriptor.position += moved;
        total += moved;
        if (moved < length) break;
      }
      current().setUint32(list.totalAt, total, true);
      return undefined;
    });
  }

  function openAt(_directory: number, pathAt: number, flags: number): number | undefined {
    const path = textAt(pathAt);
    // SQLite's source of chance: Emscripten's device asks the platform.
    if (path === '/dev/urandom') return undefined;
    return atPath(pathAt, (files, name) => {
      const descriptor = nextDescriptor++;
      descriptors.set(descriptor, { file: files.open(name, hostFlags(flags)), position: 0 });
      return descriptor;
    });
  }

  const statAt = (pathAt: number, at: number): number =>
    atPath(pathAt, (files, name) => {
      writeStat(at, files.stat(name));
      return 0;
    });

  function seek(descriptor: Descriptor, offset: bigint, whence: number, resultAt: number): number {
    return outcome(() => {
      const base = whence === 0 ? 0 : whence === 1 ? descriptor.position : descriptor.file.stat().size;
      descriptor.position = base + Number(offset);
      current().setBigInt64(resultAt, BigInt(descriptor.position), true);
      return undefined;
    });
  }

  /** A call on an open file of ours. */
  const onFile =
    <Rest extends unknown[]>(call: (descriptor: Descriptor, ...rest: Rest) => number) =>
    (fd: number, ...rest: Rest): number | undefined => {
      const descriptor = descriptors.get(fd);
      return descriptor && call(descriptor, ...rest);
    };
  const refuse = (): number => -errno.EACCES;
  const accept = onFile(() => 0);

  // What answers undefined is no file of ours: Emscripten's own call answers then.
  const ours: Readonly<Record<string, (...args: never[]) => number | undefined>> = {
    __syscall_openat: openAt,
    __syscall_stat64: statAt,
    __syscall_lstat64: statAt,
    __syscall_newfstatat: (_directory: number, pathAt: number, at: number) => statAt(pathAt, at),
    __syscall_faccessat: (_directory: number, pathAt: number) =>
      atPath(pathAt, (files, name) => {
        files.stat(name);
        return 0;
      }),
    __syscall_unlinkat: (_directory: number, pathAt: number) =>
      atPath(pathAt, (files, name) => {
        files.unlink(name);
        return 0;
      }),
    __syscall_chmod: refuse,
    __syscall_mkdirat: refuse,
    __syscall_rmdir: refuse,
    __syscall_utimensat: refuse,
    // No path of ours is a symbolic link to SQLite.
    __syscall_readlinkat: () => -errno.EINVAL,
    // They are made for their owner alone, and stay so.
    __syscall_fchmod: accept,
    __syscall_fchown32: accept,
    __syscall_fstat64: onFile((descriptor, at: number) =>
      answer(() => {
        writeStat(at, descriptor.file.stat());
        return 0;
      }),
    ),
    __syscall_ftruncate64: onFile((descriptor, length: bigint) =>
      answer(() => {
        descriptor.file.truncate(Number(length));
        return 0;
      }),
    ),
    // The data directory's own lock keeps other processes out, and this one opens its database once.
    __syscall_fcntl64: onFile((_descriptor, command: number, argumentsAt: number) => {
      if (command === fcntlGetLock) {
        current().setInt16(current().getUint32(argumentsAt, true), unlocked, true);
      }
      return 0;
    }),
    fd_read: onFile((descriptor, at: number, count: number, totalAt: number) =>
      transfer(descriptor, { at, count, totalAt }, (file, bytes, position) => file.read(bytes, position)),
    ),
    fd_write: onFile((descriptor, at: number, count: number, totalAt: number) =>
      transfer(descriptor, { at, count, totalAt }, (file, bytes, position) => {
        file.write(bytes, position);
        return bytes.length;
      }),
    ),
    fd_seek: onFile(seek),
    fd_sync: onFile(({ file }) =>
      outcome(() => {
        file.sync();
        return undefined;
      }),
    ),
    fd_close: (fd: number) => {
      const descriptor = descriptors.get(fd);
      if (!descriptor) return undefined;
      descriptors.delete(fd);
      return outcome(() => {
        descriptor.file.close();
        return undefined;
      });
    },
  };

  return {
    install(imports) {
      for (const [from, names] of Object.entries(replaced)) {
        const calls = imports[from] ?? {};
        for (const name of names) {
          const theirs = calls[name] as (...args: never[]) => unknown;
          const mine = ours[name];
          if (mine) calls[name] = (...args: never[]) => mine(...args) ?? theirs(...args);
        }
      }
    },
    attach(attached) {
      memory = attached;
    },
    mount(files) {
      const directory = `/${nextMount++}`;
      mounts.set(directory, files);
      return directory;
    },
    unmount(directory) {
      mounts.delete(directory);
    },
  };
}

function errnoOf(error: unknown): number {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return (typeof code === 'string' ? errnoOfHost[code] : undefined) ?? errno.EIO;
}

/** Emscripten's open flags in this platform's numbers. */
function hostFlags(flags: number): number {
  const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC } = constants;
  let result = flags & openFlag.readWrite ? O_RDWR : flags & openFlag.writeOnly ? O_WRONLY : O_RDONLY;
  if (flags & openFlag.create) result |= O_CREAT;
  if (flags & openFlag.exclusive) result |= O_EXCL;
  if (flags & openFlag.truncate) result |= O_TRUNC;
  return result;
}
