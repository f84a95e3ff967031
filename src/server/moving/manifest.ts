import { createHash } from 'node:crypto';
import * as z from 'zod';
import { ChatError } from '../../core/errors.ts';
import { type MovedName, movedTables } from '../store/moved-tables.ts';

/** How an export is written down: grows when an older program could not read it. */
export const manifestVersion = 1;

/** Everything by which clients and their certificates know a server. */
export const keyFiles = [
  'ttpkeys/ca.key',
  'ttpkeys/ca.crt',
  'serverkeys/server.key',
  'serverkeys/server.crt',
] as const;

const kind = 'chat-export';
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.int().min(0);
const names = movedTables.map(({ name }) => name) as [MovedName, ...MovedName[]];

const piece = z.strictObject({
  rows: z.int().min(1),
  /** Of its file, and SHA-256 over that. */
  bytes: count,
  sha256,
});
const table = z.strictObject({
  name: z.enum(names),
  /** How many rows it has. */
  rows: count,
  /** Over all of them as {@link spellRow} spells them, in the order of the primary key; null before the last piece is there. */
  sha256: sha256.nullable(),
  pieces: z.array(piece),
});
const keyFile = z.strictObject({
  /** Below the export's directory, as below the data directory. */
  file: z.enum(keyFiles),
  bytes: count,
  sha256,
});
/** A file as it was read: two that differ here are of different states. */
const fileState = z.strictObject({ bytes: count, modified_ns: z.string() });

const manifest = z.strictObject({
  kind: z.literal(kind),
  version: z.literal(manifestVersion),
  /** Of the program that wrote it. */
  chat: z.string(),
  /** Of the database: how many migrations there were. */
  format: count,
  realm: z.string(),
  begun_at: z.string(),
  /** The database's file, and its log where there is something in it. */
  source: z.strictObject({ database: fileState, log: fileState.nullable() }),
  keys: z.array(keyFile),
  tables: z.array(table),
  complete: z.boolean(),
});

/** What an export is, and how far it has come. */
export type Manifest = z.infer<typeof manifest>;
/** One table of it. */
export type ManifestTable = Manifest['tables'][number];
/** One file of rows. */
export type ManifestPiece = ManifestTable['pieces'][number];
/** A file of the server's keys. */
export type ManifestKey = Manifest['keys'][number];

/** Spells a manifest as its file has it: JSON for people too, with a digest over all the rest, by which a change is seen. */
export function spellManifest(given: Manifest): string {
  return `${JSON.stringify({ ...given, check: checkOf(given) }, null, 1)}\n`;
}

/**
 * Reads what {@link spellManifest} has spelled. Throws `unavailable`, with the file's `path`, for one that is damaged, and for one of a
 * newer version.
 */
export function readManifest(text: string, path: string): Manifest {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (cause) {
    throw damagedManifest(path, cause);
  }
  const head = z.object({ kind: z.literal(kind), version: z.int() }).safeParse(given);
  if (head.success && head.data.version > manifestVersion) {
    throw new ChatError(
      'unavailable',
      `${path} was written by a newer chat (version ${head.data.version} of the manifest, this one knows ${manifestVersion}): use that version`,
    );
  }
  const parsed = manifest.extend({ check: sha256 }).safeParse(given);
  if (!parsed.success) throw damagedManifest(path, parsed.error);
  const { check, ...rest } = parsed.data;
  if (check !== checkOf(rest)) throw damagedManifest(path);
  return rest;
}

/** What says that these are the rows of one export, and no other's: the digest over its finished manifest. */
export function idOf(given: Manifest): string {
  return checkOf(given);
}

/** The file's name of a table's piece; the first has index 0. */
export function pieceName(table: MovedName, index: number): string {
  return `${table}-${String(index + 1).padStart(6, '0')}.ndjson.gz`;
}

function checkOf(given: Manifest): string {
  return createHash('sha256').update(JSON.stringify(given)).digest('hex');
}

function damagedManifest(path: string, cause?: unknown): ChatError {
  return new ChatError('unavailable', `${path} is damaged: export again, into another directory`, { cause });
}
