import { createHash } from 'node:crypto';
import { closeSync, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

/** What is copied where. */
export interface CopyTask {
  readonly from: string;
  readonly to: string;
}

/** What became of it. */
export type CopyMessage =
  | { readonly kind: 'copied'; readonly bytes: number; readonly sha256: Uint8Array }
  | { readonly kind: 'failed'; readonly code: string | undefined; readonly message: string };

/** Bytes that are read and written at a time. */
const pieceBytes = 1_048_576;

/** A thread of its own: hashing and writing a large file would hold up whoever waits on another. */
if (parentPort) parentPort.postMessage(copied(workerData as CopyTask));

function copied({ from, to }: CopyTask): CopyMessage {
  try {
    return { kind: 'copied', ...copy(from, to) };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { kind: 'failed', code, message };
  }
}

function copy(from: string, to: string): { bytes: number; sha256: Uint8Array } {
  const source = openSync(from, 'r');
  try {
    const target = openSync(to, 'wx', 0o600);
    try {
      const hash = createHash('sha256');
      const piece = new Uint8Array(pieceBytes);
      let bytes = 0;
      for (;;) {
        const read = readSync(source, piece, 0, piece.length, bytes);
        if (read === 0) break;
        hash.update(piece.subarray(0, read));
        for (let done = 0; done < read; ) done += writeSync(target, piece, done, read - done, bytes + done);
        bytes += read;
      }
      if (fstatSync(target).size !== bytes)
        throw new Error('the copy has another size than what was written');
      fsyncSync(target);
      return { bytes, sha256: new Uint8Array(hash.digest()) };
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(source);
  }
}
