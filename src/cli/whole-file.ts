import { type FileHandle, link, open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { usageError } from './options.ts';

/**
 * Writes a file whole or not at all: what `write` gives it stands under the name once all of it is on disk, for its owner alone
 * (0600). Throws `invalid` (exit 2) for a name that is taken, unless it may be replaced, and for one that cannot be written.
 */
export async function writeWhole(
  path: string,
  { label, replaces, id }: { readonly label: string; readonly replaces: boolean; readonly id: number },
  write: (put: (text: string) => Promise<void>) => Promise<void>,
): Promise<void> {
  const beside = join(dirname(path), `.${basename(path)}.${id}.part`);
  const file = await orRefused(label, path, () => open(beside, 'w', 0o600));
  try {
    try {
      await write(async (text) => {
        await orRefused(label, path, () => file.writeFile(text));
      });
      await orRefused(label, path, () => file.sync());
    } finally {
      await file.close();
    }
    await orRefused(label, path, () => (replaces ? rename(beside, path) : linkNew(beside, path)));
    await syncDirectory(dirname(path));
  } finally {
    // After a rename there is none.
    await unlink(beside).catch(() => {});
  }
}

/** Gives a file a name that nobody has; unlike a rename, this fails when somebody took it meanwhile. */
async function linkNew(from: string, to: string): Promise<void> {
  await link(from, to);
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
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    if (code === 'EEXIST') throw taken(label, path);
    throw usageError(`${label}: cannot write ${path} (${code})`, label);
  }
}

/** For a file that is there already and may not be replaced. */
export function taken(label: string, path: string): Error {
  return usageError(`${label}: ${path} is there already; --force replaces it`, label);
}
