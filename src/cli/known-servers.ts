import { join } from 'node:path';
import { formatServerAddress, type ServerAddress } from '../client/address.ts';
import type { LoginPin } from '../core/crypto/scram-client.ts';
import { ChatError } from '../core/errors.ts';
import { stateDirectory } from './directories.ts';
import { withFileLock } from './file-lock.ts';
import type { FilesHost } from './host.ts';
import { readPrivateFile, replacePrivateFile, stateError } from './state-directory.ts';

/** What is remembered about a server; it outlives a logout. */
export interface KnownServer {
  /** The pinned key, `SHA256:…`; undefined for a server that was never reached over TLS. */
  readonly fingerprint?: string;
  /** Which realm it is, as a login with a certificate was told; logins with a password have it in their pins. */
  readonly realm?: string;
  /** By username, what the server showed at the last login with a password; nothing weaker is accepted (security 1.6). */
  readonly logins: Readonly<Record<string, LoginPin>>;
}

/** The list of servers that this user has met, one file for all contexts. */
export interface KnownServers {
  readonly path: string;
  load(server: ServerAddress): Promise<KnownServer>;
  /** The servers that were met, as `chat://HOST:PORT`. */
  list(): Promise<string[]>;
  /** Changes one server's entry while no other process does. */
  update(server: ServerAddress, change: (known: KnownServer) => KnownServer): Promise<void>;
}

const unknownServer: KnownServer = { logins: {} };

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function isPin(value: unknown): value is LoginPin {
  return (
    isRecord(value) &&
    typeof value.suite === 'string' &&
    typeof value.bound === 'boolean' &&
    typeof value.cost === 'number' &&
    typeof value.realm === 'string' &&
    typeof value.serverKey === 'string'
  );
}

function isKnownServer(value: unknown): value is KnownServer {
  return (
    isRecord(value) &&
    (value.fingerprint === undefined || typeof value.fingerprint === 'string') &&
    (value.realm === undefined || typeof value.realm === 'string') &&
    isRecord(value.logins) &&
    Object.values(value.logins).every(isPin)
  );
}

function parse(path: string, content: string | undefined): ReadonlyMap<string, KnownServer> {
  if (content === undefined) return new Map();
  const damaged = (cause?: unknown) =>
    stateError(path, 'is damaged; move it away, and check the server fingerprints anew', cause);
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (error) {
    throw damaged(error);
  }
  if (!isRecord(value)) throw damaged();
  const servers = new Map<string, KnownServer>();
  for (const [address, known] of Object.entries(value)) {
    if (!isKnownServer(known)) throw damaged();
    servers.set(address, known);
  }
  return servers;
}

/** Opens the list; touches no file yet. */
export function openKnownServers(host: FilesHost): KnownServers {
  const path = join(stateDirectory(host), 'known_servers.json');
  const read = async () => parse(path, await readPrivateFile(path, host.userId));
  return {
    path,
    async load(server) {
      return (await read()).get(formatServerAddress(server)) ?? unknownServer;
    },
    async list() {
      return [...(await read()).keys()];
    },
    update(server, change) {
      return withFileLock(`${path}.lock`, host, async () => {
        const servers = new Map(await read());
        const address = formatServerAddress(server);
        servers.set(address, change(servers.get(address) ?? unknownServer));
        await replacePrivateFile(
          path,
          `${JSON.stringify(Object.fromEntries(servers), undefined, 2)}\n`,
          host.userId,
        );
      });
    },
  };
}

/** What the server showed at this account's last login with a password; undefined before there was one. */
export async function pinOf(
  host: FilesHost,
  server: ServerAddress,
  username: string,
): Promise<LoginPin | undefined> {
  const { logins } = await openKnownServers(host).load(server);
  return Object.hasOwn(logins, username) ? logins[username] : undefined;
}

/** Remembers which realm an account's server is; throws `untrusted` (exit 9) for one that was another before (security 1.6). */
export async function keepRealm(
  host: FilesHost,
  server: ServerAddress,
  { username, realm }: { readonly username: string; readonly realm: string },
): Promise<void> {
  const servers = openKnownServers(host);
  const known = await servers.load(server);
  checkRealm(known, { username, realm });
  if (known.realm === realm) return;
  await servers.update(server, (current) => {
    checkRealm(current, { username, realm });
    return { ...current, realm };
  });
}

/** Throws `untrusted` when a server was another realm, at this account's last login with a password or at any with a certificate. */
export function checkRealm(
  { realm: before, logins }: KnownServer,
  { username, realm }: { readonly username: string; readonly realm: string },
): void {
  const ofPassword = Object.hasOwn(logins, username) ? logins[username]?.realm : undefined;
  for (const known of [before, ofPassword]) {
    if (known === undefined || known === realm) continue;
    throw new ChatError('untrusted', `the server says that it is ${realm}, and was ${known} before`);
  }
}

/** The realm that this account's server is; undefined before it has logged in here. */
export async function realmOf(
  host: FilesHost,
  server: ServerAddress,
  username: string,
): Promise<string | undefined> {
  const { logins, realm } = await openKnownServers(host).load(server);
  return Object.hasOwn(logins, username) ? logins[username]?.realm : realm;
}
