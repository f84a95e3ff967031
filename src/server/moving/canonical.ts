import { ChatError } from '../../core/errors.ts';
import type { ColumnKind, MovedTable } from '../store/moved-tables.ts';
import type { TableRow } from '../store/queries/table-rows.ts';
import type { SqlValue } from '../store/statement.ts';

/**
 * Spells a row the one way in which it is stored, hashed and compared: a JSON array of its columns in their order, text as it is, bytes in
 * base64, with a line end. Where a column takes both, text counts as its bytes: only one of the two databases keeps them apart. Throws
 * `internal` for a value that its column does not take.
 */
export function spellRow({ name, columns }: MovedTable, row: TableRow): string {
  const cells = columns.map(({ name: column, kind }) => {
    const value = row[column];
    if (value === undefined || !takes(kind, value))
      throw new ChatError('internal', `${name}.${column} holds a value of another kind than it may`);
    if (kind === 'either' && typeof value === 'string') return Buffer.from(value).toString('base64');
    if (typeof value !== 'object' || value === null) return value;
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64');
  });
  return `${JSON.stringify(cells)}\n`;
}

/** What {@link spellRow} has spelled, without its line end; undefined for anything else. */
export function readRow({ columns }: MovedTable, line: string): SqlValue[] | undefined {
  let cells: unknown;
  try {
    cells = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!Array.isArray(cells) || cells.length !== columns.length) return undefined;
  const values: SqlValue[] = [];
  for (const [index, { kind }] of columns.entries()) {
    const value = readCell(kind, cells[index]);
    if (value === undefined) return undefined;
    values.push(value);
  }
  return values;
}

/** The values of a row's primary key. */
export function keyOf({ columns, key }: MovedTable, values: readonly SqlValue[]): SqlValue[] {
  return key.map((name) => values[columns.findIndex((column) => column.name === name)] ?? null);
}

function takes(kind: ColumnKind, value: SqlValue): boolean {
  if (value === null) return true;
  if (kind === 'integer') return Number.isSafeInteger(value);
  if (kind === 'text') return typeof value === 'string';
  if (kind === 'bytes') return value instanceof Uint8Array;
  return typeof value === 'string' || value instanceof Uint8Array;
}

function readCell(kind: ColumnKind, cell: unknown): SqlValue | undefined {
  if (cell === null) return null;
  if (kind === 'integer') return Number.isSafeInteger(cell) ? (cell as number) : undefined;
  if (kind === 'bytes' || kind === 'either') return readBytes(cell);
  return typeof cell === 'string' ? cell : undefined;
}

function readBytes(cell: unknown): Uint8Array | undefined {
  if (typeof cell !== 'string') return undefined;
  const bytes = Buffer.from(cell, 'base64');
  return bytes.toString('base64') === cell ? new Uint8Array(bytes) : undefined;
}
