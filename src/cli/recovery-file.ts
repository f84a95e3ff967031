import { type FileHandle, open, unlink } from 'node:fs/promises';
import { type OneTimeCode, parseOneTimeCode } from '../core/one-time-code.ts';
import { type OptionTable, usageError } from './options.ts';
import { readNamedFile } from './secret.ts';
import { decodeUtf8 } from './text-input.ts';

const label = '--recovery-file';

/** The flag by which a script keeps a recovery key, or gives it back. */
export const recoveryOption = {
  'recovery-file': {
    type: 'text',
    value: 'FILE',
    complete: 'file',
    describe:
      'where the recovery key of private messages is written to when their keys are made (0600, a new file), and read from to bring them back',
  },
} as const satisfies OptionTable;

/** The same flag of a command that makes a recovery key. */
export const newRecoveryOption = {
  'recovery-file': {
    type: 'text',
    value: 'FILE',
    complete: 'file',
    describe: 'where the recovery key is written to (0600, a new file) instead of stdout',
  },
} as const satisfies OptionTable;

/** Throws what {@link writeRecoveryKey} will, before anything is done that it is for. */
export async function checkNewRecoveryFile(path: string): Promise<void> {
  try {
    await (await open(path, 'wx', 0o600)).close();
  } catch (error) {
    throw refused(path, error);
  }
  await dropRecoveryKey(path);
}

/** Writes a recovery key into a new file, its owner's alone; throws `invalid` (exit 2) for one that is there. */
export async function writeRecoveryKey(path: string, key: OneTimeCode): Promise<void> {
  let file: FileHandle;
  try {
    file = await open(path, 'wx', 0o600);
  } catch (error) {
    throw refused(path, error);
  }
  try {
    await file.writeFile(`${key}\n`);
    await file.sync();
  } catch (error) {
    await unlink(path).catch(() => {});
    throw refused(path, error);
  } finally {
    await file.close();
  }
}

/** Takes back a recovery key that opens nothing, since its keys were not stored. */
export async function dropRecoveryKey(path: string): Promise<void> {
  await unlink(path).catch(() => {});
}

/** Reads a recovery key from a file; throws `invalid` (exit 2) for one that has none. */
export async function readRecoveryKey(path: string): Promise<OneTimeCode> {
  return parseRecoveryKey(decodeUtf8(label, await readNamedFile(label, path)).trim(), `${label}: ${path}`);
}

/** True for a file that has a recovery key. */
export async function hasRecoveryKey(path: string): Promise<boolean> {
  return await readRecoveryKey(path).then(
    () => true,
    () => false,
  );
}

/** The recovery key that a person has typed; throws `invalid` (exit 2) for what is none. */
export function parseRecoveryKey(typed: string, where?: string): OneTimeCode {
  const key = parseOneTimeCode(typed);
  if (!key)
    throw usageError(
      `${where === undefined ? '' : `${where}: `}this is no recovery key: a character of its seven groups of four is wrong or missing; compare it`,
      label,
    );
  return key;
}

function refused(path: string, error: unknown): Error {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  return code === 'EEXIST'
    ? usageError(
        `${label}: ${path} is there already, and the new recovery key needs a file of its own`,
        label,
      )
    : usageError(`${label}: cannot write ${path} (${code})`, label);
}
