import { join } from 'node:path';
import type { ServerAddress } from '../client/address.ts';
import type { KeyStore } from '../client/keys/key-file.ts';
import type { CommandContext } from './command.ts';
import { stateDirectory } from './directories.ts';
import { withFileLock } from './file-lock.ts';
import type { FilesHost } from './host.ts';
import { realmOf } from './known-servers.ts';
import {
  ensureDirectory,
  ensureWritable,
  readPrivateFile,
  removePrivateFile,
  replacePrivateFile,
  stateError,
} from './state-directory.ts';

/** Whose keys: an account of a server, which is the one of a realm. */
export interface KeyOwner {
  readonly server: ServerAddress;
  readonly realm: string;
  readonly username: string;
}

/** Where the keys of accounts are; the name is document 5's. */
function keysDirectory(host: FilesHost): string {
  return join(stateDirectory(host), 'clientkeys');
}

/** Opens the key file of an account on this machine, 0600, which all contexts share; touches no file yet. */
export function openKeyStore(
  host: FilesHost,
  { server, realm, username }: KeyOwner,
): KeyStore & { readonly path: string } {
  const { scheme, host: name, port } = server;
  // A server that was set up anew at an address has another realm: the keys of the one before stay.
  const fileName = `${username}.${scheme}_${encodeURIComponent(name)}_${port}.${encodeURIComponent(realm)}.json`;
  const path = join(keysDirectory(host), fileName);
  async function load() {
    const content = await readPrivateFile(path, host.userId);
    if (content === undefined) return undefined;
    const { readKeyFile } = await import('../client/keys/key-file.ts');
    const file = readKeyFile(content);
    if (!file || file.record.user !== username || file.record.realm !== realm) {
      throw stateError(
        path,
        'is damaged (no key file of this account); move it away and log in again: the keys come back from their backup',
      );
    }
    return file;
  }
  const pendingPath = `${path}.pending`;
  return {
    path,
    load,
    async loadPending() {
      const content = await readPrivateFile(pendingPath, host.userId);
      if (content === undefined) return undefined;
      const { readKeyFile } = await import('../client/keys/key-file.ts');
      return readKeyFile(content);
    },
    async keepPending(file) {
      if (file === undefined) {
        await removePrivateFile(pendingPath);
        return;
      }
      const { writeKeyFile } = await import('../client/keys/key-file.ts');
      await replacePrivateFile(pendingPath, writeKeyFile(file), host.userId);
    },
    checkWritable: () => ensureWritable(keysDirectory(host), host.userId),
    async update(change) {
      await ensureDirectory(keysDirectory(host), host.userId);
      return await withFileLock(`${path}.lock`, host, async () => {
        const file = await change(await load());
        const { writeKeyFile } = await import('../client/keys/key-file.ts');
        await replacePrivateFile(path, writeKeyFile(file), host.userId);
        return file;
      });
    },
  };
}

/** The key store of an account that has logged in on this machine; undefined for any other. */
export async function keyStoreOf(
  { host, settings }: CommandContext,
  username: string,
): Promise<(KeyStore & { readonly path: string; readonly realm: string }) | undefined> {
  const realm = await realmOf(host, settings.server, username);
  if (realm === undefined) return undefined;
  return { ...openKeyStore(host, { server: settings.server, realm, username }), realm };
}
