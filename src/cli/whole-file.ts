import { unlinkSync } from 'node:fs';
import { type FileHandle, link, open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ChatError } from '../core/errors.ts';
import { usageError } from './options.ts';

/** How a file is written whole. */
export interface WholeFileOptions {
  /** The flag that named the file. */
  readonly label: string;
  /** True when it may take the place of another one. */
  readonly replaces: boolean;
  /** A number that no other process on this machine has. */
  readonly id: number;
  /** What is there so far goes at once when this aborts: the process may end before anything else is done. */
  readonly signal: AbortSignal;
}

/**
 * Writes a file whole or not at all: what `write` gives it stands under the name once all of it is on disk, for its owner alone
 * (0600). Throws `invalid` (exit 2) for a name that is taken, unless it may be replaced, and for one that cannot be written.
 */
export async function writeWhole(
  path: string,
  { label, replaces, id, signal }: WholeFileOptions,
  write: (put: (text: string) => Promise<void>) => Promise<void>,
): Promise<void> {
  const beside = join(dirname(path), `.${basename(path)}.${id}.part`);
  // What a process of the same number left when it was killed.
  await unlink(beside).catch(() => {});
  // A link that somebody else puts there is not followed (`x`).
  const file = await orRefused(label, path, () => open(beside, 'wx', 0o600));
  const drop = (): void => {
    try {
      unlinkSync(beside);
    } catch {
      // After a rename there is none.
    }
  };
  signal.addEventListener('abort', drop);
  try {
    try {
      await write(async (text) => {
        await orRefused(label, path, () => file.writeFile(text));
      });
      await orRefused(label, path, () => file.sync());
    } finally {
      await file.close();
    }
    await orRefused(label, path, () => (replaces ? rename(beside, path) : linkNew(label, beside, path)));
    await syncDirectory(dirname(path));
  } finally {
    signal.removeEventListener('abort', drop);
    drop();
  }
}

/** Gives a file a name that nobody has; unlike a rename, this fails when somebody took it meanwhile. */
async function linkNew(label: string, from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    throw codeOf(error) === 'EEXIST' ? taken(label, to) : error;
  }
}

async function syncDirectory(path: string): Promise<void> {
  let directory: FileHandle | undefined;
  try {
    directory = await open(path, 'r');
    await directory.sync();
  } catch {
    // Not every file system can; the file itself is on disk.
  } finally {
    await directory?.close();
  }
}

async function orRefused<T>(label: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ChatError) throw error;
    throw usageError(`${label}: cannot write ${path} (${codeOf(error)})`, label);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}

/** For a file that is there already and may not be replaced. */
export function taken(label: string, path: string): Error {
  return usageError(`${label}: ${path} is there already; --force replaces it`, label);
}
