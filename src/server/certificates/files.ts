import { chmod, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Makes a directory that only its owner can enter; one that exists is closed to others. */
export async function makePrivateDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await chmod(path, 0o700);
}

/**
 * Replaces a file whole: after a crash there is the old one, or the new one, or none, and never a half of either.
 * On disk when it resolves.
 */
export async function replaceFile(path: string, text: string, mode: 0o600 | 0o644): Promise<void> {
  const temporary = `${path}.tmp`;
  // What an interrupted start has left may be a half, or a link to somewhere else: neither is written into.
  await rm(temporary, { force: true });
  const file = await open(temporary, 'wx', mode);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}

/** Reads a file; undefined when there is none. */
export async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Takes a secret file away from everybody but its owner; answers true when others could have read it until now. */
export async function closeToOthers(path: string): Promise<boolean> {
  if (process.platform === 'win32') return false;
  const { mode } = await stat(path);
  if ((mode & 0o077) === 0) return false;
  await chmod(path, 0o600);
  return true;
}

async function syncDirectory(path: string): Promise<void> {
  // Windows has no directory to sync: its rename is on disk with the file system's own journal.
  if (process.platform === 'win32') return;
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
