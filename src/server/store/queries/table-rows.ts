import { type Kysely, sql } from 'kysely';
import { leftSettings, type MovedTable } from '../moved-tables.ts';
import { first, type Query, rows, type SqlValue, type Statement, statement } from '../statement.ts';

/** A row with its values under the names of their columns. */
export type TableRow = Readonly<Record<string, SqlValue>>;

type Params = Readonly<Record<string, SqlValue>>;
/** The schema's types name each table by itself; these queries take whichever comes. */
type AnyTables = Kysely<Record<string, Record<string, SqlValue>>>;

interface Statements {
  readonly fromStart: Statement<Params, TableRow>;
  readonly after: Statement<Params, TableRow>;
  readonly count: Statement<Params, { count: number }>;
}

const made = new Map<string, Statements>();

function statementsOf({ name, columns, key }: MovedTable): Statements {
  const known = made.get(name);
  if (known) return known;
  const own = (db: unknown) => {
    const all = (db as AnyTables).selectFrom(name);
    return name === 'settings' ? all.where('name', 'not in', [...leftSettings]) : all;
  };
  const page = (db: unknown, limit: SqlValue | undefined) => {
    const all = own(db).select(columns.map((column) => column.name));
    return key.reduce((ordered, column) => ordered.orderBy(column), all).limit(limit as number);
  };
  const statements: Statements = {
    fromStart: statement((db, p: Params) => page(db, p.limit)),
    after: statement((db, p: Params) => {
      const place = sql.join(key.map((_, index) => sql`${p[placeName(index)]}`));
      return page(db, p.limit).where(
        sql<boolean>`(${sql.join(key.map((column) => sql.ref(column)))}) > (${place})`,
      );
    }),
    count: statement((db, _: Params) => own(db).select((e) => e.fn.countAll<number>().as('count'))),
  };
  made.set(name, statements);
  return statements;
}

const placeName = (index: number): string => `k${index}`;

/** A table's rows after the one with the primary key `after`, or from the first one on, in the order of that key. */
export function* tableRows(
  table: MovedTable,
  after: readonly SqlValue[] | undefined,
  limit: number,
): Query<readonly TableRow[]> {
  const statements = statementsOf(table);
  if (!after) return yield* rows(statements.fromStart, { limit });
  const place = Object.fromEntries(after.map((value, index) => [placeName(index), value]));
  return yield* rows(statements.after, { ...place, limit });
}

/** How many rows {@link tableRows} answers in all. */
export function* tableCount(table: MovedTable): Query<number> {
  return Number((yield* first(statementsOf(table).count, {}))?.count);
}

const realm = statement((db, _: Params) =>
  db.selectFrom('settings').select('value').where('name', '=', 'realm'),
);

/** The server's realm; undefined before its first start has made one. */
export function* realmOf(): Query<string | undefined> {
  const value = (yield* first(realm, {}))?.value;
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : value;
}
