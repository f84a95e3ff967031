import { readFile } from 'node:fs/promises';
import { getAsset, isSea } from 'node:sea';

/** A text that travels with the program: in its one file, or beside the built program; undefined in the sources. */
export async function programText(name: string): Promise<string | undefined> {
  if (isSea()) return getAsset(name, 'utf8');
  try {
    return await readFile(new URL(name, import.meta.url), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
