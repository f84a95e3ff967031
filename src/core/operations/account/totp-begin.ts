import * as z from 'zod';
import { newTotpSecret, totpSecretText, totpUri } from '../../crypto/totp.ts';
import { ChatError } from '../../errors.ts';
import { proveAgain } from '../../login/fresh-proof.ts';
import { operation } from '../../operation.ts';
import { freshProof, label } from '../shapes.ts';

/**
 * Begins to set up a second factor: makes its secret, which is shown this once, for an authenticator app. `issuer` is the name that it
 * shows the account under. Takes a fresh proof. Nothing is asked for anywhere before `account.totp-confirm`. `conflict` while one is on.
 */
export const totpBegin = operation({
  name: 'account.totp-begin',
  access: 'session',
  needsNoFactor: true,
  cost: 'login',
  audited: true,
  overlaps: false,
  input: z.strictObject({ proof: freshProof, issuer: label.default('chat') }),
  output: z.object({ secret: z.string(), uri: z.string() }),
  async handle({ proof, issuer }, context) {
    await proveAgain(context, proof);
    const { services, session, now } = context;
    const { userId, username } = session;
    const secret = newTotpSecret();
    const sealed = await services.totpSealer.seal(secret, userId);
    if (!(await services.store.beginSecondFactor({ userId, secret: sealed, now }))) {
      throw new ChatError('conflict', 'this account has a second factor already: turn it off first');
    }
    return { secret: totpSecretText(secret), uri: totpUri(secret, issuer, username) };
  },
});
