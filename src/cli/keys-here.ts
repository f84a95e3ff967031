import type { KeyFile, KeyStore } from '../client/keys/key-file.ts';
import { noKeysText } from '../client/no-keys.ts';
import { ChatError } from '../core/errors.ts';
import type { CommandContext } from './command.ts';
import { keyStoreOf } from './key-store.ts';

/** The keys of an account on this machine, and where they are kept. */
export interface KeysHere {
  readonly store: KeyStore & { readonly path: string; readonly realm: string };
  readonly own: KeyFile;
}

/** Where the keys of an account are kept here; throws `not-found` for one that has never logged in. */
export async function keyStoreHere(context: CommandContext, username: string): Promise<KeysHere['store']> {
  const store = await keyStoreOf(context, username);
  if (!store)
    throw new ChatError('not-found', `${username} has not logged in here: chat login brings the keys`);
  return store;
}

/** The keys of the account that is logged in; throws `not-found` (exit 6) for a machine that has none. */
export async function keysHere(context: CommandContext, username: string): Promise<KeysHere> {
  const store = await keyStoreHere(context, username);
  const own = await store.load();
  if (!own) throw new ChatError('not-found', noKeysText);
  return { store, own };
}
