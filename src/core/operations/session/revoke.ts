import { z } from 'zod';
import { ChatError } from '../../errors.ts';
import type { SessionId } from '../../model/ids.ts';
import { operation } from '../../operation.ts';
import { sessionId } from '../shapes.ts';

/**
 * Ends sessions of the caller's account: one by its id, all others, or all. Their connections close at once; the caller's
 * own is logged out instead. Another account's session is `not-found` (ASVS 8.2.2).
 */
export const revoke = operation({
  name: 'session.revoke',
  access: 'session',
  cost: 'none',
  audited: true,
  overlaps: false,
  input: z.union(
    [
      z.strictObject({ id: sessionId }),
      z.strictObject({ others: z.literal(true) }),
      z.strictObject({ all: z.literal(true) }),
    ],
    { error: 'give one of id (a session id), others: true or all: true' },
  ),
  output: z.object({ revoked: z.array(z.string()) }),
  async handle(input, { services, session, peer }) {
    const { store, sessions } = services;
    const { userId } = session;
    let ids: SessionId[];
    if ('id' in input) {
      if (!(await store.endSession({ id: input.id, userId }))) {
        throw new ChatError('not-found', 'there is no such session', { field: 'id' });
      }
      ids = [input.id];
    } else {
      ids = await store.endSessions('others' in input ? { userId, except: session.id } : { userId });
    }
    sessions.ended(ids, 'revoked', peer);
    return { revoked: ids };
  },
});
