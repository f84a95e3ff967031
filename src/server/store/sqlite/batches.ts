import { ChatError } from '../../../core/errors.ts';
import { isUnscrubbed, noteScrubbed } from '../queries/erased-text.ts';
import { type QueryCall, queries } from '../queries/index.ts';
import type { Memory } from '../queries/memory.ts';
import { writeBack } from '../queries/messages.ts';
import type { Query } from '../statement.ts';
import { readCalls } from '../store-calls.ts';
import { type CallMessage, inputOf, type ResultMessage, resultMessage } from './calls.ts';
import { resultCode, SqliteError } from './connection.ts';
import type { SqliteDatabase } from './database.ts';

/** A database with what sending remembers of it. */
export interface BatchDatabase {
  readonly database: SqliteDatabase;
  readonly memory: Memory;
}

/**
 * Runs the calls that arrived while the previous commit ran as one transaction (storage, "group commit"): their answers come
 * back after it is on disk, in the order of the calls. Throws when nothing may be answered any more: a sync failed, or SQLite
 * itself broke down.
 *
 * Calls need no savepoint as long as none throws, and what is expected to happen is no throw. When one does, the whole batch is
 * undone and run again with a savepoint around each, so that it undoes itself alone.
 */
export function runBatch(on: BatchDatabase, calls: readonly CallMessage[]): ResultMessage[] {
  const { trouble } = on.database;
  if (trouble.syncFailure) throw trouble.syncFailure;
  const results: ResultMessage[] = [];
  for (const [some, isScrub] of runs(calls)) {
    results.push(...(isScrub ? some.map((call) => scrubCall(on, call)) : tryBatch(on, some)));
  }
  // A checkpoint after the commit may have failed to sync without failing the commit.
  if (trouble.syncFailure) throw trouble.syncFailure;
  return results;
}

/** The calls in stretches that go into one transaction, and those between them that must not be in one. */
function* runs(calls: readonly CallMessage[]): Generator<[readonly CallMessage[], isScrub: boolean]> {
  let start = 0;
  for (const [index, [name]] of calls.entries()) {
    if (name !== 'scrub') continue;
    if (index > start) yield [calls.slice(start, index), false];
    yield [calls.slice(index, index + 1), true];
    start = index + 1;
  }
  if (start < calls.length) yield [start === 0 ? calls : calls.slice(start), false];
}

/** Store.scrub: outside of a transaction, since it empties the log. */
function scrubCall(on: BatchDatabase, call: CallMessage): ResultMessage {
  const { database, memory } = on;
  try {
    if (!database.run(isUnscrubbed())) return { value: { next: undefined } };
    const { from } = inputOf(call) as { from: number };
    const next = database.scrub(from);
    if (next === undefined) transaction(on, () => database.run(noteScrubbed()));
    return { value: { next } };
  } catch (error) {
    if (database.trouble.syncFailure) throw database.trouble.syncFailure;
    memory.forget();
    return database.trouble.full ? fullDisk : failure(error);
  }
}

/** Holds the file still; answers what keeps it from that, and throws as {@link runBatch} does. */
export function hold(database: SqliteDatabase): ResultMessage | undefined {
  const { trouble } = database;
  if (trouble.syncFailure) throw trouble.syncFailure;
  trouble.full = false;
  try {
    database.hold();
    return undefined;
  } catch (error) {
    if (trouble.syncFailure) throw trouble.syncFailure;
    return trouble.full ? fullDisk : failure(error);
  }
}

function tryBatch(on: BatchDatabase, calls: readonly CallMessage[]): ResultMessage[] {
  const { trouble } = on.database;
  if (calls.every(([name]) => readCalls.has(name))) return calls.map((call) => attempt(on, call));
  trouble.full = false;
  try {
    return transaction(on, () => calls.map((call) => resultMessage(call, run(on, call))));
  } catch (error) {
    if (trouble.syncFailure) throw trouble.syncFailure;
    if (error instanceof WebAssembly.RuntimeError) throw error;
    if (trouble.full) return answerReads(on, calls, fullDisk);
    if (calls.length === 1) return [failure(error)];
  }
  try {
    return transaction(on, () => calls.map((call) => undoneAlone(on, call)));
  } catch (error) {
    if (trouble.syncFailure) throw trouble.syncFailure;
    // The commit itself failed: nothing of this batch is stored.
    return answerReads(on, calls, trouble.full ? fullDisk : failure(error));
  }
}

function run({ database, memory }: BatchDatabase, call: CallMessage): unknown {
  const [name] = call;
  // Everything but a send may read the rows that sends are ahead of.
  if (name !== 'appendMessage') database.run(writeBack(memory));
  const query = queries[name as QueryCall] as (input: unknown, memory: Memory) => Query<unknown>;
  return database.run(query(inputOf(call), memory));
}

/** Runs `work` as one transaction; nothing of it stays when it throws. */
export function transaction<Result>(on: BatchDatabase, work: () => Result): Result {
  on.database.execute('BEGIN IMMEDIATE');
  try {
    const result = work();
    on.database.run(writeBack(on.memory));
    on.database.execute('COMMIT');
    return result;
  } catch (error) {
    on.memory.forget();
    rollBack(on.database);
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

function undoneAlone(on: BatchDatabase, call: CallMessage): ResultMessage {
  on.database.run(writeBack(on.memory));
  on.database.execute('SAVEPOINT one');
  try {
    const result = resultMessage(call, run(on, call));
    on.database.execute('RELEASE one');
    return result;
  } catch (error) {
    on.memory.forget();
    on.database.execute('ROLLBACK TO one');
    on.database.execute('RELEASE one');
    return failure(error);
  }
}

function attempt(on: BatchDatabase, call: CallMessage): ResultMessage {
  try {
    return resultMessage(call, run(on, call));
  } catch (error) {
    return failure(error);
  }
}

/** Calls that write only when what they look for is not there yet. */
const mostlyReads: ReadonlySet<CallMessage[0]> = new Set(['openConversation']);

/** When nothing can be stored, everything can still be read; the next batch tries to write again. */
function answerReads(
  on: BatchDatabase,
  calls: readonly CallMessage[],
  otherwise: ResultMessage,
): ResultMessage[] {
  return calls.map((call) => {
    if (readCalls.has(call[0])) return attempt(on, call);
    return mostlyReads.has(call[0]) ? alone(on, call, otherwise) : otherwise;
  });
}

function alone(on: BatchDatabase, call: CallMessage, otherwise: ResultMessage): ResultMessage {
  try {
    return transaction(on, () => resultMessage(call, run(on, call)));
  } catch (error) {
    const { syncFailure } = on.database.trouble;
    if (syncFailure) throw syncFailure;
    if (error instanceof WebAssembly.RuntimeError) throw error;
    return otherwise;
  }
}

const unavailable = (message: string): ResultMessage => ({ error: { code: 'unavailable', message } });
const fullDisk = unavailable("the server's disk is full: nothing was stored, try again later");

function failure(error: unknown): ResultMessage {
  // A trap inside the module: its memory is in no known state.
  if (error instanceof WebAssembly.RuntimeError) throw error;
  if (error instanceof ChatError) return { error: { code: error.code, message: error.message } };
  if (error instanceof SqliteError) {
    const { code } = error;
    if (code === resultCode.corrupt || code === resultCode.notADatabase) {
      return unavailable("the server's database is damaged");
    }
    if (code === resultCode.ioError) return unavailable("the server's disk cannot be read or written");
  }
  return { bug: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
