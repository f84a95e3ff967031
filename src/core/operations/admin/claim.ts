import * as z from 'zod';
import { ChatError } from '../../errors.ts';
import { oneTimeCodeDigest } from '../../one-time-code.ts';
import { operation } from '../../operation.ts';
import { oneTimeCode } from '../shapes.ts';

/**
 * Makes the caller's account the server's first administrator, for the code that the server printed at its last start. Only while
 * there is none: `conflict` from then on, whatever the code; `forbidden` for every other code.
 */
export const claim = operation({
  name: 'admin.claim',
  access: 'session',
  cost: 'login',
  audited: true,
  overlaps: false,
  input: z.strictObject({ code: oneTimeCode }),
  output: z.object({ username: z.string() }),
  async handle({ code }, { services, session }) {
    const codeHash = oneTimeCodeDigest(code, services.digests);
    const outcome = await services.store.claimAdministration({ codeHash, userId: session.userId });
    if (outcome === 'taken') throw new ChatError('conflict', 'there is an administrator already');
    if (outcome === 'wrong') {
      throw new ChatError('forbidden', 'this is not the code that the server printed at its last start');
    }
    return { username: session.username };
  },
});
