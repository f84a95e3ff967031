import { open, stat } from 'node:fs/promises';
import { devNull } from 'node:os';
import { ChatError } from '../core/errors.ts';
import { usageError } from './options.ts';
import type { FileKeys, FileValue } from './settings-keys.ts';
import { isMissing } from './state-directory.ts';

/** One file that settings were looked for in. */
export interface SettingsFile {
  readonly path: string;
  readonly exists: boolean;
  readonly values: ReadonlyMap<string, FileValue>;
  /** `invalid` (exit 2), each with file, line and key; values that are problems are not in `values`. */
  readonly problems: readonly ChatError[];
}

/** More is no file of settings. */
const maxBytes = 1_048_576;

function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

/** Reads `path` as text; undefined when it is not there. Throws `invalid` for whatever is no readable file of text. */
export async function readSettingsText(path: string): Promise<string | undefined> {
  // The usual way to say that there is to be none.
  if (path === devNull) return undefined;
  let bytes: Uint8Array;
  try {
    const found = await stat(path);
    // A pipe or a terminal would be waited for.
    if (!found.isFile()) throw usageError(`${path}: is no file; settings are read from a file`);
    if (found.size > maxBytes)
      throw usageError(`${path}: has more than ${maxBytes} bytes; that is no settings file`);
    const file = await open(path, 'r');
    try {
      bytes = await file.readFile();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (isMissing(error)) return undefined;
    if (error instanceof Error && 'code' in error && 'syscall' in error)
      throw usageError(`${path}: cannot read it (${errnoOf(error)}); check its permissions`);
    throw error;
  }
  return decode(path, bytes);
}

function decode(path: string, bytes: Uint8Array): string {
  const isText = (part: Uint8Array): boolean => {
    try {
      // What UTF-16 makes of Latin letters is UTF-8 too, with a NUL after each.
      return !new TextDecoder('utf-8', { fatal: true }).decode(part).includes('\0');
    } catch {
      return false;
    }
  };
  if (isText(bytes)) return new TextDecoder('utf-8').decode(bytes);
  let start = 0;
  for (let line = 1; ; line++) {
    const end = bytes.indexOf(0x0a, start);
    const part = bytes.subarray(start, end < 0 ? undefined : end);
    if (!isText(part) || end < 0) throw usageError(`${path}:${line}: is not UTF-8; save the file as UTF-8`);
    start = end + 1;
  }
}

/** Reads and checks a settings file; a missing one has no values, and is a problem when somebody named it. */
export async function readSettingsFile(
  path: string,
  keys: FileKeys,
  isNamedBy: string | undefined,
): Promise<SettingsFile> {
  const nothing = { path, exists: path === devNull, values: new Map<string, FileValue>() };
  try {
    const text = await readSettingsText(path);
    if (text === undefined) {
      const isWanted = isNamedBy !== undefined && path !== devNull;
      const problems = isWanted ? [usageError(`${isNamedBy}: there is no file ${path}`, isNamedBy)] : [];
      return { ...nothing, problems };
    }
    // Loaded when there is a file to read: most starts have none, and are not to pay for YAML.
    const { parseSettings } = await import('./settings-yaml.ts');
    return { path, exists: true, ...parseSettings(path, text, keys) };
  } catch (error) {
    if (!(error instanceof ChatError)) throw error;
    return { ...nothing, exists: true, problems: [error] };
  }
}
