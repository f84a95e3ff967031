import type { RefreshOutcome, RefreshRequest } from '../../../core/ports/store/sessions.ts';
import { first, type Query, rows, statement } from '../statement.ts';
import { removeSession } from './end-sessions.ts';
import { sessionById, sessionOf } from './whole-session.ts';

/** Stores the digest of a refresh token that nobody has used. */
export const insertRefresh = statement((db, p: { hash: Uint8Array; sessionId: string }) =>
  db
    .insertInto('refresh_tokens')
    .values({ hash: p.hash, session_id: p.sessionId, used_at: null, next_hash: null }),
);
const refreshByHash = statement((db, p: { hash: Uint8Array }) =>
  db.selectFrom('refresh_tokens').select(['session_id', 'used_at', 'next_hash']).where('hash', '=', p.hash),
);
const useRefresh = statement((db, p: { hash: Uint8Array; now: number; next: Uint8Array }) =>
  db.updateTable('refresh_tokens').set({ used_at: p.now, next_hash: p.next }).where('hash', '=', p.hash),
);
const renew = statement((db, p: { id: string; hash: Uint8Array; now: number; absolute: number }) =>
  db
    .updateTable('sessions')
    .set({ token_hash: p.hash, last_used_at: p.now, absolute_expires_at: p.absolute })
    .where('id', '=', p.id),
);

/** Store.refreshSession */
export function* refreshSession(request: RefreshRequest): Query<RefreshOutcome> {
  const { now } = request;
  const token = yield* first(refreshByHash, { hash: request.refreshHash });
  const row = token && (yield* first(sessionById, { id: token.session_id }));
  if (!token || !row || now >= row.family_expires_at) return { kind: 'unknown' };
  const session = sessionOf(row);
  if (token.used_at !== null) {
    const next = token.next_hash && (yield* first(refreshByHash, { hash: token.next_hash }));
    if (next && next.used_at === null && now < token.used_at + request.graceMs)
      return { kind: 'rotated', session };
    yield* removeSession(session.id);
    return { kind: 'reused', session };
  }
  const absoluteExpiresAt = Math.min(now + request.absoluteMs, session.familyExpiresAt);
  yield* rows(useRefresh, { hash: request.refreshHash, now, next: request.nextRefreshHash });
  yield* rows(insertRefresh, { hash: request.nextRefreshHash, sessionId: session.id });
  yield* rows(renew, { id: session.id, hash: request.nextTokenHash, now, absolute: absoluteExpiresAt });
  return { kind: 'rotated', session: { ...session, lastUsedAt: now, absoluteExpiresAt } };
}
