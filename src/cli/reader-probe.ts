import { fstatSync } from 'node:fs';

/** `struct pollfd` (POSIX poll): a descriptor, the events asked for, the events found; and what is found without being asked for. */
const pollfd = { bytes: 8, eventsFound: 3, error: 0x08, hangUp: 0x10 } as const;

/**
 * Answers a look at whether nobody reads any more what is written to `fd`; undefined where that cannot be seen, and then it shows
 * at the next write. Node asks the system about a pipe only while something waits to be written to it, and none of its own calls
 * does otherwise; so this calls poll(2) itself, which takes a few microseconds.
 */
export function readerProbe(fd: number): (() => boolean) | undefined {
  if (process.platform === 'win32') return undefined;
  try {
    const stat = fstatSync(fd);
    // Of a device macOS knows nothing, and a file has no reader.
    if (!stat.isFIFO() && !stat.isSocket()) return undefined;
    const { functions } = quietly(() => {
      const ffi = process.getBuiltinModule('node:ffi');
      return ffi.dlopen(null, { poll: { arguments: ['buffer', 'uint64', 'int32'], return: 'int32' } });
    });
    const memory = Buffer.alloc(pollfd.bytes);
    const found = new Int16Array(memory.buffer, memory.byteOffset, pollfd.bytes / 2);
    new Int32Array(memory.buffer, memory.byteOffset, 1)[0] = fd;
    return () => {
      if (functions.poll(memory, 1n, 0) <= 0) return false;
      return ((found[pollfd.eventsFound] ?? 0) & (pollfd.error | pollfd.hangUp)) !== 0;
    };
  } catch {
    // A Node without node:ffi, or one that was told not to have it.
    return undefined;
  }
}

/** Runs `work`, which ends before anything else can happen, without the warning that node:ffi is experimental: stderr is for people. */
function quietly<T>(work: () => T): T {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return work();
  } finally {
    process.emitWarning = emitWarning;
  }
}
