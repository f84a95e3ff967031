import * as z from 'zod';
import { toBase64 } from '../../crypto/bytes.ts';
import { chatSuite } from '../../crypto/verifier.ts';
import { operation } from '../../operation.ts';
import { registrationModes } from '../../policy.ts';
import { passwordPolicy, passwordPolicyAnswer } from '../shapes.ts';

/**
 * What a client needs before it can make a verifier: the server's realm, suite and cost, its identity key, whether an
 * invite is needed, and what it asks of a password, which the client has to judge since nobody else sees it.
 */
export const beginRegister = operation({
  name: 'account.begin-register',
  access: 'anyone',
  cost: 'none',
  audited: false,
  overlaps: false,
  input: z.strictObject({}),
  output: z.object({
    realm: z.string(),
    cost: z.number(),
    suite: z.string(),
    server_key: z.string(),
    password_policy: passwordPolicy,
    registration: z.enum(registrationModes),
    /** What has to be accepted. */
    terms: z.object({ text: z.string(), sha256: z.string() }).optional(),
  }),
  async handle(_input, { services, peer }) {
    return {
      realm: services.settings.realm,
      cost: services.policy.bcryptCost,
      suite: chatSuite,
      server_key: toBase64(peer.channel.serverKey),
      password_policy: passwordPolicyAnswer(services.policy),
      registration: services.policy.registration,
      ...(services.terms && { terms: services.terms }),
    };
  },
});
