import type { CommandContext } from './command.ts';
import { keyStoreOf } from './key-store.ts';
import type { LoggedIn } from './session.ts';

/**
 * Seals the backup of the account's keys anew, to be changed with its password in one step, and openable by the new one unless the
 * account is open, whose password the server sees; undefined on a machine without keys.
 */
export async function sealForNewPassword(
  context: CommandContext,
  { connection, username }: LoggedIn,
  { next, privacy }: { readonly next: string; readonly privacy: 'private' | 'open' },
) {
  const store = await keyStoreOf(context, username);
  if (!store || (await store.load()) === undefined) return undefined;
  const [{ sealForChange }, { stretchForBackup }] = await Promise.all([
    import('../client/keys/change-keys.ts'),
    import('../client/keys/stretch-password.ts'),
  ]);
  const password = privacy === 'private' ? next : undefined;
  return await sealForChange(connection, { store, password, stretch: stretchForBackup });
}

/** Takes over the backup as it is after the password was changed; answers whether there are keys here. */
export async function takeBackup(context: CommandContext, { username }: LoggedIn): Promise<boolean> {
  const store = await keyStoreOf(context, username);
  if (!store || (await store.load()) === undefined) return false;
  const { adoptChange } = await import('../client/keys/change-keys.ts');
  return await adoptChange(store);
}
