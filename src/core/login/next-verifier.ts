import { equalDigests } from '../crypto/bytes.ts';
import { ChatError } from '../errors.ts';
import type { Verifier } from '../model/account.ts';
import type { Username } from '../model/username.ts';
import type { CallContext } from '../operation.ts';
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
  const { salt, cost } = given.verifier;
  if (cost !== told.cost) throw misfit('cost', `${told.cost} is asked for`);
  if (!equalDigests(salt, told.salt)) throw misfit('salt', 'another one is asked for');
  return given.verifier;
}

function misfit(field: 'salt' | 'cost', what: string): ChatError {
  const path = `verifier.${field}`;
  return new ChatError('invalid', `${path}: ${what} (see account.begin-change-password)`, { field: path });
}
