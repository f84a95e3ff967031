import type { Verifier } from '../model/account.ts';
import type { Username } from '../model/username.ts';
import type { CallContext } from '../operation.ts';
import { checkMadeWith } from './made-with.ts';
import { type NewSecret, verifierOf } from './new-credential.ts';
import { nextSaltAndCost } from './next-salt.ts';

/**
 * Makes the next verifier of an account whose client was told by `account.begin-change-password` with what. Throws `invalid` for one that
 * was made with another salt or cost.
 */
export async function nextVerifier(
  context: CallContext,
  { username, current, given }: { username: Username; current: Verifier; given: NewSecret },
): Promise<Verifier> {
  const told = nextSaltAndCost(context.services, username, current);
  if (!given.verifier) return await verifierOf(context, username, given, told);
  checkMadeWith(given.verifier, told, 'account.begin-change-password');
  return given.verifier;
}
