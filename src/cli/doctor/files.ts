import { lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ChatError } from '../../core/errors.ts';
import { configDirectory, stateDirectory } from '../directories.ts';
import { lookAtFileLock } from '../file-lock.ts';
import type { Finding } from '../findings.ts';
import type { Host } from '../host.ts';
import { openKnownServers } from '../known-servers.ts';
import { findLogins } from '../saved-logins.ts';
import { isMissing, othersError, readPrivateFile, stateError, systemError } from '../state-directory.ts';
import { doubtful, failed, fine } from './step.ts';

/** A file that a write left behind when it was interrupted; a younger one may be in use. */
const leftoverMs = 3_600_000;

/** The directory of settings. */
export async function checkConfig(host: Host): Promise<Finding[]> {
  return [await checkDirectory(host, 'config', configDirectory(host), 'what you save there')];
}

/** The directory of secrets, and whether the files in it can be used. */
export async function checkState(host: Host): Promise<Finding[]> {
  const directory = stateDirectory(host);
  const found = [await checkDirectory(host, 'state', directory, 'the first login')];
  if (found.some(({ status }) => status === 'fail')) return found;
  const logins = await findLogins(host);
  const certificates = (await listed(join(directory, 'certificates'))).filter((name) =>
    /\.(?:key|crt)$/.test(name),
  );
  const paths = [openKnownServers(host).path, ...logins.map(({ profile }) => profile.path), ...certificates];
  for (const path of paths) {
    try {
      await readPrivateFile(path, host.userId);
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      found.push(failed('state', error));
    }
  }
  return found;
}

async function checkDirectory(host: Host, check: string, path: string, maker: string): Promise<Finding> {
  const entry = await lstat(path).catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw systemError(path, 'look at it', error);
  });
  if (entry === undefined) return fine(check, `${path} is made by ${maker}`);
  // Settings may be a link to where a person keeps all of theirs; secrets may not.
  if (entry.isSymbolicLink() && check === 'state')
    return failed(
      check,
      stateError(path, 'is a symbolic link; chat keeps its secrets in a directory of its own'),
    );
  const found = await stat(path).catch((error: unknown) => {
    throw systemError(path, 'look at it', error);
  });
  if (!found.isDirectory()) return failed(check, stateError(path, 'is no directory; move it away'));
  const mode = (found.mode & 0o777).toString(8).padStart(4, '0');
  if (host.userId === undefined) return fine(check, path);
  if (found.uid !== host.userId) return failed(check, othersError(path, found.uid, host.userId));
  if ((found.mode & 0o022) !== 0)
    return doubtful(check, `${path} can be written by other users (${mode}); run: chmod 700 '${path}'`);
  if (check === 'state' && (found.mode & 0o077) !== 0)
    return doubtful(check, `${path} is open to other users (${mode}); run: chmod 700 '${path}'`);
  return fine(check, `${path} is yours (${mode})`);
}

async function listed(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory, { recursive: true })).sort().map((name) => join(directory, name));
  } catch (error) {
    // What is no directory is told of where directories are looked at.
    const isNone = error instanceof Error && 'code' in error && error.code === 'ENOTDIR';
    if (isNone || isMissing(error)) return [];
    throw systemError(directory, 'list it', error);
  }
}

/** Locks and half-written files that a process left behind when it was killed. */
export async function checkLocks(host: Host): Promise<Finding[]> {
  const check = 'locks';
  const directories = new Set([stateDirectory(host), configDirectory(host)]);
  const paths = (await Promise.all([...directories].map(listed))).flat();
  const found: Finding[] = [];
  for (const path of paths.filter((name) => name.endsWith('.lock'))) {
    const lock = await lookAtFileLock(path, host.hostName);
    if (lock === undefined) continue;
    const seconds = Math.round(lock.ageMs / 1_000);
    found.push(
      lock.state === 'stale'
        ? doubtful(
            check,
            `${path} was left behind by ${lock.holder}, ${seconds} s ago; the next command that needs it takes it over`,
          )
        : fine(check, `${path} is held by ${lock.holder}, since ${seconds} s`),
    );
  }
  for (const path of paths.filter((name) => name.endsWith('.tmp'))) {
    const { mtimeMs } = (await stat(path).catch(() => undefined)) ?? {};
    if (mtimeMs !== undefined && Date.now() - mtimeMs > leftoverMs)
      found.push(doubtful(check, `${path} was left behind by a write that was interrupted; remove it`));
  }
  return found.length > 0 ? found : [fine(check, 'none is held or left behind')];
}
