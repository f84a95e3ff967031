import * as z from 'zod';
import { deadCode } from '../../codes.ts';
import { ChatError } from '../../errors.ts';
import { oneTimeCodeDigest } from '../../one-time-code.ts';
import { operation } from '../../operation.ts';
import { oneTimeCode } from '../shapes.ts';

/**
 * Confirms the account's e-mail address by the code that was sent there. `not-found`, with one text, for a code that is unknown, used,
 * too old, or another account's, which that one can still use. `conflict` while the address is confirmed for another account, which nobody
 * hears but who reads its mail.
 */
export const verifyEmail = operation({
  name: 'account.verify-email',
  access: 'session',
  cost: 'login',
  audited: true,
  overlaps: false,
  input: z.strictObject({ code: oneTimeCode }),
  output: z.object({ email: z.string() }),
  async handle({ code }, { services, session, now }) {
    const hash = oneTimeCodeDigest(code, services.digests);
    const outcome = await services.store.verifyEmail({ hash, userId: session.userId, now });
    if (!outcome) throw deadCode();
    if (outcome.kind === 'taken') {
      throw new ChatError(
        'conflict',
        'this e-mail address is confirmed for another account: give that one another address first',
        { field: 'email' },
      );
    }
    return { email: outcome.email };
  },
});
