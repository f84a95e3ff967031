import * as z from 'zod';
import { parseRefreshToken, successors, tokenDigest } from '../../crypto/tokens.ts';
import { badToken } from '../../errors.ts';
import { sessionAnswer } from '../../login/open-session.ts';
import { operation } from '../../operation.ts';
import { refreshGraceMs } from '../../policy.ts';
import { openedSession } from '../shapes.ts';

/**
 * Trades a refresh token for a new pair (security 3). Presented again within 20 s it gives the same pair, for an answer
 * may be lost; presented later it is a stolen one, and the whole family ends.
 */
export const refresh = operation({
  name: 'session.refresh',
  access: 'anyone',
  cost: 'login',
  audited: true,
  overlaps: false,
  input: z.strictObject({ refresh_token: z.string().max(256) }),
  output: openedSession,
  async handle({ refresh_token: text }, { services, now, concerns, note }) {
    const { store, settings, digests, policy, sessions } = services;
    const token = parseRefreshToken(text);
    if (!token) throw badToken();
    const next = successors(settings.serverSecret, token, digests);
    const outcome = await store.refreshSession({
      refreshHash: tokenDigest(token, digests),
      nextTokenHash: tokenDigest(next.sessionToken, digests),
      nextRefreshHash: tokenDigest(next.refreshToken, digests),
      now,
      graceMs: refreshGraceMs,
      absoluteMs: policy.sessionAbsoluteMs,
    });
    if (outcome.kind !== 'unknown') {
      const { id, username } = outcome.session;
      concerns(username);
      note({ details: { session: id, ...(outcome.kind === 'reused' && { reused: true }) } });
      if (outcome.kind === 'reused') sessions.ended([id], 'refresh-reused', { of: username });
    }
    if (outcome.kind !== 'rotated') throw badToken();
    sessions.renew(outcome.session);
    return sessionAnswer(outcome.session, next, sessions.expiresAt(outcome.session));
  },
});
