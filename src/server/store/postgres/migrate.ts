import { ChatError } from '../../../core/errors.ts';
import type { Migration } from '../migrations/migration.ts';
import { postgresMigrations } from './migrations/index.ts';
import { commit, type Session } from './session.ts';

/** Numbers of locks that only those hold who know of them: of chat, and then of what. */
export const lockNumber = { migrations: 1, indexing: 2, node: 3 } as const;
/** `chat` in ASCII. */
export const lockSpace = 0x63_68_61_74;

/** The oldest PostgreSQL that has all that is used here. */
const oldest = 130_000;

/**
 * Makes the tables, or brings them up to date; of many nodes that start at once one does, and the others wait for it, which `onWait` is told
 * of first. Answers the version of PostgreSQL. Throws `unavailable` for a database that a newer version wrote, that is somebody else's, or
 * that cannot serve; it is left as it is then.
 */
export async function migrate(
  session: Session,
  steps: readonly Migration[] = postgresMigrations,
  onWait: () => void = () => {},
): Promise<string> {
  const server = await refuseUnfit(session);
  await session.execute('BEGIN');
  // What a migration does may take long, and so may waiting for the node that does it.
  await session.execute('SET LOCAL statement_timeout = 0');
  await session.execute('SET LOCAL lock_timeout = 0');
  const lock = [lockSpace, lockNumber.migrations];
  const { rows } = await session.execute('SELECT pg_try_advisory_xact_lock($1, $2) AS is_taken', lock);
  if ((rows as { is_taken: boolean }[])[0]?.is_taken !== true) {
    onWait();
    await session.execute('SELECT pg_advisory_xact_lock($1, $2)', lock);
  }
  const version = (await formatOf(session, steps)) ?? (await begin(session));
  for (const [index, migration] of steps.entries()) {
    if (index < version) continue;
    for (const sql of migration) await session.execute(sql);
    await session.execute('UPDATE chat_format SET version = $1', [index + 1]);
  }
  await commit(session);
  return server;
}

/** Throws `unavailable` for a PostgreSQL that cannot serve; answers its version. */
export async function refuseUnfit(session: Session): Promise<string> {
  const { rows } = await session.execute(
    `SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS named,
      current_setting('server_encoding') AS encoding, pg_is_in_recovery() AS is_standby`,
  );
  const [found] = rows as { version: number; named: string; encoding: string; is_standby: boolean }[];
  if (!found) throw new Error('the database answered nothing about itself');
  const refuse = (text: string): never => {
    throw new ChatError('unavailable', `the database ${text}`);
  };
  if (found.version < oldest) refuse(`is PostgreSQL ${found.named}: version 13 or newer is needed`);
  if (found.encoding !== 'UTF8') {
    refuse(
      `keeps texts as ${found.encoding}: make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0`,
    );
  }
  if (found.is_standby) refuse('is a standby, which can only be read: name the primary');
  return found.named.split(' ', 1)[0] ?? '';
}

/**
 * The format of the database, undefined for an empty one. Throws `unavailable` for one that a newer version wrote, and for one with tables
 * of another program.
 */
export async function formatOf(
  session: Session,
  steps: readonly Migration[] = postgresMigrations,
): Promise<number | undefined> {
  const { rows: there } = await session.execute(`SELECT to_regclass('chat_format') IS NOT NULL AS is_there`);
  if ((there as { is_there: boolean }[])[0]?.is_there !== true) {
    const { rows: others } = await session.execute(
      `SELECT tablename FROM pg_tables WHERE schemaname = current_schema() LIMIT 1`,
    );
    if (others.length === 0) return undefined;
    throw new ChatError(
      'unavailable',
      'the database has tables of another program: make one for chat alone, with CREATE DATABASE',
    );
  }
  const { rows } = await session.execute('SELECT version FROM chat_format');
  const version = (rows as { version: number }[])[0]?.version ?? 0;
  if (version <= steps.length) return version;
  throw new ChatError(
    'unavailable',
    `the database was written by a newer chat (its format is ${version}, this one knows ${steps.length}): start that version`,
  );
}

/** Makes the table of the format; answers that of a database without any others. */
async function begin(session: Session): Promise<number> {
  await session.execute('CREATE TABLE chat_format (version integer NOT NULL)');
  await session.execute('INSERT INTO chat_format VALUES (0)');
  return 0;
}
