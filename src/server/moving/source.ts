import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ChatError } from '../../core/errors.ts';
import { keyFiles, type Manifest, type ManifestKey } from './manifest.ts';

/** A file of the server's keys, as it is in the data directory and in an export. */
export interface ServerKeyFile {
  readonly file: ManifestKey['file'];
  readonly bytes: Uint8Array;
}

/** The state of a database's file and of its log, by which a change is seen; undefined where there is no such file. */
export async function sourceState(file: string): Promise<Manifest['source'] | undefined> {
  const database = await stateOf(file);
  if (!database) return undefined;
  const log = await stateOf(`${file}-wal`);
  return { database, log: log && log.bytes > 0 ? log : null };
}

async function stateOf(path: string): Promise<{ bytes: number; modified_ns: string } | undefined> {
  try {
    const found = await stat(path, { bigint: true });
    return { bytes: Number(found.size), modified_ns: String(found.mtimeNs) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unreadable(path, error);
  }
}

/** Reads the keys of a data directory. Throws `unavailable` where the authority's is missing, without which the server would be another one. */
export async function readServerKeys(data: string): Promise<readonly ServerKeyFile[]> {
  const found: ServerKeyFile[] = [];
  for (const file of keyFiles) {
    const path = join(data, file);
    try {
      found.push({ file, bytes: await readFile(path) });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw unreadable(path, error);
      if (file === 'ttpkeys/ca.key') {
        throw new ChatError(
          'unavailable',
          `${path} is missing: bring the keys from where the database comes from, or clients would see another server`,
        );
      }
    }
  }
  return found;
}

function unreadable(path: string, error: unknown): ChatError {
  const { code } = error as NodeJS.ErrnoException;
  return new ChatError('unavailable', `${path} cannot be read (${code ?? String(error)})`, { cause: error });
}
