import * as z from 'zod';
import { ChatError } from '../../errors.ts';
import { operation } from '../../operation.ts';

/**
 * Keeps an account that was to be erased. A session is enough: the wish ended all there were, so that this one was opened with
 * the account's secret since. `conflict` when there is nothing to take back.
 */
export const cancelErase = operation({
  name: 'account.cancel-erase',
  access: 'session',
  cost: 'none',
  audited: true,
  overlaps: false,
  needsNoFactor: true,
  whileErasing: true,
  input: z.strictObject({}),
  output: z.object({}),
  async handle(_input, { services, session, now }) {
    const { store, sessions, policy } = services;
    const { userId } = session;
    if (!(await store.cancelErasure({ userId }))) {
      throw new ChatError('conflict', 'this account is not to be erased');
    }
    const kept = await store.sessions({ userId, now, idleMs: policy.sessionIdleMs });
    for (const one of kept) sessions.renew(one);
    return {};
  },
});
