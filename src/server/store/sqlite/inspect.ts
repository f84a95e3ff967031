import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ErrorCode } from '../../../core/errors.ts';
import { audit } from '../migrations/0006-audit.ts';
import { migrations } from '../migrations/index.ts';
import { trailFault } from '../queries/whole-trail.ts';
import { type DatabaseOptions, lookAtDatabase, UnfitDatabase } from './database.ts';
import { databaseName } from './database-name.ts';
import { lookOnly } from './look-only.ts';

/** What a look at a database found. */
export interface DatabaseReport {
  /** Where it is. */
  readonly path: string;
  /** The format that it is written in, undefined when there is none yet, and the newest one that this program knows. */
  readonly format: number | undefined;
  readonly known: number;
  /** What SQLite's `quick_check`, or when it is thorough `integrity_check`, found, at most ten sentences; none for a sound database. */
  readonly faults: readonly string[];
  /** What is wrong with the audit trail, in words; undefined for a whole one, and where there are faults, which come first. */
  readonly trailFault: string | undefined;
}

/** What the worker tells whoever wants the report. */
export type InspectMessage =
  | { readonly kind: 'report'; readonly report: DatabaseReport }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly message: string };

/** More faults than this say nothing new. */
const maxFaults = 10;

/**
 * Looks into the database without changing it, also one whose server was killed. Throws `unavailable` for a file that is
 * damaged, that a newer version wrote, or that is somebody else's; a thorough look says that among the faults. The caller makes
 * sure that no server has it open.
 */
export async function inspectDatabase(
  options: Pick<DatabaseOptions, 'directory' | 'name'> & { readonly isThorough?: boolean },
): Promise<DatabaseReport> {
  const path = join(options.directory, options.name ?? databaseName);
  const known = migrations.length;
  if (!existsSync(path)) return { path, format: undefined, known, faults: [], trailFault: undefined };
  const files = lookOnly();
  try {
    return await lookAtDatabase({ ...options, host: files.host }, ({ once, run }) => {
      const format = Number(once('PRAGMA user_version')[0]?.user_version);
      const check = options.isThorough ? 'integrity_check' : 'quick_check';
      const rows = once(`PRAGMA ${check}(${maxFaults})`).map((row) => String(row[check]));
      const faults = rows.filter((text) => text !== 'ok');
      if (options.isThorough && format === 0) faults.push('there is no database in it');
      const hasTrail = faults.length === 0 && format > migrations.indexOf(audit);
      return { path, format, known, faults, trailFault: hasTrail ? run(trailFault()) : undefined };
    });
  } catch (error) {
    if (!options.isThorough || !(error instanceof UnfitDatabase)) throw error;
    return { path, format: undefined, known, faults: [error.fault], trailFault: undefined };
  } finally {
    files.close();
  }
}
