import type { Username } from '../model/username.ts';
import type { Services } from '../services.ts';

/**
 * Disables an account: from its commit on nobody logs in to it, and all its sessions have ended, in the store and then here and on
 * every node (ASVS 7.4.2). What others write to it is stored, for the day on which it is enabled again.
 */
export async function disableAccount(
  { store, sessions }: Pick<Services, 'store' | 'sessions'>,
  username: Username,
  now: number,
): Promise<'disabled' | 'missing' | 'last-administrator'> {
  const outcome = await store.disableAccount({ username, now });
  if (outcome.kind === 'disabled') sessions.ended(outcome.ended, 'disabled');
  return outcome.kind;
}
