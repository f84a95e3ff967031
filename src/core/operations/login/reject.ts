import * as z from 'zod';
import { operation } from '../../operation.ts';

/** A client that found the server's proof wrong throws the session away; the audit trail keeps that it did (security 1.4). */
export const reject = operation({
  name: 'login.reject',
  access: 'session',
  cost: 'none',
  needsNoFactor: true,
  audited: true,
  overlaps: false,
  input: z.strictObject({}),
  output: z.object({}),
  async handle(_input, { services, session, peer }) {
    await services.store.endSession({ id: session.id, userId: session.userId });
    services.sessions.ended([session.id], 'logged-out', { survivor: peer });
    return {};
  },
});
