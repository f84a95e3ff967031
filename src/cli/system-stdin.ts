import { fstatSync, type Stats } from 'node:fs';
import type { ByteSource } from './host.ts';
import { usageError } from './options.ts';

const stdinFd = 0;

/** Undefined for one that is closed. */
function statStdin(): Stats | undefined {
  try {
    return fstatSync(stdinFd);
  } catch {
    return undefined;
  }
}

async function* readStdin(): AsyncIterable<Uint8Array> {
  // Node takes it for an empty one.
  if (statStdin()?.isDirectory()) throw usageError('stdin: cannot read a directory');
  try {
    for await (const chunk of process.stdin) {
      if (chunk instanceof Uint8Array) yield chunk;
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw usageError(`stdin: cannot read it (${code})`);
  }
}

/** The process's stdin; throws `invalid` (exit 2) when it cannot be read. */
export const systemStdin: ByteSource = {
  get isTerminal() {
    return process.stdin.isTTY === true;
  },
  get size() {
    const found = statStdin();
    return found?.isFile() ? found.size : undefined;
  },
  bytes: readStdin,
};
