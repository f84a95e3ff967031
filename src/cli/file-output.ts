import { fstatSync, writeSync } from 'node:fs';
import type { Writable } from 'node:stream';

/** Writes bytes to a descriptor, and answers how many of them the system took. */
type Write = (fd: number, bytes: Uint8Array) => number;

/**
 * Has a stream of Node's that is a file write each chunk whole, or fail; any other stays as it is. Node's own does not look at how much
 * of a chunk the system took: a disk that is full in the middle of the last one would go unseen, and the command end with 0.
 */
export function inFull<S extends Writable & { readonly fd?: number }>(
  stream: S,
  write: Write = writeSync,
): S {
  const { fd } = stream;
  if (fd === undefined || !isFile(fd)) return stream;
  stream._write = (chunk: Uint8Array, _encoding, done) => {
    try {
      for (let rest = chunk; rest.length > 0; ) rest = rest.subarray(write(fd, rest));
    } catch (error) {
      done(error as Error);
      return;
    }
    done();
  };
  return stream;
}

function isFile(fd: number): boolean {
  try {
    return fstatSync(fd).isFile();
  } catch {
    return false;
  }
}
