import { join } from 'node:path';
import { DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely';
import { ChatError } from '../../../core/errors.ts';
import { migrations } from '../migrations/index.ts';
import type { Migration } from '../migrations/migration.ts';
import type { Schema } from '../schema.ts';
import { type Command, type Compiled, compile, type Query } from '../statement.ts';
import { type Connection, connection, type Prepared, resultCode, SqliteError } from './connection.ts';
import { refuseDamagedLog } from './damaged-log.ts';
import { databaseName } from './database-name.ts';
import { type HostFileSystem, type HostFiles, type HostTrouble, hostFiles } from './host-files.ts';
import { scrub } from './scrub.ts';
import { loadSqlite } from './sqlite.ts';

/** One database file, open; everything on it happens at once, on this thread. */
export interface SqliteDatabase {
  /** Runs SQL without parameters and rows: transactions. Compiled once per text. */
  execute(sql: string): void;
  /** Runs a query to its end. */
  run<Result>(query: Query<Result>): Result;
  /**
   * Empties the log into the file, and takes what was deleted out of a number of the file's pages, from the page `from` on (0 the
   * first time). Answers the next one; undefined at the end. Not within a transaction.
   */
  scrub(from: number): number | undefined;
  /** Writes the log into the file, which then stays byte for byte as it is until {@link release}: commits go to the log alone. */
  hold(): void;
  release(): void;
  readonly trouble: HostTrouble;
  /** Closes the database in order: what the log holds goes into the file. */
  close(): void;
  /** Lets go of the files as they are, touching them no more. */
  abandon(): void;
}

/** Where the database is and what it is read with. */
export interface DatabaseOptions {
  /** The database is `chat.db` in it, with `-wal` and `-journal` beside it. */
  readonly directory: string;
  /** `node:fs` unless a test hands in one that fails. */
  readonly host?: HostFileSystem;
  /** `chat.db` unless it is a copy under another name. */
  readonly name?: string;
  /** All there have been unless a test hands in others. */
  readonly migrations?: readonly Migration[];
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
export async function openDatabase(options: DatabaseOptions): Promise<SqliteDatabase> {
  const { directory, host, migrations: steps = migrations } = options;
  const path = join(directory, databaseName);
  const sqlite = await loadSqlite();
  const files = hostFiles(directory, databaseName, host);
  const mounted = sqlite.calls.mount(files);
  let opened: Connection | undefined;
  const letGo = (): void => {
    files.close();
    try {
      opened?.close();
    } catch {
      // It could not write what it would have liked to, and that is meant.
    }
    sqlite.calls.unmount(mounted);
  };
  try {
    refuseDamagedLog(files, databaseName, path);
    opened = connection(sqlite.exports, `${mounted}/${databaseName}`);
    refuseForeign(opened, path, steps.length);
    for (const pragma of pragmas) opened.once(pragma);
    migrate(opened, steps);
    return wrap(opened, files, letGo);
  } catch (error) {
    letGo();
    throw openingError(error, path, files.trouble);
  }
}

/** What may be done with a database that is only looked at. */
export interface Look {
  /** Runs one statement and answers its rows. */
  readonly once: Connection['once'];
  /** Runs a query to its end; it may only read. */
  readonly run: SqliteDatabase['run'];
}

/**
 * Opens the database as it is, hands it to `work`, which may only read, and lets go of the files without a word to them.
 * Throws `unavailable` as {@link openDatabase} does.
 */
export async function lookAtDatabase<Result>(
  { directory, host, name = databaseName, migrations: steps = migrations }: DatabaseOptions,
  work: (look: Look) => Result | Promise<Result>,
): Promise<Result> {
  const path = join(directory, name);
  const sqlite = await loadSqlite();
  const files = hostFiles(directory, name, host);
  const mounted = sqlite.calls.mount(files);
  let opened: Connection | undefined;
  try {
    refuseDamagedLog(files, name, path);
    const connected = connection(sqlite.exports, `${mounted}/${name}`);
    opened = connected;
    refuseForeign(connected, path, steps.length);
    return await work({ once: (sql) => connected.once(sql), run: runner(connected) });
  } catch (error) {
    throw openingError(error, path, files.trouble);
  } finally {
    // First the files: a connection that closes in order would write.
    files.close();
    try {
      opened?.close();
    } catch {
      // It could not, and that is meant.
    }
    sqlite.calls.unmount(mounted);
  }
}

/** Pages in the log after which it goes into the file, which is SQLite's own default. */
const logPages = 1_000;

/**
 * What the log's file keeps after its content has gone into the database. SQLite itself never shrinks it: after one long backup it would
 * hold gigabytes of the disk, and its size would say nothing of whether checkpoints keep up. Usual logs of a busy server stay
 * far below and are written over as they are, which costs the disk less than a file that grows anew.
 */
const keptLogBytes = 67_108_864;

const pragmas = [
  // One process owns the file: the write-ahead log then needs no shared memory, which there is none of here.
  'PRAGMA locking_mode = EXCLUSIVE',
  'PRAGMA journal_mode = WAL',
  `PRAGMA journal_size_limit = ${keptLogBytes}`,
  'PRAGMA synchronous = FULL',
  'PRAGMA temp_store = MEMORY',
  // What is deleted is overwritten (storage, "Erase").
  'PRAGMA secure_delete = ON',
  'PRAGMA foreign_keys = ON',
  // 64 MB of pages in memory; the rest is the operating system's cache.
  'PRAGMA cache_size = -65536',
];

/** Runs queries on a connection, each of their statements compiled once. */
function runner(opened: Connection): SqliteDatabase['run'] {
  const compiled = new Map<Command['statement'], Prepared & Pick<Compiled, 'bind'>>();

  function prepared(of: Command['statement']): Prepared & Pick<Compiled, 'bind'> {
    let known = compiled.get(of);
    if (!known) {
      const { sql, bind } = compile(compiler, of);
      known = { ...opened.prepare(sql), bind };
      compiled.set(of, known);
    }
    return known;
  }

  function answer({ statement, params, answer }: Command): readonly unknown[] {
    const { all, bind } = prepared(statement);
    if (answer === 'each') {
      for (const one of params) all(bind(one));
      return [];
    }
    const rows = all(bind(params));
    return answer === 'rows' ? rows : [opened.changes()];
  }

  return (query) => {
    let next = query.next();
    while (!next.done) next = query.next(answer(next.value));
    return next.value;
  };
}

function wrap(opened: Connection, files: HostFiles, letGo: () => void): SqliteDatabase {
  const bySql = new Map<string, Prepared>();
  return {
    trouble: files.trouble,
    scrub: (from) => scrub(opened, files, databaseName, from),
    hold() {
      const [checkpoint] = opened.once('PRAGMA wal_checkpoint(TRUNCATE)');
      if (Number(checkpoint?.busy) !== 0) throw new Error('the log could not be emptied');
      opened.once('PRAGMA wal_autocheckpoint = 0');
    },
    release() {
      opened.once(`PRAGMA wal_autocheckpoint = ${logPages}`);
    },
    execute(sql) {
      let known = bySql.get(sql);
      if (!known) {
        known = opened.prepare(sql);
        bySql.set(sql, known);
      }
      known.all([]);
    },
    run: runner(opened),
    close() {
      try {
        opened.close();
      } finally {
        letGo();
      }
    },
    abandon: letGo,
  };
}

/** A file that no server can start with: `unavailable`, with what to do then. */
export class UnfitDatabase extends ChatError {
  /** What is wrong with the file, without what to do: for who only looks at it. */
  readonly fault: string;

  constructor(fault: string, safeMessage: string, cause?: unknown) {
    super('unavailable', safeMessage, { cause });
    this.fault = fault;
  }
}

/** Looks before anything is written, also before the journal's mode is: a file that is refused stays as it is. */
function refuseForeign(opened: Connection, path: string, known: number): void {
  // Exclusive from the first read on: the log of a killed server is then read without shared memory.
  opened.once('PRAGMA locking_mode = EXCLUSIVE');
  const version = versionOf(opened);
  if (version > known) {
    const why = `was written by a newer chat (its format is ${version}, this one knows ${known})`;
    throw new UnfitDatabase(`it ${why}`, `${path} ${why}: start that version, or restore an older backup`);
  }
  // A file with tables but without our number is somebody else's.
  if (version === 0 && opened.once('SELECT 1 FROM sqlite_master LIMIT 1').length > 0) {
    const why = 'is not a database of chat';
    throw new UnfitDatabase(`it ${why}`, `${path} ${why}: give another data directory`);
  }
}

function migrate(opened: Connection, steps: readonly Migration[]): void {
  const version = versionOf(opened);
  for (const [index, migration] of steps.entries()) {
    if (index < version) continue;
    opened.once('BEGIN IMMEDIATE');
    for (const sql of migration) opened.once(sql);
    opened.once(`PRAGMA user_version = ${index + 1}`);
    opened.once('COMMIT');
  }
}

function versionOf(opened: Connection): number {
  return Number(opened.once('PRAGMA user_version')[0]?.user_version);
}

function openingError(error: unknown, path: string, trouble: HostTrouble): unknown {
  if (!(error instanceof SqliteError)) return error;
  const refused = (text: string): ChatError => new ChatError('unavailable', text, { cause: error });
  if (trouble.full) return refused(`the disk of ${path} is full: make room and start again`);
  if (error.code === resultCode.corrupt || error.code === resultCode.notADatabase) {
    const advice = `${path} is damaged (${error.message}): restore a backup; the file was left as it is`;
    return new UnfitDatabase(error.message, advice, error);
  }
  return refused(`${path} cannot be opened (${error.message}): check its permissions and its disk`);
}
