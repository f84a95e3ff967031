import { isUnscrubbed, noteScrubbed } from '../queries/erased-text.ts';
import type { Connections } from './connections.ts';
import type { Transactions } from './transactions.ts';

/** Tables out of which something is erased. */
const tables = [
  'search_index',
  'messages',
  'users',
  'credentials',
  'totp',
  'recovery_codes',
  'certificates',
  'invites',
  'codes',
  'sessions',
  'refresh_tokens',
  'devices',
  'members',
  'account_keys',
  'key_backups',
  'consents',
] as const;

/** A large table takes its time; who sends is not kept by it. */
const tableMs = 3_600_000;

/**
 * Store.scrub on PostgreSQL, a table at a time: what was erased is given back to be written over (VACUUM; the index's list of what is to
 * come into it is emptied, too). No query finds it from then on. The bytes themselves are written over when their place is used again,
 * and the database's log, its replicas and backups have them until they go: nothing that a client of PostgreSQL can do reaches them.
 */
export async function scrubPiece(
  pool: Pick<Connections, 'use'>,
  running: Transactions,
  from: number,
): Promise<number | undefined> {
  if (from === 0 && !(await running.read('isUnscrubbed', isUnscrubbed))) return undefined;
  const table = tables[from];
  if (table !== undefined) {
    await pool.use(async (session) => {
      try {
        await session.execute('SET statement_timeout = 0');
        await session.execute(`VACUUM ${table}`);
        await session.execute('RESET statement_timeout');
      } catch (error) {
        session.drop();
        throw error;
      }
    }, tableMs);
  }
  if (from + 1 < tables.length) return from + 1;
  await running.run('locking', noteScrubbed);
  return undefined;
}
