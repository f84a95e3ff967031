import { saltOfName, verifierFrom } from '../crypto/verifier.ts';
import { ChatError } from '../errors.ts';
import type { Account, Verifier } from '../model/account.ts';
import type { Password } from '../model/password.ts';
import type { Username } from '../model/username.ts';
import type { CallContext } from '../operation.ts';
import { stretchFor } from './stretch-for.ts';

/** A secret that an account is to have: one of three. */
export interface NewSecret {
  readonly verifier?: Verifier | undefined;
  /** The AuthSecret, which a client has made for the salt and the cost that `login.salt` tells. */
  readonly hashed_password?: Uint8Array | undefined;
  readonly password?: Password | undefined;
}

/** What the store keeps of a new secret, and whether the server has seen the password. */
export interface NewCredential {
  readonly privacy: Account['privacy'];
  readonly verifier: Verifier;
}

/**
 * Makes a credential of a new secret. From a verifier or a hashed password, which are made on the client, the account is private;
 * from a password it is open (security 1.10). `told` is the verifier of which `login.salt` has told salt and cost, where the
 * name has an account. Throws `invalid` for a verifier of another cost than the server's.
 */
export async function newCredential(
  context: CallContext,
  name: Username,
  given: NewSecret,
  told?: Pick<Verifier, 'salt' | 'cost'>,
): Promise<NewCredential> {
  const { settings, policy, digests } = context.services;
  const cost = policy.bcryptCost;
  if (given.verifier) {
    if (given.verifier.cost !== cost) {
      throw new ChatError('invalid', `verifier.cost: this server's cost is ${cost}`, {
        field: 'verifier.cost',
      });
    }
    return { privacy: 'private', verifier: given.verifier };
  }
  // What `login.salt` has told for this name, and tells from now on.
  const ofName = { salt: saltOfName(settings.serverSecret, name, cost, digests), cost };
  if (given.hashed_password) {
    const { salt, cost: made } = told ?? ofName;
    return { privacy: 'private', verifier: verifierFrom(given.hashed_password, salt, made, digests) };
  }
  if (given.password === undefined) throw new Error('a credential is made of a secret');
  const authSecret = await stretchFor(context, { username: name, password: given.password, ...ofName });
  return { privacy: 'open', verifier: verifierFrom(authSecret, ofName.salt, cost, digests) };
}
