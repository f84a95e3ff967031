import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const newline = 0x0a;

/**
 * True when `fd` is a file whose last line has no end: somebody was killed, or found the disk full, as they wrote it. False where
 * that cannot be seen: outside of Linux a file that is open for writing is not read through its descriptor.
 */
export function isAmidLine(fd: number): boolean {
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size === 0) return false;
    const file = openSync(`/proc/self/fd/${fd}`, 'r');
    try {
      const last = Buffer.alloc(1);
      return readSync(file, last, 0, 1, stat.size - 1) === 1 && last[0] !== newline;
    } finally {
      closeSync(file);
    }
  } catch {
    return false;
  }
}
