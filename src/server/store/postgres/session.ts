import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely';
import type { Client, PoolClient, QueryConfig } from 'pg';
import type { Schema } from '../schema.ts';
import { type Command, type Compiled, compile, type Lock, type Query, type SqlValue } from '../statement.ts';
import { postgresFullText, takesList } from './full-text.ts';
import { Trouble, troubleOf } from './trouble.ts';
import { sentValue } from './values.ts';

/** Only compiles: what it makes is run by a {@link Session}. */
const compiler = new Kysely<Schema>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
});

/** A statement as PostgreSQL gets it; the server keeps how it goes about it under the name, for each connection. */
export interface PreparedStatement extends Compiled {
  readonly name: string;
}

const prepared = new Map<Command['statement'], PreparedStatement>();

/** A reader of a row is not kept out, and neither is who refers to it: a member may join while somebody sends. */
const lockClauses: Readonly<Record<Lock['mode'], string>> = {
  write: 'for no key update',
  share: 'for share',
};

/** Compiles a statement, once for all connections. */
export function preparedStatement(of: Command['statement']): PreparedStatement {
  let known = prepared.get(of);
  if (!known) {
    const spelled = postgresFullText.get(of) ?? of;
    const { sql, bind } = compile(compiler, spelled);
    const { locks } = of;
    known = {
      name: `chat${prepared.size}`,
      sql: locks ? `${sql} ${lockClauses[locks.mode]} of "${locks.table}"` : sql,
      bind: (params) => bind(params).map(sentValue),
    };
    prepared.set(of, known);
  }
  return known;
}

/** What an answer holds. */
interface Answer {
  readonly rows: readonly unknown[];
  readonly rowCount: number | null;
  readonly command: string;
}

/** One connection, for as long as somebody has it. Every error of it is a {@link Trouble}. */
export interface Session {
  /** Runs one text of SQL. */
  execute(sql: string, values?: readonly SqlValue[]): Promise<Answer>;
  /** Runs one text of SQL that PostgreSQL keeps as prepared under `name`, for this connection. */
  prepared(name: string, sql: string, values: readonly SqlValue[]): Promise<Answer>;
  /** Runs one command of a query. */
  command(command: Command): Promise<readonly unknown[]>;
  /** Runs a query to its end. */
  run<Result>(query: Query<Result>): Promise<Result>;
  /** False when it can be used no more. */
  readonly isWhole: boolean;
  /** Drops the connection at once, whatever is under way; that fails then. */
  drop(): void;
}

/** A session over a connection of `pg`. */
export function sessionOf(client: PoolClient | Client): Session {
  let isWhole = true;

  async function ask(question: QueryConfig): Promise<Answer> {
    try {
      return await client.query(question);
    } catch (error) {
      const trouble = troubleOf(error);
      if (trouble.kind === 'lost') isWhole = false;
      throw trouble;
    }
  }

  async function command({ statement, params, answer }: Command): Promise<readonly unknown[]> {
    // What another database does in two steps this one may do in one.
    if (postgresFullText.get(statement) === null) return [0];
    const { name, sql, bind } = preparedStatement(statement);
    const askWith = (one: object) => ask({ name, text: sql, values: bind(one) });
    if (answer === 'each') {
      await (takesList.has(statement) ? askWith(params) : Promise.all(params.map(askWith)));
      return [];
    }
    const { rows, rowCount } = await askWith(takesList.has(statement) ? [params] : params);
    return answer === 'rows' ? rows : [rowCount ?? 0];
  }

  return {
    get isWhole() {
      return isWhole;
    },
    execute: (sql, values) =>
      ask(values === undefined ? { text: sql } : { text: sql, values: values.map(sentValue) }),
    prepared: (name, sql, values) => ask({ name, text: sql, values: [...values] }),
    command,
    async run(query) {
      let next = query.next();
      while (!next.done) next = query.next(await command(next.value));
      return next.value;
    },
    drop() {
      isWhole = false;
      // `end()` would wait for what is under way.
      const { connection } = client as unknown as { connection: { stream: { destroy(): void } } };
      connection.stream.destroy();
    },
  };
}

/** Commits; throws what kept it from being so. A trouble `lost` leaves open whether it was committed. */
export async function commit(session: Session): Promise<void> {
  const { command } = await session.execute('COMMIT');
  if (command !== 'COMMIT') throw new Trouble('other', `the database answered COMMIT with ${command}`);
}
