import * as z from 'zod';
import { newCsrfToken, tokenDigest } from '../../crypto/tokens.ts';
import { badToken } from '../../errors.ts';
import { operation } from '../../operation.ts';

/**
 * Makes the one CSRF token of the caller's session (spec K9), shown this once: the session keeps its digest.
 * The token before it is dead from then on.
 */
export const issueCsrfToken = operation({
  name: 'session.issue-csrf-token',
  access: 'session',
  cost: 'none',
  needsNoFactor: true,
  audited: false,
  overlaps: false,
  whileErasing: true,
  input: z.strictObject({}),
  output: z.object({ csrf_token: z.string() }),
  async handle(_input, { services, session, peer }) {
    const token = newCsrfToken();
    const csrfHash = tokenDigest(token, services.digests);
    if (!(await services.store.setCsrfHash({ id: session.id, csrfHash }))) throw badToken();
    // A refresh may have renewed the session since this call began.
    services.sessions.renew({ ...(peer.session ?? session), csrfHash });
    return { csrf_token: token };
  },
});
