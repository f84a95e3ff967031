import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Bytes in a MiB. */
export const mebibyte = 1_048_576;

/** What a process has in memory, in bytes (Linux). */
export function memoryOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1_024;
}

/** Sockets that a process has open, those that it listens on too (Linux). */
export function socketsOf(pid: number): number {
  const directory = `/proc/${pid}/fd`;
  return readdirSync(directory).filter((name) => {
    try {
      return readlinkSync(`${directory}/${name}`).startsWith('socket:');
    } catch {
      // Closed meanwhile.
      return false;
    }
  }).length;
}

/** Looks again and again at the memory of a process until it is stopped; answers by how much it grew at most, in bytes. */
export function watchMemory(pid: number): () => number {
  const before = memoryOf(pid);
  let most = before;
  const timer = setInterval(() => {
    try {
      most = Math.max(most, memoryOf(pid));
    } catch {
      // The process has ended, which is found elsewhere.
    }
  }, 20);
  return () => {
    clearInterval(timer);
    return most - before;
  };
}
