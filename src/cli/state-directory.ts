import { constants, type Stats } from 'node:fs';
import { chmod, type FileHandle, lstat, mkdir, open, rename, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ChatError } from '../core/errors.ts';
import { uuidV7 } from '../core/random.ts';

function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}

/** True for the error that says that a file is not there. */
export function isMissing(error: unknown): boolean {
  return errnoOf(error) === 'ENOENT';
}

/**
 * A file of ours that cannot be used, with the file and what to do in its text. It is `invalid` (exit 2) and not
 * `unavailable`: trying again does not help.
 */
export function stateError(path: string, problem: string, cause?: unknown): ChatError {
  return new ChatError('invalid', `${path}: ${problem}`, { cause });
}

/** Where a person can go when the system does not let them. */
const denials: readonly string[] = ['EACCES', 'EPERM', 'EROFS'];

/** Spells what the system said about `path`. */
export function systemError(path: string, doing: string, cause: unknown): ChatError {
  const code = errnoOf(cause);
  const advice = denials.includes(code)
    ? '; check whose the directory is, or name another with XDG_STATE_HOME and XDG_CONFIG_HOME'
    : '';
  return stateError(path, `cannot ${doing} (${code})${advice}`, cause);
}

/** The refusal of what somebody else has made: usually root, for a command that was once run with sudo. */
export function othersError(path: string, owner: number, userId: number): ChatError {
  return stateError(
    path,
    `belongs to user ${owner}, and this is user ${userId}; was chat run with sudo? Give it back (chown -R ${userId}), ` +
      'or name another directory with XDG_STATE_HOME',
  );
}

/** Makes the directory, 0700, and refuses one that is a symlink or somebody else's. */
export async function ensureDirectory(path: string, userId: number | undefined): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    const found = await lstat(path);
    if (found.isSymbolicLink())
      throw stateError(path, 'is a symbolic link; chat keeps its files in a directory of its own');
    if (userId === undefined) return;
    if (found.uid !== userId) throw othersError(path, found.uid, userId);
    if ((found.mode & 0o077) !== 0) await chmod(path, 0o700);
  } catch (error) {
    if (error instanceof ChatError) throw error;
    throw systemError(path, 'make the directory', error);
  }
}

/**
 * Opens a private file for reading; undefined when there is none. Refuses a symlink, another user's file, and one that others
 * can read or write: what is in it may be known already. Whoever asked closes it.
 */
export async function openPrivateFile(
  path: string,
  userId: number | undefined,
): Promise<FileHandle | undefined> {
  try {
    const file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
    try {
      checkPrivate(path, await file.stat(), userId);
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  } catch (error) {
    if (error instanceof ChatError) throw error;
    if (isMissing(error)) return undefined;
    if (errnoOf(error) === 'ELOOP')
      throw stateError(path, 'is a symbolic link; chat does not follow it', error);
    throw systemError(path, 'read it', error);
  }
}

function checkPrivate(path: string, found: Stats, userId: number | undefined): void {
  if (!found.isFile()) throw stateError(path, 'is not a file');
  if (userId === undefined) return;
  if (found.uid !== userId) throw othersError(path, found.uid, userId);
  if ((found.mode & 0o077) === 0) return;
  throw stateError(path, `can be read by other users; see who did, then run: chmod 600 '${path}'`);
}

/** Reads a private file, as {@link openPrivateFile} opens it; undefined when there is none. */
export async function readPrivateFile(path: string, userId: number | undefined): Promise<string | undefined> {
  const file = await openPrivateFile(path, userId);
  try {
    return await file?.readFile('utf8');
  } catch (error) {
    throw systemError(path, 'read it', error);
  } finally {
    await file?.close();
  }
}

async function refuseSymlink(path: string): Promise<void> {
  try {
    if ((await lstat(path)).isSymbolicLink())
      throw stateError(path, 'is a symbolic link; chat does not replace it');
  } catch (error) {
    if (error instanceof ChatError) throw error;
    if (!isMissing(error)) throw systemError(path, 'look at it', error);
  }
}

/** Makes a rename or removal last over a power cut; Windows has no such call. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Writes beside `path` and renames, both synced: a reader sees the old or the new content, also after a power cut. */
async function writeWhole(path: string, content: string, mode: number): Promise<void> {
  const temporary = `${path}.${uuidV7()}.tmp`;
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      // What the process masks out, the file that is replaced may have had.
      await file.chmod(mode);
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw systemError(path, 'write it', error);
  }
}

/**
 * Replaces a private file whole, 0600: a reader sees the old or the new one, also after a power cut. Our own few lines,
 * since write-file-atomic follows symlinks and leaves the directory unsynced, and both are decided otherwise here.
 */
export async function replacePrivateFile(
  path: string,
  content: string,
  userId: number | undefined,
): Promise<void> {
  await ensureDirectory(dirname(path), userId);
  await refuseSymlink(path);
  await writeWhole(path, content, 0o600);
}

/**
 * Replaces a file that a person may also write by hand, wherever it is: it keeps its mode, and so does its directory. New
 * ones are their owner's alone. A symbolic link is refused.
 */
export async function replaceSharedFile(path: string, content: string): Promise<void> {
  await refuseSymlink(path);
  let mode = 0o600;
  try {
    mode = (await stat(path)).mode & 0o777;
  } catch (error) {
    if (!isMissing(error)) throw systemError(path, 'look at it', error);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
      throw systemError(dirname(path), 'make the directory', cause);
    });
  }
  await writeWhole(path, content, mode);
}

/** Removes a file of ours; true when there was one. */
export async function removePrivateFile(path: string): Promise<boolean> {
  try {
    await unlink(path);
    await syncDirectory(dirname(path));
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw systemError(path, 'remove it', error);
  }
}

/** Makes sure that what is about to be fetched from the server can be kept; call before asking the server for it. */
export async function ensureWritable(directory: string, userId: number | undefined): Promise<void> {
  await ensureDirectory(directory, userId);
  const probe = join(directory, `.${uuidV7()}.tmp`);
  try {
    await (await open(probe, 'wx', 0o600)).close();
    await unlink(probe);
  } catch (error) {
    throw systemError(directory, 'write there', error);
  }
}
