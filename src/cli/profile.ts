import { join } from 'node:path';
import type { ServerAddress } from '../client/address.ts';
import { stateDirectory } from './directories.ts';
import { withFileLock } from './file-lock.ts';
import type { Host } from './host.ts';
import { readPrivateFile, removePrivateFile, replacePrivateFile, stateError } from './state-directory.ts';

/** A login as it is kept between commands, for one server and one context. */
export interface SavedLogin {
  readonly username: string;
  readonly user_id: string;
  readonly session_id: string;
  readonly session_token: string;
  readonly refresh_token: string;
  /** When this was fetched, RFC 3339; with `expires_at` it says how much of its life is over. */
  readonly obtained_at: string;
  readonly expires_at: string;
  readonly device_id: string;
  /** There for a login with a certificate of this account, which is shown to the server each time. */
  readonly by?: 'certificate' | undefined;
}

/** The saved login of one server and context, shared by any number of processes. */
export interface Profile {
  readonly path: string;
  /** Undefined when nobody is logged in; throws `unavailable` naming the file when it cannot be understood. */
  load(): Promise<SavedLogin | undefined>;
  save(login: SavedLogin): Promise<void>;
  /** True when there was one. */
  remove(): Promise<boolean>;
  /** Runs `work` while no other process changes this login. */
  locked<T>(work: () => Promise<T>): Promise<T>;
}

const texts = [
  'username',
  'user_id',
  'session_id',
  'session_token',
  'refresh_token',
  'obtained_at',
  'expires_at',
  'device_id',
] as const satisfies readonly (keyof SavedLogin)[];

function isSavedLogin(value: unknown): value is SavedLogin {
  if (typeof value !== 'object' || value === null) return false;
  const login = value as Partial<Record<keyof SavedLogin, unknown>>;
  const dates = [login.obtained_at, login.expires_at];
  return (
    texts.every((name) => typeof login[name] === 'string' && login[name] !== '') &&
    dates.every((date) => !Number.isNaN(Date.parse(String(date)))) &&
    (login.by === undefined || login.by === 'certificate')
  );
}

function parse(path: string, content: string): SavedLogin {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (error) {
    throw stateError(path, 'is damaged (not JSON); move it away and log in again', error);
  }
  if (!isSavedLogin(value))
    throw stateError(path, 'is damaged (not a saved login); move it away and log in again');
  return value;
}

/** The file's name: readable, and safe on every file system. */
function fileName(context: string, server: ServerAddress): string {
  return `${context}.${server.scheme}_${encodeURIComponent(server.host)}_${server.port}.json`;
}

/** Reads the name of a saved login's file; undefined for any other file. */
export function parseProfileName(name: string): { context: string; server: ServerAddress } | undefined {
  const [, context, scheme, host, port] = /^(.+)\.(chat|plain)_(.+)_(\d{1,5})\.json$/.exec(name) ?? [];
  if (context === undefined || (scheme !== 'chat' && scheme !== 'plain') || host === undefined)
    return undefined;
  try {
    return { context, server: { scheme, host: decodeURIComponent(host), port: Number(port) } };
  } catch {
    // No file of ours: a lone % in its name.
    return undefined;
  }
}

/** Where the saved logins are. */
export function profilesDirectory(host: Host): string {
  return join(stateDirectory(host), 'logins');
}

/** Opens the saved login of `server` in `context`; touches no file yet. */
export function openProfile(host: Host, server: ServerAddress, context: string): Profile {
  const path = join(profilesDirectory(host), fileName(context, server));
  return {
    path,
    async load() {
      const content = await readPrivateFile(path, host.userId);
      return content === undefined ? undefined : parse(path, content);
    },
    save: (login) => replacePrivateFile(path, `${JSON.stringify(login, undefined, 2)}\n`, host.userId),
    remove: () => removePrivateFile(path),
    locked: (work) => withFileLock(`${path}.lock`, host, work),
  };
}
