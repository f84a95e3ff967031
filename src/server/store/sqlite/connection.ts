import type { SqlValue } from '../statement.ts';

/** The part of SQLite's C interface that statements need, as sql.js's build exports it. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  malloc(bytes: number): number;
  free(at: number): void;
  sqlite3_open(nameAt: number, dbAt: number): number;
  sqlite3_close_v2(db: number): number;
  sqlite3_prepare_v2(db: number, sqlAt: number, bytes: number, statementAt: number, tailAt: number): number;
  sqlite3_step(statement: number): number;
  sqlite3_reset(statement: number): number;
  sqlite3_finalize(statement: number): number;
  sqlite3_errmsg(db: number): number;
  sqlite3_changes(db: number): number;
  sqlite3_bind_int(statement: number, index: number, value: number): number;
  sqlite3_bind_double(statement: number, index: number, value: number): number;
  sqlite3_bind_text(statement: number, index: number, at: number, bytes: number, destructor: number): number;
  sqlite3_bind_blob(statement: number, index: number, at: number, bytes: number, destructor: number): number;
  sqlite3_column_count(statement: number): number;
  sqlite3_column_name(statement: number, column: number): number;
  sqlite3_column_type(statement: number, column: number): number;
  sqlite3_column_double(statement: number, column: number): number;
  sqlite3_column_text(statement: number, column: number): number;
  sqlite3_column_blob(statement: number, column: number): number;
  sqlite3_column_bytes(statement: number, column: number): number;
}

const needed = [
  'malloc',
  'free',
  'sqlite3_open',
  'sqlite3_close_v2',
  'sqlite3_prepare_v2',
  'sqlite3_step',
  'sqlite3_reset',
  'sqlite3_finalize',
  'sqlite3_errmsg',
  'sqlite3_changes',
  'sqlite3_bind_int',
  'sqlite3_bind_double',
  'sqlite3_bind_text',
  'sqlite3_bind_blob',
  'sqlite3_column_count',
  'sqlite3_column_name',
  'sqlite3_column_type',
  'sqlite3_column_double',
  'sqlite3_column_text',
  'sqlite3_column_blob',
  'sqlite3_column_bytes',
] as const satisfies (keyof Exports)[];

/** SQLite's primary result codes (sqlite.org/rescode.html) that mean something to the store. */
export const resultCode = {
  ok: 0,
  noMemory: 7,
  ioError: 10,
  corrupt: 11,
  notADatabase: 26,
  row: 100,
  done: 101,
} as const;
const columnType = { integer: 1, float: 2, text: 3, blob: 4 } as const;
/** Tells SQLite that a bound value stays where it is until the statement has run (SQLITE_STATIC). */
const stays = 0;
/** Where values lie while a statement runs: room for any message, grown when a value needs more. */
const firstScratchBytes = 262_144;

