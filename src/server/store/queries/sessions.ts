import type { CertificateId } from '../../../core/model/certificate.ts';
import type { SessionId, UserId } from '../../../core/model/ids.ts';
import type { Session } from '../../../core/model/session.ts';
import type { ListedSession } from '../../../core/ports/store/sessions.ts';
import { inMany, type Many, places } from '../many.ts';
import { changes, first, type Query, rows, statement } from '../statement.ts';
import { sessionById, sessionOf, wholeSessions } from './whole-session.ts';

const byToken = statement((db, p: { hash: Uint8Array }) =>
  wholeSessions(db).where('token_hash', '=', p.hash),
);
const byIds = statement((db, p: Many) => wholeSessions(db).where('sessions.id', 'in', places<string>(p)));
/** The sessions of an account, the one that was used last at the head. */
export const sessionsOfUser = statement((db, p: { userId: string }) =>
  wholeSessions(db)
    .select('certificate_id')
    .where('sessions.user_id', '=', p.userId)
    .orderBy('last_used_at', 'desc')
    .orderBy('sessions.id', 'desc'),
);
const touch = statement((db, p: { id: string; lastUsedAt: number }) =>
  db
    .updateTable('sessions')
    .set({ last_used_at: p.lastUsedAt })
    .where('id', '=', p.id)
    .where('last_used_at', '<', p.lastUsedAt),
);
const setCsrf = statement((db, p: { id: string; csrfHash: Uint8Array }) =>
  db.updateTable('sessions').set({ csrf_hash: p.csrfHash }).where('id', '=', p.id),
);
/** Names a device. */
export const relabelDevice = statement((db, p: { id: string; label: string }) =>
  db.updateTable('devices').set({ label: p.label }).where('id', '=', p.id),
);

/** Store.sessionByToken */
export function* sessionByToken(tokenHash: Uint8Array): Query<Session | undefined> {
  const row = yield* first(byToken, { hash: tokenHash });
  return row && sessionOf(row);
}

/** Store.sessions */
export function* sessions(query: { userId: UserId; now: number; idleMs: number }): Query<ListedSession[]> {
  const found = yield* rows(sessionsOfUser, { userId: query.userId });
  return found
    .map((row) => ({
      ...sessionOf(row),
      ...(row.certificate_id !== null && { certificate: row.certificate_id as CertificateId }),
    }))
    .filter(
      ({ lastUsedAt, absoluteExpiresAt }) =>
        query.now < Math.min(lastUsedAt + query.idleMs, absoluteExpiresAt),
    );
}

/** Store.existingSessions */
export function* existingSessions(ids: readonly SessionId[]): Query<Session[]> {
  const existing = new Map<SessionId, Session>();
  for (const part of inMany(ids)) {
    for (const row of yield* rows(byIds, part)) {
      const session = sessionOf(row);
      existing.set(session.id, session);
    }
  }
  return ids.flatMap((id) => existing.get(id) ?? []);
}

/** Store.touchSession */
export function* touchSession({ id, lastUsedAt }: { id: SessionId; lastUsedAt: number }): Query<void> {
  yield* rows(touch, { id, lastUsedAt });
}

/** Store.setCsrfHash */
export function* setCsrfHash({ id, csrfHash }: { id: SessionId; csrfHash: Uint8Array }): Query<boolean> {
  return (yield* changes(setCsrf, { id, csrfHash })) === 1;
}

/** Store.renameDevice */
export function* renameDevice({
  sessionId,
  userId,
  label,
}: {
  sessionId: SessionId;
  userId: UserId;
  label: string;
}): Query<Session | undefined> {
  const row = yield* first(sessionById, { id: sessionId });
  if (row?.user_id !== userId) return undefined;
  yield* rows(relabelDevice, { id: row.device_id, label });
  return { ...sessionOf(row), deviceLabel: label };
}
