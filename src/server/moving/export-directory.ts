import { createHash } from 'node:crypto';
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ChatError } from '../../core/errors.ts';
import type { MovedName } from '../store/moved-tables.ts';
import { type Manifest, type ManifestKey, pieceName, readManifest, spellManifest } from './manifest.ts';

/** The files of one export. Whatever is written is whole and on disk when it resolves, for its owner alone (0600). */
export interface ExportDirectory {
  readonly path: string;
  /** Undefined where nothing has been exported yet. Throws `unavailable` for one that is damaged or of a newer version. */
  manifest(): Promise<Manifest | undefined>;
  putManifest(manifest: Manifest): Promise<void>;
  putPiece(table: MovedName, index: number, bytes: Uint8Array): Promise<void>;
  putKey(file: ManifestKey['file'], bytes: Uint8Array): Promise<void>;
  /** Answers a file that has the size and the digest which the manifest names. Throws `unavailable` for one that is missing or damaged. */
  piece(table: MovedName, index: number, expected: FileDigest): Promise<Uint8Array<ArrayBuffer>>;
  key(expected: ManifestKey): Promise<Uint8Array<ArrayBuffer>>;
  /** Removes pieces of an export that begins anew. */
  clear(): Promise<void>;
}

/** What the manifest says of a file. */
export interface FileDigest {
  readonly bytes: number;
  readonly sha256: string;
}

/** A file's size, and SHA-256 over it. */
export function digestOf(bytes: Uint8Array): FileDigest {
  return { bytes: bytes.byteLength, sha256: createHash('sha256').update(bytes).digest('hex') };
}

const manifestName = 'manifest.json';
const partial = '.partial';
const ownName = /^[a-z_]+-\d{6,}\.ndjson\.gz(\.partial)?$/;

/**
 * Makes a directory for an export when it is not there, for its owner alone (0700). Throws `conflict` for one that holds anything but an
 * export, and `unavailable` when it cannot be made or read.
 */
export async function makeExportDirectory(path: string): Promise<ExportDirectory> {
  const names = await told(path, 'written', async () => {
    await mkdir(path, { recursive: true, mode: 0o700 });
    const found = await readdir(path);
    const isOwn = found.includes(manifestName) || found.every((name) => name === manifestName + partial);
    // What is somebody else's stays as it is.
    if (isOwn) await chmod(path, 0o700);
    return isOwn ? undefined : found;
  });
  if (names) {
    throw new ChatError(
      'conflict',
      `${path} is not empty, and holds no export: give another directory, or an empty one`,
    );
  }
  return directoryAt(path);
}

/** Opens what {@link makeExportDirectory} has made. Throws `not-found` where there is no export. */
export async function openExportDirectory(path: string): Promise<ExportDirectory> {
  const isThere = await told(path, 'read', async () => {
    try {
      return (await stat(join(path, manifestName))).isFile();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return false;
      throw error;
    }
  });
  if (!isThere) {
    throw new ChatError(
      'not-found',
      `there is no export in ${path}: give the directory that chat admin export-store has made`,
    );
  }
  return directoryAt(path);
}

function directoryAt(path: string): ExportDirectory {
  async function put(name: string, bytes: Uint8Array | string): Promise<void> {
    await told(path, 'written', async () => {
      const target = join(path, name);
      const temporary = target + partial;
      // What a killed one has left may be a half, or a link to somewhere else: neither is written into.
      await rm(temporary, { force: true });
      const file = await open(temporary, 'wx', 0o600);
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, target);
      await syncDirectory(dirname(target));
    });
  }

  /** Undefined for a file that is not there. */
  function contentsOf(name: string): Promise<Buffer<ArrayBuffer> | undefined> {
    return told(path, 'read', async () => {
      try {
        return await readFile(join(path, name));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
    });
  }

  async function get(name: string, expected: FileDigest): Promise<Uint8Array<ArrayBuffer>> {
    const damaged = (why: string) =>
      new ChatError(
        'unavailable',
        `${join(path, name)} is ${why}: copy the export again from where it was made, or export again`,
      );
    const bytes = await contentsOf(name);
    if (!bytes) throw damaged('missing');
    const found = digestOf(bytes);
    if (found.bytes !== expected.bytes || found.sha256 !== expected.sha256) throw damaged('damaged');
    return bytes;
  }

  return {
    path,
    async manifest() {
      const bytes = await contentsOf(manifestName);
      return bytes && readManifest(bytes.toString('utf8'), join(path, manifestName));
    },
    putManifest: (manifest) => put(manifestName, spellManifest(manifest)),
    putPiece: (table, index, bytes) => put(pieceName(table, index), bytes),
    async putKey(file, bytes) {
      await told(path, 'written', () => mkdir(dirname(join(path, file)), { recursive: true, mode: 0o700 }));
      await put(file, bytes);
    },
    piece: (table, index, expected) => get(pieceName(table, index), expected),
    key: (expected) => get(expected.file, expected),
    async clear() {
      await told(path, 'written', async () => {
        for (const name of await readdir(path)) if (ownName.test(name)) await rm(join(path, name));
        await syncDirectory(path);
      });
    },
  };
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

/** Does something with files, and says in words what the system says with a code. */
async function told<Result>(
  path: string,
  what: 'read' | 'written',
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof ChatError || code === undefined) throw error;
    const isFull = code === 'ENOSPC' || code === 'EDQUOT';
    const text = isFull
      ? `the disk of ${path} is full: make room and run the same again, it goes on where it stopped`
      : `${path} cannot be ${what} (${code}): give another directory, or change its permissions`;
    throw new ChatError('unavailable', text, { cause: error });
  }
}