/** What SQLite answered in place of doing something; `code` is one of its primary result codes. */
export class SqliteError extends Error {
  override readonly name = 'SqliteError';
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** A compiled statement. */
export interface Prepared {
  /** Runs it to its end; answers its rows by the names of their columns. */
  all(values: readonly SqlValue[]): Record<string, SqlValue>[];
}

/** The statements of one open database. Everything happens at once; a failure is a {@link SqliteError}. */
export interface Connection {
  /** Compiles a statement, for as long as the connection is open. */
  prepare(sql: string): Prepared;
  /** Compiles, runs and drops one statement. */
  once(sql: string): Record<string, SqlValue>[];
  /** How many rows the last insertion, update or deletion changed. */
  changes(): number;
  /** Drops every statement and closes the database; once. */
  close(): void;
}

/** The functions that statements need and `exported` has not: empty for the sql.js that this was written for. */
export function missingExports(exported: Readonly<Record<string, unknown>>): string[] {
  return needed.filter((name) => typeof exported[name] !== 'function');
}

/**
 * Opens the database that SQLite finds at `path`. SQLite is spoken to directly, since sql.js's own statements take five times
 * as long as SQLite does: memory for each value of each run, and in this build checks of every call.
 */
export function connection(exported: Readonly<Record<string, unknown>>, path: string): Connection {
  // Checked by `missingExports`; their types are sqlite3.h's.
  const sqlite = exported as unknown as Exports;
  const statements = new Set<number>();
  let isClosed = false;
  let heap = Buffer.from(sqlite.memory.buffer);
  let scratch = { at: sqlite.malloc(firstScratchBytes), bytes: firstScratchBytes };
  const db = open();

  function current(): Buffer {
    // The buffer is replaced when the memory grows, and the old one has no bytes any more.
    if (heap.byteLength === 0) heap = Buffer.from(sqlite.memory.buffer);
    return heap;
  }

  function reserve(bytes: number): number {
    if (bytes > scratch.bytes) {
      sqlite.free(scratch.at);
      scratch = { at: sqlite.malloc(bytes), bytes };
    }
    if (scratch.at === 0) throw new SqliteError(resultCode.noMemory, 'out of memory');
    return scratch.at;
  }

  function textAt(at: number): string {
    const bytes = current();
    return bytes.toString('utf8', at, bytes.indexOf(0, at));
  }

  function open(): number {
    const dbAt = reserve(Buffer.byteLength(path) + 9);
    current().write(`${path}\0`, dbAt + 8, 'utf8');
    const code = sqlite.sqlite3_open(dbAt + 8, dbAt);
    const opened = current().readUInt32LE(dbAt);
    if (code === resultCode.ok) return opened;
    const message = textAt(sqlite.sqlite3_errmsg(opened));
    sqlite.sqlite3_close_v2(opened);
    throw new SqliteError(code & 0xff, message);
  }

  function check(code: number): void {
    // The low byte is the primary code.
    if (code !== resultCode.ok) throw new SqliteError(code & 0xff, textAt(sqlite.sqlite3_errmsg(db)));
  }

  function bind(statement: number, values: readonly SqlValue[]): void {
    let bytes = 0;
    for (const value of values) {
      // One more for each: an empty value has a place too, or it would be NULL. UTF-16 to UTF-8 is at most three for one.
      if (typeof value === 'string') bytes += value.length * 3 + 1;
      else if (typeof value === 'object' && value !== null) bytes += value.byteLength + 1;
    }
    let at = reserve(bytes);
    let index = 0;
    for (const value of values) {
      index++;
      if (typeof value === 'string') {
        const length = current().write(value, at, 'utf8');
        check(sqlite.sqlite3_bind_text(statement, index, at, length, stays));
        at += length + 1;
      } else if (typeof value === 'number') {
        // A whole number bound as a double is stored as an integer by the columns' affinity, and compares as one.
        if (value === (value | 0)) check(sqlite.sqlite3_bind_int(statement, index, value));
        else check(sqlite.sqlite3_bind_double(statement, index, value));
      } else if (value === null) {
        check(sqlite.sqlite3_bind_blob(statement, index, 0, 0, stays));
      } else {
        current().set(value, at);
        check(sqlite.sqlite3_bind_blob(statement, index, at, value.byteLength, stays));
        at += value.byteLength + 1;
      }
    }
  }

  function read(statement: number, column: number): SqlValue {
    switch (sqlite.sqlite3_column_type(statement, column)) {
      case columnType.integer:
      case columnType.float:
        return sqlite.sqlite3_column_double(statement, column);
      case columnType.text: {
        // In this order: the text may be converted, and its length is the converted one's.
        const at = sqlite.sqlite3_column_text(statement, column);
        const length = sqlite.sqlite3_column_bytes(statement, column);
        return current().toString('utf8', at, at + length);
      }
      case columnType.blob: {
        const at = sqlite.sqlite3_column_blob(statement, column);
        const length = sqlite.sqlite3_column_bytes(statement, column);
        return new Uint8Array(sqlite.memory.buffer.slice(at, at + length));
      }
      default:
        return null;
    }
  }

  function compile(sql: string): { statement: number; names: readonly string[] } {
    const bytes = Buffer.byteLength(sql) + 1;
    const statementAt = reserve(bytes + 8);
    const sqlAt = statementAt + 8;
    current().write(`${sql}\0`, sqlAt, 'utf8');
    check(sqlite.sqlite3_prepare_v2(db, sqlAt, bytes, statementAt, 0));
    const statement = current().readUInt32LE(statementAt);
    const names = Array.from({ length: sqlite.sqlite3_column_count(statement) }, (_, column) =>
      textAt(sqlite.sqlite3_column_name(statement, column)),
    );
    return { statement, names };
  }

  function run(statement: number, names: readonly string[], values: readonly SqlValue[]) {
    bind(statement, values);
    const rows: Record<string, SqlValue>[] = [];
    try {
      let code = sqlite.sqlite3_step(statement);
      while (code === resultCode.row) {
        const row: Record<string, SqlValue> = {};
        for (const [column, name] of names.entries()) row[name] = read(statement, column);
        rows.push(row);
        code = sqlite.sqlite3_step(statement);
      }
      if (code !== resultCode.done) check(code);
    } finally {
      sqlite.sqlite3_reset(statement);
    }
    return rows;
  }

  return {
    prepare(sql) {
      const { statement, names } = compile(sql);
      statements.add(statement);
      return { all: (values) => run(statement, names, values) };
    },
    once(sql) {
      const { statement, names } = compile(sql);
      try {
        return run(statement, names, []);
      } finally {
        sqlite.sqlite3_finalize(statement);
      }
    },
    changes: () => sqlite.sqlite3_changes(db),
    close() {
      if (isClosed) return;
      isClosed = true;
      for (const statement of statements) sqlite.sqlite3_finalize(statement);
      statements.clear();
      sqlite.free(scratch.at);
      check(sqlite.sqlite3_close_v2(db));
    },
  };
}
