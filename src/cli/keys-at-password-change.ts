import type { CommandContext } from './command.ts';
import { keyStoreOf } from './key-store.ts';
import type { LoggedIn } from './session.ts';

/**
 * Wraps the backup of the account's keys by its new password, to be changed with it in one step; undefined on a machine without keys,
 * and for an open account, whose password the server sees.
 */
export async function wrapForNewPassword(
  context: CommandContext,
  { connection, username }: LoggedIn,
  { next, privacy }: { readonly next: string; readonly privacy: 'private' | 'open' },
) {
  const store = privacy === 'private' ? await keyStoreOf(context, username) : undefined;
  if (!store || (await store.load()) === undefined) return undefined;
  const [{ wrapForChange }, { stretchForBackup }] = await Promise.all([
    import('../client/keys/change-keys.ts'),
    import('../client/keys/stretch-password.ts'),
  ]);
  return await wrapForChange(connection, { store, password: next, stretch: stretchForBackup });
}

/** Remembers the backup as it is after the password was changed; answers whether there are keys here. */
export async function noteBackup(
  context: CommandContext,
  { connection, username }: LoggedIn,
): Promise<boolean> {
  const store = await keyStoreOf(context, username);
  const own = await store?.load();
  if (!store || !own) return false;
  const [{ noteVersion }, { fetchOwnRecord }] = await Promise.all([
    import('../client/keys/change-keys.ts'),
    import('../client/keys/fetch-record.ts'),
  ]);
  const { backupVersion } = await fetchOwnRecord(connection, own.record);
  if (backupVersion !== undefined) await noteVersion(store, backupVersion);
  return true;
}
