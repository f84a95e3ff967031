import { sql } from 'kysely';
import type { Account } from '../../../../src/core/model/account.ts';
import { lobby } from '../../../../src/core/model/conversation-name.ts';
import type { StoredMessage } from '../../../../src/core/model/message.ts';
import { Memory } from '../../../../src/server/store/queries/memory.ts';
import { type BatchDatabase, runBatch } from '../../../../src/server/store/sqlite/batches.ts';
import { callMessage, type ResultMessage } from '../../../../src/server/store/sqlite/calls.ts';
import { type DatabaseOptions, openDatabase } from '../../../../src/server/store/sqlite/database.ts';
import { rows, statement } from '../../../../src/server/store/statement.ts';
import type { StoreCall } from '../../../../src/server/store/store-calls.ts';
import { inRoom, message, person, verifier } from '../../../contract/support/people.ts';

/** A database on this thread, as the store's worker has it, with the calls that tests make. */
export interface OpenedDatabase extends BatchDatabase {
  /** Runs calls as one batch. */
  batch(...calls: readonly (readonly [StoreCall, unknown])[]): ResultMessage[];
  /** Makes an account and answers it. */
  join(name: string): Account;
  /** Stores one message per text in the lobby, as one batch. */
  say(by: Account, ...texts: readonly string[]): ResultMessage[];
  /** The lobby's messages. */
  said(): StoredMessage[];
  /** The answer of SQLite's `integrity_check`: `ok`, or what is wrong. */
  integrity(): string;
}

const integrityCheck = statement((db, _: Record<string, never>) => ({
  compile: () => sql<{ integrity_check: string }>`PRAGMA integrity_check`.compile(db),
}));

/** Opens the database in `directory`. */
export async function opened(
  directory: string,
  options: Partial<DatabaseOptions> = {},
): Promise<OpenedDatabase> {
  const database = await openDatabase({ directory, ...options });
  const on = { database, memory: new Memory() };
  const batch: OpenedDatabase['batch'] = (...calls) =>
    runBatch(
      on,
      calls.map(([name, input]) => callMessage(name, input)),
    );
  return {
    ...on,
    batch,
    join(name) {
      const account = person(name);
      batch(['createAccount', { account, verifier }]);
      return account;
    },
    say: (by, ...texts) =>
      batch(
        ...texts.map((text) => ['appendMessage', message(by, inRoom(lobby), { body: { text } })] as const),
      ),
    said() {
      const [result] = batch(['messages', { conversation: 1, limit: 1_000_000 }]);
      if (!result || !('value' in result)) throw new Error(JSON.stringify(result));
      return result.value as StoredMessage[];
    },
    integrity: () =>
      database
        .run(rows(integrityCheck, {}))
        .map((row) => row.integrity_check)
        .join('\n'),
  };
}

/** The seqs that a batch of messages was answered with; 0 for what was not stored. */
export function seqs(results: readonly ResultMessage[]): number[] {
  return results.map((result) => (Array.isArray(result) ? Number(result[1]) : 0));
}

/** The texts of messages. */
export function texts(messages: readonly StoredMessage[]): string[] {
  return messages.map(({ body }) => ('text' in body ? body.text : JSON.stringify(body)));
}
