import * as z from 'zod';
import { badToken, ChatError } from '../../errors.ts';
import { proveAgain } from '../../login/fresh-proof.ts';
import { operation } from '../../operation.ts';
import { freshProof, instant } from '../shapes.ts';

/**
 * Puts the caller's account down to be erased when the server's time to think it over has passed, and ends its sessions, this one
 * too. Until then a login is good for taking it back (`account.cancel-erase`), for `account.export`, and for nothing else.
 */
export const erase = operation({
  name: 'account.erase',
  access: 'session',
  cost: 'none',
  audited: true,
  overlaps: false,
  needsNoFactor: true,
  input: z.strictObject({ proof: freshProof }),
  output: z.object({ erases_at: instant }),
  async handle({ proof }, context) {
    const { services, session, peer, now } = context;
    const { store, sessions, policy } = services;
    // Before a proof and a code are used up for nothing.
    if (await store.isLastAdministrator({ userId: session.userId })) throw lastAdministrator();
    await proveAgain(context, proof);
    const outcome = await store.requestErasure({
      userId: session.userId,
      dueAt: now + policy.eraseAfterMs,
    });
    if (outcome.kind === 'no-account') throw badToken();
    if (outcome.kind === 'last-admin') throw lastAdministrator();
    sessions.ended(outcome.ended, 'revoked', { survivor: peer, of: session.username });
    if (outcome.dueAt <= now) services.erasing.soon();
    return { erases_at: new Date(outcome.dueAt).toISOString() };
  },
});

function lastAdministrator(): ChatError {
  return new ChatError(
    'conflict',
    'nobody else administrates this server: make somebody else an administrator first',
  );
}
