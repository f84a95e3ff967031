import { existsSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely';
import type { Database, Statement as PreparedStatement } from 'sql.js';
import initSqlJs from 'sql.js/dist/sql-wasm-debug.js';
import { ChatError } from '../../../core/errors.ts';
import { migrations } from '../migrations/index.ts';
import type { Schema } from '../schema.ts';
import { type Command, type Compiled, compile, type Query, type SqlValue } from '../statement.ts';
import { type HostFileSystem, type HostTrouble, hostFiles, missingCalls } from './host-files.ts';

/** One database file, open; everything on it happens at once, on this thread. */
export interface SqliteDatabase {
  /** Runs SQL without parameters and rows: transactions and pragmas. */
  execute(sql: string): void;
  /** Runs a query to its end. */
  run<Result>(query: Query<Result>): Result;
  readonly trouble: HostTrouble;
  close(): void;
}

/** Where the database is and what it is read with. */
export interface DatabaseOptions {
  /** Absolute; beside it lie `-wal` and `-journal`. */
  readonly path: string;
  readonly wasmPath: string;
  /** `node:fs` unless a test hands in one that fails. */
  readonly host?: HostFileSystem;
}

/** Only compiles: what it makes is run by {@link SqliteDatabase}. */
const compiler = new Kysely<Schema>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
});

/**
 * Opens the database, making it or bringing it up to date first. Throws `unavailable` for a file that is damaged, that a newer
 * version wrote, or that cannot be read or written; such a file is left as it is.
 */
export async function openDatabase({ path, wasmPath, host }: DatabaseOptions): Promise<SqliteDatabase> {
  const isNew = !existsSync(path);
  const module = new WebAssembly.Module(readFileSync(wasmPath));
  const missing = missingCalls(module);
  if (missing.length > 0) {
    throw new Error(
      `this build of sql.js lacks the system calls that its files go through: ${missing.join(', ')}`,
    );
  }
  const files = hostFiles(path, dirname(path), host);
  const sqlJs = await initSqlJs({
    // The debug build tells how its memory grows; nobody here wants to read that.
    print: () => {},
    printErr: () => {},
    instantiateWasm: (imports, receive) => {
      const instance = files.instantiate(module, imports);
      receive(instance, module);
      return instance.exports;
    },
  });
  try {
    const database = new sqlJs.Database();
    const opened = wrap(database, files);
    for (const pragma of pragmas) opened.execute(pragma);
    migrate(database, path, isNew);
    return opened;
  } catch (error) {
    files.close();
    throw openingError(error, path, files.trouble);
  }
}

const pragmas = [
  // One process owns the file: the write-ahead log then needs no shared memory, which there is none of here.
  'PRAGMA locking_mode = EXCLUSIVE',
  'PRAGMA journal_mode = WAL',
  'PRAGMA synchronous = FULL',
  'PRAGMA temp_store = MEMORY',
  // What is deleted is overwritten (storage, "Erase").
  'PRAGMA secure_delete = ON',
  'PRAGMA foreign_keys = ON',
  // 64 MB of pages in memory; the rest is the operating system's cache.
  'PRAGMA cache_size = -65536',
];

/** A statement that stays compiled as long as its database is open. */
interface Prepared {
  readonly statement: PreparedStatement;
  readonly bind: Compiled['bind'];
  readonly columns: readonly string[];
}

function wrap(database: Database, files: { trouble: HostTrouble; close(): void }): SqliteDatabase {
  const compiledStatements = new Map<Command['statement'], Prepared>();
  const preparedSql = new Map<string, PreparedStatement>();

  function prepared(of: Command['statement']): Prepared {
    let known = compiledStatements.get(of);
    if (!known) {
      const { sql, bind } = compile(compiler, of);
      const statement = database.prepare(sql);
      known = { statement, bind, columns: statement.getColumnNames() };
      compiledStatements.set(of, known);
    }
    return known;
  }

  function all(command: Command): unknown[] {
    const { statement, bind, columns } = prepared(command.statement);
    const found: unknown[] = [];
    try {
      statement.bind(bind(command.params));
      while (statement.step()) {
        const row: Record<string, SqlValue> = {};
        for (const [index, value] of statement.get().entries()) row[columns[index] ?? ''] = value;
        found.push(row);
      }
    } finally {
      statement.reset();
    }
    return found;
  }

  return {
    trouble: files.trouble,
    execute(sql) {
      let known = preparedSql.get(sql);
      if (!known) {
        known = database.prepare(sql);
        preparedSql.set(sql, known);
      }
      try {
        while (known.step());
      } finally {
        known.reset();
      }
    },
    run(query) {
      let next = query.next();
      while (!next.done) next = query.next(all(next.value));
      return next.value;
    },
    close() {
      try {
        database.close();
      } catch (error) {
        // Closed by then: what fails is that sql.js deletes the file in memory, which there is none of.
        if ((error as Error).name !== 'ErrnoError') throw error;
      } finally {
        files.close();
      }
    },
  };
}

function migrate(database: Database, path: string, isNew: boolean): void {
  const version = Number(single(database, 'PRAGMA user_version'));
  if (version > migrations.length) {
    throw new ChatError(
      'unavailable',
      `${path} was written by a newer chat (its format is ${version}, this one knows ${migrations.length}): start that version, or restore an older backup`,
    );
  }
  // A file with tables but without our number is somebody else's, and so is an empty one that we did not make.
  if (version === 0 && !isNew && Number(single(database, 'SELECT count(*) FROM sqlite_master')) > 0) {
    throw new ChatError('unavailable', `${path} is not a database of chat: give another data directory`);
  }
  for (const [index, migration] of migrations.entries()) {
    if (index < version) continue;
    database.exec('BEGIN IMMEDIATE');
    for (const sql of migration) database.exec(sql);
    database.exec(`PRAGMA user_version = ${index + 1}`);
    database.exec('COMMIT');
  }
}

function single(database: Database, sql: string): SqlValue {
  return database.exec(sql)[0]?.values[0]?.[0] ?? null;
}

function openingError(error: unknown, path: string, trouble: HostTrouble): unknown {
  if (error instanceof ChatError) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (trouble.full)
    return new ChatError('unavailable', `the disk of ${path} is full: make room and start again`, {
      cause: error,
    });
  if (/not a database|malformed|disk image|unsupported file format/i.test(message)) {
    return new ChatError(
      'unavailable',
      `${path} is damaged (${message}): restore a backup; the file was left as it is`,
      {
        cause: error,
      },
    );
  }
  if (/unable to open|readonly|disk I\/O|permission/i.test(message)) {
    return new ChatError(
      'unavailable',
      `${path} cannot be opened for writing (${message}): check its permissions and its disk`,
      {
        cause: error,
      },
    );
  }
  return error;
}
