import { ChatError } from '../../../core/errors.ts';
import { queries, readCalls, type StoreCall } from '../queries/index.ts';
import type { Query } from '../statement.ts';
import type { SqliteDatabase } from './database.ts';

/** One call of the port as it crosses to the worker. */
export type CallMessage = readonly [name: StoreCall, input: unknown];

/** What a call came to; errors cross as plain data. */
export type ResultMessage =
  | { readonly value: unknown }
  | { readonly error: { readonly code: ChatError['code']; readonly message: string } }
  | { readonly bug: string };

/**
 * Runs the calls that arrived while the previous commit ran as one transaction (storage, "group commit"): their answers come
 * back after it is on disk, in the order of the calls.
 *
 * Calls need no savepoint as long as none throws, and what is expected to happen is no throw. When one does, the whole batch is
 * undone and run again with a savepoint around each, so that it undoes itself alone.
 */
export function runBatch(database: SqliteDatabase, calls: readonly CallMessage[]): ResultMessage[] {
  if (calls.every(([name]) => readCalls.has(name))) return calls.map((call) => attempt(database, call));
  try {
    return transaction(database, () => calls.map((call) => ({ value: run(database, call) })));
  } catch (error) {
    if (database.trouble.syncFailure) throw error;
    if (isFull(database)) return answerReads(database, calls);
  }
  try {
    return transaction(database, () => calls.map((call) => undoneAlone(database, call)));
  } catch (error) {
    if (database.trouble.syncFailure) throw error;
    if (isFull(database)) return answerReads(database, calls);
    // The commit itself failed, twice: nothing of this batch is stored.
    const result = failure(error);
    return calls.map((call) => (readCalls.has(call[0]) ? attempt(database, call) : result));
  }
}

function run(database: SqliteDatabase, [name, input]: CallMessage): unknown {
  const query = queries[name] as (input: unknown) => Query<unknown>;
  return database.run(query(input));
}

function transaction<Result>(database: SqliteDatabase, work: () => Result): Result {
  database.execute('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.execute('COMMIT');
    return result;
  } catch (error) {
    rollBack(database);
    throw error;
  }
}

function rollBack(database: SqliteDatabase): void {
  try {
    database.execute('ROLLBACK');
  } catch {
    // SQLite has rolled back by itself, which is what it does for a full disk.
  }
}

function undoneAlone(database: SqliteDatabase, call: CallMessage): ResultMessage {
  database.execute('SAVEPOINT one');
  try {
    const value = run(database, call);
    database.execute('RELEASE one');
    return { value };
  } catch (error) {
    database.execute('ROLLBACK TO one');
    database.execute('RELEASE one');
    return failure(error);
  }
}

function attempt(database: SqliteDatabase, call: CallMessage): ResultMessage {
  try {
    return { value: run(database, call) };
  } catch (error) {
    return failure(error);
  }
}

function isFull(database: SqliteDatabase): boolean {
  const { full } = database.trouble;
  database.trouble.full = false;
  return full;
}

/** With a full disk nothing can be stored, but everything can be read; the next batch tries to write again. */
function answerReads(database: SqliteDatabase, calls: readonly CallMessage[]): ResultMessage[] {
  const full: ResultMessage = {
    error: { code: 'unavailable', message: "the server's disk is full: nothing was stored, try again later" },
  };
  return calls.map((call) => (readCalls.has(call[0]) ? attempt(database, call) : full));
}

function failure(error: unknown): ResultMessage {
  if (error instanceof ChatError) return { error: { code: error.code, message: error.message } };
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (/malformed|not a database/i.test(text)) {
    return { error: { code: 'unavailable', message: "the server's database is damaged" } };
  }
  return { bug: text };
}
