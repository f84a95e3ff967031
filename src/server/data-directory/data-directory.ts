import { accessSync, chmodSync, constants, mkdirSync, realpathSync, type Stats, statSync } from 'node:fs';
import { ChatError } from '../../core/errors.ts';
import { type DirectoryLock, lockDirectory } from './lock.ts';
import { whose } from './whose.ts';

/** A data directory that is ours alone until it is closed. */
export interface DataDirectory {
  /** Absolute, without symbolic links. */
  readonly path: string;
  /** Lets go of the lock. */
  close(): Promise<void>;
}

/**
 * Makes a data directory when it is not there, for its owner alone (0700), and takes its lock. Throws `unavailable` when it
 * cannot be made or written, or when another server holds it: the text says which process, since when.
 */
export async function openDataDirectory(directory: string): Promise<DataDirectory> {
  const path = prepare(directory);
  const lock: DirectoryLock = await lockDirectory(path);
  return { path, close: () => lock.release() };
}

function prepare(directory: string): string {
  let found: Stats | undefined;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const path = realpathSync(directory);
    found = statSync(path);
    const { uid, mode } = found;
    // Another owner's directory is left as its owner wants it; writing is what counts.
    if ((mode & 0o077) !== 0 && uid === process.getuid?.()) chmodSync(path, 0o700);
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    return path;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ChatError(
      'unavailable',
      `the data directory ${directory} cannot be written (${code ?? String(error)})${whose(found)}: give another with --data, or change its permissions`,
      { cause: error },
    );
  }
}
