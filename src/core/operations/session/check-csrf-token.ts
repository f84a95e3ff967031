import * as z from 'zod';
import { equalDigests } from '../../crypto/bytes.ts';
import { parseCsrfToken, tokenDigest } from '../../crypto/tokens.ts';
import { ChatError } from '../../errors.ts';
import { operation } from '../../operation.ts';

/**
 * Lets pass who shows the CSRF token of its own session (spec K8); `forbidden`, with one text, when it is missing,
 * malformed, another session's, or an older one. Nothing is asked of the store.
 */
export const checkCsrfToken = operation({
  name: 'session.check-csrf-token',
  access: 'session',
  cost: 'none',
  needsNoFactor: true,
  audited: false,
  overlaps: false,
  whileErasing: true,
  input: z.strictObject({ csrf_token: z.string().optional() }),
  output: z.object({}),
  async handle({ csrf_token: text }, { services, session }) {
    const token = text === undefined ? undefined : parseCsrfToken(text);
    if (!token || !session.csrfHash) throw badCsrfToken();
    if (!equalDigests(tokenDigest(token, services.digests), session.csrfHash)) throw badCsrfToken();
    return {};
  },
});

function badCsrfToken(): ChatError {
  return new ChatError('forbidden', 'the CSRF token is missing, or is not the latest one of this session');
}
