import type { Compilable, CompiledQuery, Kysely } from 'kysely';
import type { Schema } from './schema.ts';

/** What a column takes. */
export type SqlValue = string | number | Uint8Array | null;

/**
 * The rows of this table that a statement finds stay as they are until the transaction ends: others may read them, and with `share` keep
 * them as they are too. For a database of many writers; the embedded one has one.
 */
export interface Lock {
  readonly table: keyof Schema;
  readonly mode: 'write' | 'share';
}

/** A query with named parameters, built by Kysely once per database and run many times. */
export interface Statement<Params extends object, Row> {
  readonly build: (db: Kysely<Schema>, params: Params) => Compilable<Row>;
  readonly locks?: Lock;
  /** Makes of the parameters those that the placeholders stand for, where they are not the same. */
  readonly spell?: (params: Params) => object;
}

const declared: Statement<object, unknown>[] = [];

/** Every statement of the modules that are loaded, in the order of their declaration: what holds for all can be asked of each. */
export const statements: readonly Statement<object, unknown>[] = declared;

/** Declares a statement: `build` gets placeholders typed as the values that will stand in their place. */
export function statement<Params extends object, Row>(
  build: (db: Kysely<Schema>, params: Params) => Compilable<Row>,
  options: Pick<Statement<Params, Row>, 'locks' | 'spell'> = {},
): Statement<Params, Row> {
  const made = { build, ...options };
  declared.push(made as unknown as Statement<object, unknown>);
  return made;
}

/**
 * One statement to be run with its parameters; it answers its rows, or the one number of rows that it changed. `each`: with each of a list of
 * parameters, in the list's order; it answers nothing.
 */
export type Command = { readonly statement: Statement<object, unknown> } & (
  | { readonly answer: 'rows' | 'changes'; readonly params: object }
  | { readonly answer: 'each'; readonly params: readonly object[] }
);

/**
 * What a query function is: it yields commands and gets their rows, so that the same text runs at once on the embedded database
 * and asynchronously on a remote one.
 */
export type Query<Result> = Generator<Command, Result, readonly unknown[]>;

/** Runs one statement within a query; answers its rows. */
export function* rows<Params extends object, Row>(
  of: Statement<Params, Row>,
  params: Params,
): Generator<Command, readonly Row[], readonly unknown[]> {
  const statement = of as unknown as Command['statement'];
  return (yield { statement, params, answer: 'rows' }) as readonly Row[];
}

/** Runs one statement within a query; answers how many rows it changed. */
export function* changes<Params extends object>(
  of: Statement<Params, unknown>,
  params: Params,
): Generator<Command, number, readonly unknown[]> {
  const statement = of as unknown as Command['statement'];
  return ((yield { statement, params, answer: 'changes' }) as readonly [number])[0];
}

/** Runs one statement within a query with each of some parameters, in their order; a database far away is not waited for between them. */
export function* withEach<Params extends object>(
  of: Statement<Params, unknown>,
  params: readonly Params[],
): Generator<Command, void, readonly unknown[]> {
  if (params.length > 0) yield { statement: of as unknown as Command['statement'], params, answer: 'each' };
}

/** Runs one statement within a query; answers its first row. */
export function* first<Params extends object, Row>(
  of: Statement<Params, Row>,
  params: Params,
): Generator<Command, Row | undefined, readonly unknown[]> {
  return (yield* rows(of, params))[0];
}

/** Stands for a parameter while a statement is compiled. */
class Placeholder {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** SQL with the order in which it takes its parameters. */
export interface Compiled {
  readonly sql: string;
  bind(params: object): SqlValue[];
}

/** Compiles a statement for one dialect. */
export function compile(db: Kysely<Schema>, of: Statement<object, unknown>): Compiled {
  const placeholders = new Proxy({}, { get: (_target, name) => new Placeholder(String(name)) });
  const compiled: CompiledQuery = of.build(db, placeholders).compile();
  const { sql, parameters } = compiled;
  return {
    sql,
    bind(given) {
      const params = of.spell ? of.spell(given) : given;
      return parameters.map((parameter) =>
        parameter instanceof Placeholder
          ? ((params as Record<string, SqlValue>)[parameter.name] ?? null)
          : (parameter as SqlValue),
      );
    },
  };
}
