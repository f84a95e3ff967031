import { basename, dirname, join, resolve } from 'node:path';
import { ChatError } from '../../core/errors.ts';
import { openDataDirectory } from '../data-directory/data-directory.ts';
import { inspectDataDirectory } from '../data-directory/inspect.ts';
import { migrations } from '../store/migrations/index.ts';
import { movedTables } from '../store/moved-tables.ts';
import { realmOf, tableCount } from '../store/queries/table-rows.ts';
import { type Look, lookAtDatabase } from '../store/sqlite/database.ts';
import { databaseName } from '../store/sqlite/database-name.ts';
import { inspectAside } from '../store/sqlite/inspect-aside.ts';
import { lookOnly } from '../store/sqlite/look-only.ts';
import { digestOf, type ExportDirectory, makeExportDirectory } from './export-directory.ts';
import { exportTables } from './export-tables.ts';
import { type Manifest, manifestVersion } from './manifest.ts';
import { type MoveProgress, type MoveReport, reportOf } from './move-report.ts';
import type { PieceBounds } from './pieces.ts';
import { readServerKeys, sourceState } from './source.ts';

/** What is exported, and where to. */
export interface ExportOptions {
  /** Made when it is not there; otherwise empty, or an unfinished export of the same. */
  readonly directory: string;
  /** The data directory: its keys, and without `from` its database. */
  readonly data: string;
  /** A backup, whose rows are taken in the place of the database's: the server may run then. */
  readonly from?: string | undefined;
  /** Of this program. */
  readonly version: string;
  /** UTC milliseconds. */
  readonly now: number;
  /** Told now and then how far a table is. */
  readonly onProgress?: (progress: MoveProgress) => void;
  /** Told what somebody should know, as a sentence. */
  readonly onNote?: (text: string) => void;
  readonly bounds?: PieceBounds;
}

/**
 * Writes all that an embedded server keeps into a directory, from which `importStore` takes it; begins where an earlier run was
 * interrupted. The database and the data directory stay as they are. Throws `unavailable` while a server runs there, for a database
 * that is damaged or of another format, and for a full disk; `not-found` where there is none, `conflict` for a directory that holds
 * something else.
 */
export async function exportStore(options: ExportOptions): Promise<MoveReport> {
  const { path, findings } = await inspectDataDirectory(options.data);
  const refusal = findings.find(({ status }) => status === 'fail');
  if (refusal) throw new ChatError('unavailable', refusal.message);
  if (path === undefined) throw noDatabase(options.data);
  // A backup does not change, whoever runs beside it.
  if (options.from !== undefined) return await exportFrom(options, path, resolve(options.from));
  const held = await openDataDirectory(path);
  try {
    return await exportFrom(options, path, join(path, databaseName));
  } finally {
    await held.close();
  }
}

async function exportFrom(options: ExportOptions, data: string, file: string): Promise<MoveReport> {
  const isBackup = options.from !== undefined;
  const [place, name] = [dirname(file), basename(file)];
  if (isBackup && name === databaseName) {
    throw new ChatError(
      'invalid',
      `--from takes a backup, as chat admin backup makes them, not ${file}: for the database of a stopped server leave --from out`,
      { field: '--from' },
    );
  }
  const source = await sourceState(file);
  if (!source) throw isBackup ? noBackup(file) : noDatabase(data);
  const { format, known, faults, trailFault } = await inspectAside(place, isBackup ? name : undefined);
  if (faults.length > 0) {
    const advice = isBackup ? 'take another backup' : 'restore a backup';
    throw new ChatError('unavailable', `${file} is damaged: ${faults[0]}; ${advice}`);
  }
  if (format === undefined) throw isBackup ? noBackup(file) : noDatabase(data);
  if (format < known) throw tooOld(file, format, isBackup);
  if (trailFault !== undefined)
    options.onNote?.(`the audit trail is not intact, and is taken along as it is: ${trailFault}`);
  const keys = await readServerKeys(data);
  if (!keys.some((key) => key.file === 'serverkeys/server.key')) {
    options.onNote?.(
      'there is no serverkeys/server.key: clients know this server by an operator’s certificate, which each node must be given',
    );
  }
  const directory = await makeExportDirectory(resolve(options.directory));
  const files = lookOnly();
  try {
    return await lookAtDatabase({ directory: place, name, host: files.host }, async (look) => {
      const manifest = await beginOrGoOn(directory, look, { options, source });
      if (!manifest.complete) {
        for (const { file: keyFile, bytes } of keys) await directory.putKey(keyFile, bytes);
        manifest.keys = keys.map((key) => ({ file: key.file, ...digestOf(key.bytes) }));
        await exportTables({
          look,
          directory,
          manifest,
          onProgress: options.onProgress,
          bounds: options.bounds,
        });
        const after = await sourceState(file);
        if (JSON.stringify(after) !== JSON.stringify(source)) {
          throw new ChatError(
            'conflict',
            `${file} has changed meanwhile: nobody may write to it; run the same again`,
          );
        }
        manifest.complete = true;
        await directory.putManifest(manifest);
      }
      return reportOf(manifest);
    });
  } finally {
    files.close();
  }
}

/** The manifest of the interrupted export that is there, or that of a new one. */
async function beginOrGoOn(
  directory: ExportDirectory,
  look: Look,
  { options, source }: { readonly options: ExportOptions; readonly source: Manifest['source'] },
): Promise<Manifest> {
  const realm = look.run(realmOf());
  if (realm === undefined) {
    throw new ChatError(
      'not-found',
      'nobody has used this server yet: there is nothing to move; start chat serve --store with an empty database',
    );
  }
  const found = await directory.manifest();
  if (found) {
    const isSame =
      found.realm === realm &&
      found.format === migrations.length &&
      JSON.stringify(found.source) === JSON.stringify(source);
    if (isSame) return found;
    if (found.complete || found.realm !== realm) {
      const which = found.complete ? 'a finished export' : 'an unfinished export';
      const whose = found.realm === realm ? 'an earlier state of this server' : 'another server';
      throw new ChatError('conflict', `${directory.path} holds ${which} of ${whose}: give another directory`);
    }
    options.onNote?.('the database has changed since this export was interrupted: it begins anew');
    await directory.clear();
  }
  const begun: Manifest = {
    kind: 'chat-export',
    version: manifestVersion,
    chat: options.version,
    format: migrations.length,
    realm,
    begun_at: new Date(options.now).toISOString(),
    source,
    keys: [],
    tables: movedTables.map((table) => ({
      name: table.name,
      rows: look.run(tableCount(table)),
      sha256: null,
      pieces: [],
    })),
    complete: false,
  };
  await directory.putManifest(begun);
  return begun;
}

function noDatabase(data: string): ChatError {
  return new ChatError('not-found', `there is no database of a server in ${data}: give its data directory`);
}

function noBackup(file: string): ChatError {
  return new ChatError('not-found', `there is no backup ${file}: give the path of one`);
}

function tooOld(file: string, format: number, isBackup: boolean): ChatError {
  const what = isBackup
    ? 'restore it into a data directory, start chat serve there once, and export that'
    : 'start chat serve there once, which brings it up to date, and stop it';
  return new ChatError(
    'unavailable',
    `${file} has format ${format}, of an older chat; this one moves format ${migrations.length}: ${what}`,
  );
}
