import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { ChatError } from '../../core/errors.ts';
import { migrations } from '../store/migrations/index.ts';
import { type MovedTable, movedTables } from '../store/moved-tables.ts';
import {
  type ImportPlace,
  type ImportTarget,
  openForImport,
  type ReadPage,
} from '../store/postgres/moved-rows.ts';
import type { SqlValue } from '../store/statement.ts';
import { readRow, spellRow } from './canonical.ts';
import { type ExportDirectory, openExportDirectory } from './export-directory.ts';
import { idOf, type Manifest, type ManifestTable, pieceName } from './manifest.ts';
import { type MoveProgress, type MoveReport, reportOf } from './move-report.ts';
import { linesOf, unpackPiece } from './pieces.ts';
import { keySealer } from './seal-keys.ts';

/** What is imported, and where to. */
export interface ImportOptions {
  /** What `exportStore` has made. */
  readonly directory: string;
  /** `postgres://…`: an empty database, or one that was being filled with the same. */
  readonly store: string;
  /** With what the server's keys are sealed there: the file that every node is given. */
  readonly clusterSecret: string;
  /** Told now and then how far a table is. */
  readonly onProgress?: (progress: MoveProgress) => void;
}

/** Rows that are read back at once. */
const rowsAtOnce = 1_000;

/**
 * Puts an export into a database on PostgreSQL, begins where an earlier run was interrupted, and compares what is there then with the
 * export, row by row; only then a server starts on it. Throws `unavailable` for an export that is damaged, not finished or of another
 * format, and while the database cannot be reached or is used by servers; `conflict` when it holds anything else.
 */
export async function importStore(options: ImportOptions): Promise<MoveReport> {
  const directory = await openExportDirectory(resolve(options.directory));
  const manifest = await finishedManifest(directory);
  const sealKeys = await keySealer(options.clusterSecret, directory, manifest);
  await lookAtPieces(directory, manifest);
  const target = await openForImport(options.store);
  try {
    const place = await target.begin({ exportId: idOf(manifest), realm: manifest.realm });
    const work = { directory, manifest, target, onProgress: options.onProgress ?? (() => {}) };
    await loadTables(work, place);
    await compareTables(work);
    await target.finish(sealKeys);
    return reportOf(manifest);
  } finally {
    await target.close();
  }
}

async function finishedManifest(directory: ExportDirectory): Promise<Manifest> {
  const manifest = await directory.manifest();
  if (!manifest?.complete) {
    throw new ChatError(
      'conflict',
      `the export in ${directory.path} is not finished: run chat admin export-store again, which goes on where it stopped`,
    );
  }
  if (manifest.format !== migrations.length) {
    const who = manifest.format > migrations.length ? 'a newer' : 'an older';
    throw new ChatError(
      'unavailable',
      `${directory.path} was exported by ${who} chat (format ${manifest.format}, this one imports ${migrations.length}): export again with this version`,
    );
  }
  return manifest;
}

/** Looks for damage in every file before anything is stored. */
async function lookAtPieces(directory: ExportDirectory, manifest: Manifest): Promise<void> {
  for (const { name, pieces } of manifest.tables)
    for (const [index, piece] of pieces.entries()) await directory.piece(name, index, piece);
}

interface Work {
  readonly directory: ExportDirectory;
  readonly manifest: Manifest;
  readonly target: ImportTarget;
  readonly onProgress: (progress: MoveProgress) => void;
}

const rowsOf = ({ tables }: Manifest): number => tables.reduce((sum, { rows }) => sum + rows, 0);

async function loadTables(
  { directory, manifest, target, onProgress }: Work,
  from: ImportPlace,
): Promise<void> {
  const first = movedTables.findIndex(({ name }) => name === from.table);
  let left = rowsOf(manifest);
  let doneNow = 0;
  for (const [index, table] of movedTables.entries()) {
    const entry = entryOf(manifest, table);
    const loaded = index < first ? entry.pieces.length : index === first ? from.pieces : 0;
    let done = 0;
    for (const [number, piece] of entry.pieces.entries()) {
      if (number >= loaded) {
        const rows = await readPiece(directory, table, entry, number);
        await target.load(table, rows, { table: table.name, pieces: number + 1 });
        doneNow += piece.rows;
      }
      done += piece.rows;
      left -= piece.rows;
      onProgress({ step: 'import', table: table.name, done, total: entry.rows, doneNow, left });
    }
  }
}

async function readPiece(
  directory: ExportDirectory,
  table: MovedTable,
  { pieces }: ManifestTable,
  index: number,
): Promise<SqlValue[][]> {
  const piece = pieces[index];
  if (!piece) throw new ChatError('internal', `there is no piece ${index} of ${table.name}`);
  const name = pieceName(table.name, index);
  const lines = linesOf(await unpackPiece(await directory.piece(table.name, index, piece), name));
  const rows = lines.map((line) => readRow(table, line));
  if (rows.length !== piece.rows || !rows.every((row) => row !== undefined)) {
    throw new ChatError(
      'unavailable',
      `${join(directory.path, name)} does not hold the rows that the manifest says: export again, into another directory`,
    );
  }
  return rows;
}

/** Reads everything back, and compares it with what the manifest says, in number and in digest. */
async function compareTables({ manifest, target, onProgress }: Work): Promise<void> {
  let left = rowsOf(manifest);
  let doneNow = 0;
  await target.reading(async (read) => {
    for (const table of movedTables) {
      const entry = entryOf(manifest, table);
      const note = (done: number, rows: number): void => {
        left -= rows;
        doneNow += rows;
        onProgress({ step: 'verify', table: table.name, done, total: entry.rows, doneNow, left });
      };
      const { rows, sha256 } = await digestOfTable(read, table, note);
      if (rows === entry.rows && sha256 === entry.sha256) continue;
      throw new ChatError(
        'unavailable',
        `${table.name} is not the same in the database as in the export (${rows} of ${entry.rows} rows; SHA-256 ${sha256}, not ${entry.sha256}): nothing may be started on it; give another, empty database`,
      );
    }
  });
}

async function digestOfTable(
  read: ReadPage,
  table: MovedTable,
  note: (done: number, rows: number) => void,
): Promise<{ rows: number; sha256: string }> {
  const hash = createHash('sha256');
  let count = 0;
  let after: readonly SqlValue[] | undefined;
  for (;;) {
    const rows = await read(table, after, rowsAtOnce);
    hash.update(rows.map((row) => spellRow(table, row)).join(''));
    count += rows.length;
    note(count, rows.length);
    const last = rows.at(-1);
    if (!last || rows.length < rowsAtOnce) return { rows: count, sha256: hash.digest('hex') };
    after = table.key.map((column) => last[column] ?? null);
  }
}

function entryOf({ tables }: Manifest, table: MovedTable): ManifestTable {
  const found = tables.find(({ name }) => name === table.name);
  if (!found) throw new ChatError('internal', `the export has no table ${table.name}`);
  return found;
}
