import * as z from 'zod';
import { operation } from '../../operation.ts';

/** Ends the caller's session everywhere; this connection stays open in its first state. */
export const end = operation({
  name: 'session.end',
  access: 'session',
  cost: 'none',
  needsNoFactor: true,
  audited: true,
  overlaps: false,
  whileErasing: true,
  input: z.strictObject({}),
  output: z.object({}),
  async handle(_input, { services, session, peer }) {
    await services.store.endSession({ id: session.id, userId: session.userId });
    services.sessions.ended([session.id], 'logged-out', { survivor: peer });
    return {};
  },
});
