import { z } from 'zod';
import { toBase64 } from '../../crypto/bytes.ts';
import { chatSuite } from '../../crypto/verifier.ts';
import { operation } from '../../operation.ts';

/** What a client needs before it can make a verifier: the server's realm, suite and cost, and its identity key. */
export const beginRegister = operation({
  name: 'account.begin-register',
  access: 'anyone',
  cost: 'none',
  audited: false,
  overlaps: false,
  input: z.strictObject({}),
  output: z.object({ realm: z.string(), cost: z.number(), suite: z.string(), server_key: z.string() }),
  async handle(_input, { services, peer }) {
    return {
      realm: services.settings.realm,
      cost: services.policy.bcryptCost,
      suite: chatSuite,
      server_key: toBase64(peer.channel.serverKey),
    };
  },
});
