import { Client } from 'pg';
import { ChatError } from '../../../core/errors.ts';
import type { SettingsStore } from '../../../core/ports/store/settings.ts';
import { shared } from '../queries/shared.ts';
import { realmOf } from '../queries/table-rows.ts';
import { clientConfig, usualPatience } from './connections.ts';
import { databaseAddress } from './database-address.ts';
import { formatOf, lockNumber, lockSpace, refuseUnfit } from './migrate.ts';
import { postgresMigrations } from './migrations/index.ts';
import { refuseUnfinishedImport } from './moved-rows.ts';
import { openingError, placeOf } from './opening-error.ts';
import { sessionOf } from './session.ts';
import { troubleOf } from './trouble.ts';

/** What a look at a database found that a server could start on. */
export interface PostgresReport extends Pick<SettingsStore, 'shared'> {
  /** `PostgreSQL 15.18 at host:port`. */
  readonly server: string;
  /** Undefined for an empty database. */
  readonly format: number | undefined;
  /** The newest that this version knows. */
  readonly known: number;
  /** How many nodes have it now, and how: `sole` is one that tolerates no other. */
  readonly nodes: { readonly as: 'sole' | 'shared'; readonly count: number } | undefined;
  /** Undefined before the first start. */
  readonly realm: string | undefined;
}

/**
 * Looks into a database, in one transaction that can only read, and lets `look` do so. Throws what a start on it throws: `unavailable`
 * for one that cannot be reached or used, `invalid` for a URL that is none.
 */
export async function inspectPostgres<Result>(
  url: string,
  look: (report: PostgresReport) => Promise<Result>,
): Promise<Result> {
  const address = databaseAddress(url);
  const client = new Client(clientConfig(address, usualPatience));
  // What is under way fails by itself.
  client.on('error', () => {});
  const session = sessionOf(client);
  const late = setTimeout(() => session.drop(), usualPatience.attemptMs);
  try {
    await client.connect().catch((error: unknown) => {
      throw troubleOf(error);
    });
    await session.execute('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const version = await refuseUnfit(session);
    const format = await formatOf(session);
    await refuseUnfinishedImport(session);
    const known = postgresMigrations.length;
    if (format === undefined || format < known) await refuseWithoutRights(session);
    const hasTables = format !== undefined && format > 0;
    return await look({
      server: `PostgreSQL ${version} at ${placeOf(address)}`,
      format,
      known,
      nodes: await nodesOf(session),
      realm: hasTables ? await session.run(realmOf()) : undefined,
      shared: async (name) => (hasTables ? await session.run(shared(name)) : undefined),
    });
  } catch (error) {
    throw openingError(error, address);
  } finally {
    clearTimeout(late);
    await client.end().catch(() => {});
  }
}

type Session = ReturnType<typeof sessionOf>;

/** Of a schema that everybody may use PostgreSQL 15 lets only the owner of the database make tables. */
async function refuseWithoutRights(session: Session): Promise<void> {
  const { rows } = await session.execute(
    `SELECT current_user AS who, coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may`,
  );
  const [{ who, may }] = rows as [{ who: string; may: boolean }];
  if (may) return;
  throw new ChatError(
    'unavailable',
    `the database lets ${who} make no tables: run ALTER DATABASE … OWNER TO "${who}" there`,
  );
}

/** The locks are looked at and not tried: a node that starts meanwhile is not kept from it. */
async function nodesOf(session: Session): Promise<PostgresReport['nodes']> {
  const { rows } = await session.execute(
    `SELECT mode, count(*)::int AS count FROM pg_locks
      WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND classid::bigint = $1 AND objid::bigint = $2
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      GROUP BY mode`,
    [lockSpace, lockNumber.node],
  );
  const [found] = rows as { mode: string; count: number }[];
  return found && { as: found.mode === 'ExclusiveLock' ? 'sole' : 'shared', count: found.count };
}
