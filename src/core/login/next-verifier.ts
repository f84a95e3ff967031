import { equalDigests } from '../crypto/bytes.ts';
import { saltOfName, verifierFrom } from '../crypto/verifier.ts';
import { ChatError } from '../errors.ts';
import type { Verifier } from '../model/account.ts';
import type { Password } from '../model/password.ts';
import type { Username } from '../model/username.ts';
import type { CallContext } from '../operation.ts';
import type { Services } from '../services.ts';
import { stretchFor } from './stretch-for.ts';

/** A new secret of an account, as one of the ways to give it; the shapes have seen to it that there is one. */
export interface NewSecret {
  readonly verifier?: Verifier | undefined;
  readonly hashed_password?: Uint8Array | undefined;
  readonly password?: Password | undefined;
}

/**
 * What the next verifier of an account is made with. The salt stays as long as the cost does, so that who asks for it before and
 * after learns of no change, nor that there is an account (security 1.8). A cost that was lowered meanwhile lowers nothing: clients go below
 * none that they have seen.
 */
export function nextSaltAndCost(
  { settings, policy, digests }: Pick<Services, 'settings' | 'policy' | 'digests'>,
  username: Username,
  current: Verifier,
): { readonly salt: Uint8Array; readonly cost: number } {
  if (current.cost >= policy.bcryptCost) return { salt: current.salt, cost: current.cost };
  const cost = policy.bcryptCost;
  return { salt: saltOfName(settings.serverSecret, username, cost, digests), cost };
}

/** Makes the next verifier from what was given. Throws `invalid` for one that was made with another salt or cost. */
export async function nextVerifier(
  context: CallContext,
  { username, current, given }: { username: Username; current: Verifier; given: NewSecret },
): Promise<Verifier> {
  const { digests } = context.services;
  const { salt, cost } = nextSaltAndCost(context.services, username, current);
  if (given.verifier) {
    if (given.verifier.cost !== cost) throw misfit('cost', `${cost} is asked for`);
    if (!equalDigests(given.verifier.salt, salt)) throw misfit('salt', 'another one is asked for');
    return given.verifier;
  }
  if (given.hashed_password) return verifierFrom(given.hashed_password, salt, cost, digests);
  if (given.password === undefined) throw new Error('a change has a secret');
  const authSecret = await stretchFor(context, { username, password: given.password, salt, cost });
  return verifierFrom(authSecret, salt, cost, digests);
}

function misfit(field: 'salt' | 'cost', what: string): ChatError {
  const path = `verifier.${field}`;
  return new ChatError('invalid', `${path}: ${what} (see account.begin-change-password)`, { field: path });
}
