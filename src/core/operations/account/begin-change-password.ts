import * as z from 'zod';
import { toBase64 } from '../../crypto/bytes.ts';
import { chatSuite } from '../../crypto/verifier.ts';
import { badToken } from '../../errors.ts';
import { nextSaltAndCost } from '../../login/next-salt.ts';
import { operation } from '../../operation.ts';
import { passwordPolicy, passwordPolicyAnswer } from '../shapes.ts';

/**
 * What a new verifier, or a new hashed password, of the caller's account is made with, and what the server asks of a password, which
 * the client has to judge since nobody else sees it.
 */
export const beginChangePassword = operation({
  name: 'account.begin-change-password',
  access: 'session',
  cost: 'none',
  audited: false,
  overlaps: false,
  input: z.strictObject({}),
  output: z.object({
    realm: z.string(),
    suite: z.string(),
    salt: z.string(),
    cost: z.number(),
    password_policy: passwordPolicy,
  }),
  async handle(_input, { services, session: { username } }) {
    const found = await services.store.credential(username);
    if (!found) throw badToken();
    const { salt, cost } = nextSaltAndCost(services, username, found.verifier);
    return {
      realm: services.settings.realm,
      suite: chatSuite,
      salt: toBase64(salt),
      cost,
      password_policy: passwordPolicyAnswer(services.policy),
    };
  },
});
