import * as z from 'zod';
import { ChatError } from '../../errors.ts';
import { proveAgain } from '../../login/fresh-proof.ts';
import { operation } from '../../operation.ts';
import { freshProof } from '../shapes.ts';

/**
 * Turns the second factor off, with its recovery codes, and ends the account's other sessions. Takes a fresh proof, with a code.
 * `conflict` when none is on.
 */
export const totpOff = operation({
  name: 'account.totp-off',
  access: 'session',
  cost: 'login',
  audited: true,
  overlaps: false,
  input: z.strictObject({ proof: freshProof }),
  output: z.object({ ended_sessions: z.number() }),
  async handle({ proof }, context) {
    await proveAgain(context, proof);
    const { services, session } = context;
    const { store, sessions } = services;
    const ended = await store.removeSecondFactor({ userId: session.userId, except: session.id });
    if (!ended) throw new ChatError('conflict', 'this account has no second factor');
    sessions.ended(ended, 'credentials-changed', { of: session.username });
    // A refresh may have renewed the session since this call began.
    sessions.renew({ ...(context.peer.session ?? session), hasSecondFactor: false });
    return { ended_sessions: ended.length };
  },
});
