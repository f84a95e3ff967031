import * as z from 'zod';
import { issueCode } from '../../codes.ts';
import { ChatError } from '../../errors.ts';
import { proveAgain } from '../../login/fresh-proof.ts';
import { operation } from '../../operation.ts';
import { freshProof, instant, username } from '../shapes.ts';
import { noSuchAccount } from './refused.ts';

/**
 * Makes a code for an account that sets a new password (`account.reset-password`), in the place of an older one, for the
 * administrator to give to its owner. It is told this once. A stolen session is not enough to take an account over: it takes a fresh
 * proof of the caller's secret (ASVS 7.5.1), and the own password is changed by who knows the old one (6.2.3): `conflict`.
 * `not-found` when there is no such account.
 */
export const reset = operation({
  name: 'admin.reset',
  access: 'admin',
  cost: 'login',
  audited: true,
  overlaps: false,
  input: z.strictObject({ username, proof: freshProof }),
  output: z.object({ username: z.string(), code: z.string(), expires_at: instant }),
  async handle({ username: name, proof }, context) {
    const { services, session, now } = context;
    if (name === session.username) {
      throw new ChatError(
        'conflict',
        'nobody resets the own password: change it, or ask another administrator',
        {
          field: 'username',
        },
      );
    }
    await proveAgain(context, proof);
    const account = await services.store.account(name);
    const issued = account && (await issueCode(services, { kind: 'reset-by-admin', account, now }));
    if (!issued) throw noSuchAccount(name);
    return { username: name, code: issued.code, expires_at: new Date(issued.expiresAt).toISOString() };
  },
});
