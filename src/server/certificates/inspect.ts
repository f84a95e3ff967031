import { createPublicKey } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ChatError } from '../../core/errors.ts';
import { doubtful, type Finding, failed, fine } from '../finding.ts';
import { directories, fingerprintOf, isDueFor, parseKey, readCertificate } from './certificates.ts';
import { readIfPresent } from './files.ts';
import { doubtsAbout, type OperatorFiles, readOperatorCertificate, spkiOf } from './operator-certificate.ts';

/** What the look goes by. */
export interface InspectOptions {
  /** UTC milliseconds. */
  readonly now: number;
  readonly files?: OperatorFiles | undefined;
  /** Whether there is a database already, to which keys of before belong. */
  readonly hasDatabase: boolean;
  /** What becomes of keys that are not there, where other nodes may have them; undefined where there are none. */
  readonly whenMissing?: string | undefined;
}

const dayMs = 86_400_000;

/** What it means to make one of them for a database that is there already. */
const isMissed = {
  authority:
    'ttpkeys is missing beside the database: the next start makes another authority, and whoever logs in with a certificate is refused; bring it from where the database comes from',
  certificate:
    'serverkeys is missing beside the database: the next start makes another key, and clients that have pinned the one before refuse it; bring it from where the database comes from',
} as const;

/** The two credentials of a server: who signs, and what clients see. */
const credentials = [
  { check: 'authority', directory: directories.authority, key: 'ca.key', certificate: 'ca.crt' },
  { check: 'certificate', directory: directories.server, key: 'server.key', certificate: 'server.crt' },
] as const;

/**
 * Looks at the server's keys and certificates in `dataDirectory`, and at an operator's `files` in the place of its own; changes nothing.
 */
export async function inspectCertificates(
  dataDirectory: string,
  { now, files, hasDatabase, whenMissing }: InspectOptions,
): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const { check, directory, key, certificate } of credentials) {
    if (files && check === 'certificate') {
      found.push(...(await inspectOperators(check, files, now)));
      continue;
    }
    const paths = {
      key: join(dataDirectory, directory, key),
      certificate: join(dataDirectory, directory, certificate),
    };
    try {
      found.push(...(await inspectOne(check, paths, { now, hasDatabase, whenMissing })));
    } catch (error) {
      if (error instanceof ChatError) found.push(failed(check, error));
      else if (error instanceof Error && 'code' in error && 'path' in error)
        found.push(
          failed(check, { code: 'unavailable', message: `cannot use ${error.path}: ${error.code}` }),
        );
      else throw error;
    }
  }
  return found;
}

async function inspectOperators(check: string, files: OperatorFiles, now: number): Promise<Finding[]> {
  try {
    const own = await readOperatorCertificate(files);
    const doubts = await doubtsAbout(own, files, now);
    const until = own.parsed.validToDate.toISOString().slice(0, 10);
    return [
      ...doubts.map((doubt) => doubtful(check, doubt)),
      fine(check, `${files.certificate} until ${until}; ${fingerprintOf(spkiOf(own.key))}`),
    ];
  } catch (error) {
    if (error instanceof ChatError) return [failed(check, error)];
    throw error;
  }
}

async function inspectOne(
  check: keyof typeof isMissed,
  paths: { readonly key: string; readonly certificate: string },
  { now, hasDatabase, whenMissing }: InspectOptions,
): Promise<Finding[]> {
  const keyText = await readIfPresent(paths.key);
  if (keyText === undefined) {
    if (whenMissing !== undefined) return [fine(check, whenMissing)];
    if ((await readIfPresent(paths.certificate)) === undefined)
      return [hasDatabase ? doubtful(check, isMissed[check]) : fine(check, 'made at the first start')];
    const message = `${paths.key} is missing while its certificate is there: restore it from a backup, or remove ${paths.certificate} too and every client will see a new server`;
    return [failed(check, { code: 'unavailable', message })];
  }
  const key = parseKey(keyText, paths.key);
  const found = await readCertificate(paths.certificate, key);
  const open = await isOpenToOthers(paths.key);
  const warnings = open
    ? [doubtful(check, `others can read ${paths.key}: the next start closes it to them`)]
    : [];
  if (found === undefined)
    return [...warnings, fine(check, `${paths.certificate} is made at the next start`)];
  const { validToDate } = found.parsed;
  const days = Math.floor((validToDate.getTime() - now) / dayMs);
  const until = days < 0 ? 'has expired' : `expires in ${days} ${days === 1 ? 'day' : 'days'}`;
  const renewal = isDueFor(found.parsed, now) ? '; the next start renews it over the same key' : '';
  const shown = fingerprintOf(createPublicKey(key).export({ type: 'spki', format: 'der' }));
  return [
    ...warnings,
    fine(
      check,
      `${paths.certificate} ${until} (${validToDate.toISOString().slice(0, 10)})${renewal}; ${shown}`,
    ),
  ];
}

async function isOpenToOthers(path: string): Promise<boolean> {
  return process.platform !== 'win32' && ((await stat(path)).mode & 0o077) !== 0;
}
