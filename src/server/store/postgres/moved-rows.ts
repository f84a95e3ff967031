import { Client } from 'pg';
import { ChatError } from '../../../core/errors.ts';
import { type MovedTable, movedTables } from '../moved-tables.ts';
import { realmOf, type TableRow, tableRows } from '../queries/table-rows.ts';
import type { Query, SqlValue } from '../statement.ts';
import { clientConfig, usualPatience } from './connections.ts';
import { databaseAddress } from './database-address.ts';
import { lockNumber, lockSpace, migrate } from './migrate.ts';
import { commit, type Session, sessionOf } from './session.ts';
import { Trouble, troubleOf } from './trouble.ts';
import { sentValue } from './values.ts';

/** Which export an import is of: its id, and the server's realm. */
export interface ImportOf {
  readonly exportId: string;
  readonly realm: string;
}

/** How far an import has come: all tables before this one are loaded, and so many pieces of it. */
export interface ImportPlace {
  readonly table: string;
  readonly pieces: number;
}

/** A database that is being filled, by nobody else. Every trouble is `unavailable`, with what to do; what was committed stays. */
export interface ImportTarget {
  /**
   * Begins an import into an empty database, or goes on with the one that was interrupted. Throws `conflict` when the database holds
   * anything else, or an import of another export.
   */
  begin(of: ImportOf): Promise<ImportPlace>;
  /** Stores rows, and that they are: both or neither. */
  load(table: MovedTable, rows: readonly (readonly SqlValue[])[], place: ImportPlace): Promise<void>;
  /** Lets `work` read pages of rows, in the order of the primary key, all as they are at one moment. */
  reading<Result>(work: (read: ReadPage) => Promise<Result>): Promise<Result>;
  /** Makes the database one that servers start on, once `alsoDo` is done too: all of it or nothing. */
  finish(alsoDo: (run: RunQuery) => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

/** Runs a query to its end. */
export type RunQuery = <Result>(query: Query<Result>) => Promise<Result>;

/** Reads up to `limit` rows of a table after a primary key. */
export type ReadPage = (
  table: MovedTable,
  after: readonly SqlValue[] | undefined,
  limit: number,
) => Promise<readonly TableRow[]>;

/** A large piece, and the wait for somebody else's lock: nobody waits for an answer but who started this. */
const patience = { ...usualPatience, statementMs: 300_000, lockMs: 10_000 };

/** Rows in one statement. */
const rowsAtOnce = 2_000;

/** There while an import is not finished; one row, where it is. */
const progressTable = 'unfinished_import';

/** Throws `unavailable` for a database into which an import has not come to its end: no server may start on it. */
export async function refuseUnfinishedImport(session: Session): Promise<void> {
  if (!(await hasProgress(session))) return;
  throw new ChatError(
    'unavailable',
    "the database holds half of a server's data: run chat admin import-store again, which goes on where it stopped",
  );
}

async function hasProgress(session: Session): Promise<boolean> {
  const { rows } = await session.execute(`SELECT to_regclass('${progressTable}') IS NOT NULL AS there`);
  return (rows[0] as { there: boolean }).there;
}

/** Connects to a database, brings its tables up to date, and takes it for this import alone. */
export async function openForImport(url: string): Promise<ImportTarget> {
  const client = new Client(clientConfig(databaseAddress(url), patience));
  // What is under way fails by itself.
  client.on('error', () => {});
  const session = sessionOf(client);
  const close = (): Promise<void> => client.end().catch(() => {});
  try {
    await told(async () => {
      await client.connect().catch((error: unknown) => {
        throw new Trouble('down', troubleOf(error).message, error);
      });
    });
    await told(() => takeAlone(session));
    await told(() => migrate(session));
  } catch (error) {
    await close();
    throw error;
  }

  const transaction = <Result>(work: () => Promise<Result>, begin = 'BEGIN'): Promise<Result> =>
    told(async () => {
      await session.execute(begin);
      try {
        const result = await work();
        await commit(session);
        return result;
      } catch (error) {
        if (session.isWhole) await session.execute('ROLLBACK').catch(() => {});
        throw error;
      }
    });

  return {
    begin: (of) => transaction(() => beginImport(session, of)),
    load: (table, rows, { table: name, pieces }) =>
      transaction(async () => {
        for (let at = 0; at < rows.length; at += rowsAtOnce)
          await insert(session, table, rows.slice(at, at + rowsAtOnce));
        await session.execute(`UPDATE ${progressTable} SET table_name = $1, pieces = $2`, [name, pieces]);
      }),
    reading: (work) =>
      transaction(
        () => work((table, after, limit) => session.run(tableRows(table, after, limit))),
        'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
      ),
    async finish(alsoDo) {
      await transaction(async () => {
        await session.execute(
          "SELECT setval(pg_get_serial_sequence('conversations', 'id'), (SELECT max(id) FROM conversations))",
        );
        // Nobody was there who would have missed them.
        await session.execute('DELETE FROM member_changes');
        await alsoDo((query) => session.run(query));
        await session.execute(`DROP TABLE ${progressTable}`);
      });
      await told(() => session.execute('ANALYZE'));
    },
    close,
  };
}

/** Keeps every node away, and another import, for as long as the connection is there. */
async function takeAlone(session: Session): Promise<void> {
  const { rows } = await session.execute('SELECT pg_try_advisory_lock($1, $2) AS taken', [
    lockSpace,
    lockNumber.node,
  ]);
  if ((rows[0] as { taken: boolean }).taken) return;
  throw new ChatError(
    'unavailable',
    'a server or another import is using the database: stop it, or give an empty database',
  );
}

async function beginImport(session: Session, { exportId, realm }: ImportOf): Promise<ImportPlace> {
  if (await hasProgress(session)) {
    const { rows } = await session.execute(`SELECT export, realm, table_name, pieces FROM ${progressTable}`);
    const [found] = rows as readonly { export: string; realm: string; table_name: string; pieces: number }[];
    if (found?.export === exportId) return { table: found.table_name, pieces: found.pieces };
    const whose = found?.realm === realm ? 'another export of this server' : 'an export of another server';
    throw new ChatError(
      'conflict',
      `the database holds half of ${whose}: finish that import, or give an empty database`,
    );
  }
  const found = await session.run(realmOf());
  if (found === realm) {
    throw new ChatError(
      'conflict',
      'the database has the data of this server already: nothing was changed; start chat serve --store on it',
    );
  }
  const { rows } = await session.execute(anyRow);
  if (found !== undefined || rows.length > 0) {
    throw new ChatError('conflict', "the database holds another server's data: give an empty database");
  }
  // What every new database begins with comes with the export, too.
  for (const { name } of [...movedTables].reverse()) await session.execute(`DELETE FROM "${name}"`);
  await session.execute(
    `CREATE TABLE ${progressTable} (export text NOT NULL, realm text NOT NULL, table_name text NOT NULL, pieces bigint NOT NULL)`,
  );
  const first = { table: movedTables[0]?.name ?? '', pieces: 0 };
  await session.execute(`INSERT INTO ${progressTable} VALUES ($1, $2, $3, $4)`, [
    exportId,
    realm,
    first.table,
    first.pieces,
  ]);
  return first;
}

/** A row that no new database has. */
const anyRow = [
  ...movedTables
    .map(({ name }) => name)
    .filter((name) => name !== 'conversations' && name !== 'audit_ends')
    .map((name) => `(SELECT 1 FROM "${name}" LIMIT 1)`),
  '(SELECT 1 FROM conversations WHERE last_seq > 0 OR room IS NULL LIMIT 1)',
  `(SELECT 1 FROM conversations WHERE room <> 'lobby' LIMIT 1)`,
  '(SELECT 1 FROM audit_ends WHERE head_seq > 0)',
].join(' UNION ALL ');

const arrayTypes = { text: 'text[]', integer: 'bigint[]', bytes: 'bytea[]', either: 'bytea[]' } as const;

/** One statement for many rows, an array for each column. */
async function insert(
  session: Session,
  { name, columns }: MovedTable,
  rows: readonly (readonly SqlValue[])[],
): Promise<void> {
  const names = columns.map((column) => `"${column.name}"`).join(', ');
  const arrays = columns.map(({ kind }, index) => `$${index + 1}::${arrayTypes[kind]}`).join(', ');
  const values = columns.map((_, index) => rows.map((row) => sentInArray(row[index] ?? null)));
  await session.execute(
    `INSERT INTO "${name}" (${names}) SELECT * FROM unnest(${arrays})`,
    // Arrays go as they are.
    values as unknown as readonly SqlValue[],
  );
}

function sentInArray(value: SqlValue): SqlValue {
  return value instanceof Uint8Array
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    : sentValue(value);
}

/** Says in words for who runs the import what a trouble means. */
async function told<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    throw new ChatError(
      'unavailable',
      `${adviceOn(error)}; what is loaded stays: run the same again, it goes on`,
      {
        cause: error,
      },
    );
  }
}

function adviceOn({ kind, message }: Trouble): string {
  if (kind === 'full') return `the database's disk or memory is full (${message}): make room`;
  if (kind === 'lost' || kind === 'down') return `the database cannot be reached (${message})`;
  return `the database did not do it (${message})`;
}
