import * as z from 'zod';
import { operation } from '../../operation.ts';
import { certificateId } from '../shapes.ts';
import { noSuchCertificate } from './refused.ts';

/**
 * Lets nobody log in with one of the caller's certificates any more, for ever, and ends the sessions that were opened with it; the caller's
 * own connection is logged out if its session is among them. Another account's, and one that is revoked, is `not-found`.
 */
export const revoke = operation({
  name: 'certificate.revoke',
  access: 'session',
  cost: 'none',
  needsNoFactor: true,
  audited: true,
  overlaps: false,
  whileErasing: true,
  input: z.strictObject({ id: certificateId }),
  output: z.object({ ended_sessions: z.array(z.string()) }),
  async handle({ id }, { services, session, peer, now }) {
    const { userId, username } = session;
    const ended = await services.store.revokeCertificate({ id, userId, now });
    if (!ended) throw noSuchCertificate();
    services.sessions.ended(ended, 'revoked', { survivor: peer, of: username });
    return { ended_sessions: [...ended] };
  },
});
