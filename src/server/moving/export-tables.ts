import { createHash, type Hash } from 'node:crypto';
import { ChatError } from '../../core/errors.ts';
import { type MovedTable, movedTables } from '../store/moved-tables.ts';
import { tableRows } from '../store/queries/table-rows.ts';
import type { Look } from '../store/sqlite/database.ts';
import type { SqlValue } from '../store/statement.ts';
import { keyOf, readRow, spellRow } from './canonical.ts';
import { digestOf, type ExportDirectory } from './export-directory.ts';
import { type Manifest, type ManifestTable, pieceName } from './manifest.ts';
import type { MoveProgress } from './move-report.ts';
import { linesOf, type PieceBounds, packPiece, unpackPiece, usualBounds } from './pieces.ts';

/** Rows that are read at once: the largest are some 100 KB. */
const rowsAtOnce = 500;

/** What the tables of an export are made of. */
export interface ExportWork {
  readonly look: Look;
  readonly directory: ExportDirectory;
  readonly manifest: Manifest;
  readonly onProgress?: ((progress: MoveProgress) => void) | undefined;
  readonly bounds?: PieceBounds | undefined;
}

/** Writes every table that is not whole yet, each piece noted in the manifest when it is on disk. */
export async function exportTables(work: ExportWork): Promise<void> {
  const { manifest, onProgress } = work;
  let left = manifest.tables.reduce((sum, { rows }) => sum + rows, 0);
  let doneNow = 0;
  for (const [index, table] of movedTables.entries()) {
    const entry = manifest.tables[index];
    if (entry?.name !== table.name) throw new ChatError('internal', 'the manifest has other tables');
    let done = 0;
    const note = (rows: number, isNew: boolean): void => {
      done += rows;
      left -= rows;
      if (isNew) doneNow += rows;
      onProgress?.({ step: 'export', table: table.name, done, total: entry.rows, doneNow, left });
    };
    await exportTable(work, table, entry, note);
  }
}

async function exportTable(
  { look, directory, manifest, bounds = usualBounds }: ExportWork,
  table: MovedTable,
  entry: ManifestTable,
  note: (rows: number, isNew: boolean) => void,
): Promise<void> {
  const hash = createHash('sha256');
  const kept = await keptPieces(directory, table, entry, hash, (rows) => note(rows, false));
  entry.pieces.length = kept.pieces;
  let { after } = kept;
  let count = kept.rows;
  let text = '';
  let inPiece = 0;
  const limit = Math.min(rowsAtOnce, bounds.rows);
  /** The piece before: it is packed and written while the next one is read. */
  let writing: Promise<void> = Promise.resolve();

  async function endPiece(): Promise<void> {
    const [piece, rows] = [text, inPiece];
    text = '';
    inPiece = 0;
    await writing;
    writing = writePiece(piece, rows);
    // Whoever waits for the next one hears of it.
    writing.catch(() => {});
  }

  async function writePiece(piece: string, rows: number): Promise<void> {
    hash.update(piece);
    const bytes = await packPiece(piece);
    await directory.putPiece(table.name, entry.pieces.length, bytes);
    entry.pieces.push({ rows, ...digestOf(bytes) });
    await directory.putManifest(manifest);
  }

  for (;;) {
    const rows = look.run(tableRows(table, after, limit));
    for (const row of rows) {
      text += spellRow(table, row);
      inPiece += 1;
      if (inPiece >= bounds.rows || text.length >= bounds.characters) await endPiece();
    }
    const last = rows.at(-1);
    if (last) after = table.key.map((column) => last[column] ?? null);
    count += rows.length;
    note(rows.length, true);
    if (rows.length < limit) break;
    // Signals are heard between.
    await new Promise<void>((resume) => setImmediate(resume));
  }
  if (inPiece > 0) await endPiece();
  await writing;
  if (count !== entry.rows)
    throw new ChatError(
      'unavailable',
      `${table.name} has ${count} rows, not the ${entry.rows} that were counted`,
    );
  entry.sha256 = hash.digest('hex');
}

/** Goes through the pieces that an interrupted run has left, as far as they are whole; the row to go on after is the last one's. */
async function keptPieces(
  directory: ExportDirectory,
  table: MovedTable,
  { pieces }: ManifestTable,
  hash: Hash,
  note: (rows: number) => void,
): Promise<{ readonly pieces: number; readonly rows: number; readonly after: SqlValue[] | undefined }> {
  let count = 0;
  let after: SqlValue[] | undefined;
  for (const [index, piece] of pieces.entries()) {
    let text: string;
    try {
      const bytes = await directory.piece(table.name, index, piece);
      text = await unpackPiece(bytes, pieceName(table.name, index));
    } catch (error) {
      // It is written again, and what comes after it.
      if (error instanceof ChatError) return { pieces: index, rows: count, after };
      throw error;
    }
    const last = readRow(table, linesOf(text).at(-1) ?? '');
    if (!last) return { pieces: index, rows: count, after };
    hash.update(text);
    after = keyOf(table, last);
    count += piece.rows;
    note(piece.rows);
  }
  return { pieces: pieces.length, rows: count, after };
}
