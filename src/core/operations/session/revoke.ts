import * as z from 'zod';
import { ChatError } from '../../errors.ts';
import { endSessionsOf } from '../../login/end-sessions.ts';
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
  needsNoFactor: true,
  audited: true,
  overlaps: false,
  whileErasing: true,
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
    const { userId } = session;
    if ('id' in input) {
      if (!(await services.store.endSession({ id: input.id, userId }))) {
        throw new ChatError('not-found', 'there is no such session', { field: 'id' });
      }
      services.sessions.ended([input.id], 'revoked', { survivor: peer, of: session.username });
      return { revoked: [input.id] };
    }
    const { username } = session;
    const which = 'others' in input ? { userId, username, except: session.id } : { userId, username };
    return { revoked: [...(await endSessionsOf(services, which, 'revoked', peer))] };
  },
});
