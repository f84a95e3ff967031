import type { DeviceId, SessionId, UserId } from '../../../core/model/ids.ts';
import { first, type Query, rows, statement } from '../statement.ts';
import { sessionsOfUser } from './sessions.ts';
import { sessionById } from './whole-session.ts';

/** The session on a device: there is one at most. */
export const sessionOnDevice = statement((db, p: { deviceId: string }) =>
  db.selectFrom('sessions').select('id').where('device_id', '=', p.deviceId),
);
const deleteRefreshOf = statement((db, p: { id: string }) =>
  db.deleteFrom('refresh_tokens').where('session_id', '=', p.id),
);
const deleteSession = statement((db, p: { id: string }) => db.deleteFrom('sessions').where('id', '=', p.id));
const ofCertificate = statement((db, p: { id: string; userId: string }) =>
  db.selectFrom('sessions').select('id').where('user_id', '=', p.userId).where('certificate_id', '=', p.id),
);
const ended = statement((db, p: { now: number; limit: number }) =>
  db.selectFrom('sessions').select('id').where('family_expires_at', '<=', p.now).limit(p.limit),
);
const unused = statement((db, p: { madeUntil: number; limit: number }) =>
  db
    .selectFrom('devices')
    .leftJoin('sessions', 'sessions.device_id', 'devices.id')
    .select('devices.id')
    .where('devices.created_at', '<=', p.madeUntil)
    .where('sessions.id', 'is', null)
    .limit(p.limit),
);
const deleteDevice = statement((db, p: { id: string }) => db.deleteFrom('devices').where('id', '=', p.id));

/** What one sweep takes at most: the next one takes the rest, and nobody waits long for either. */
const sweptAtOnce = 1_000;

/** Store.endSession */
export function* endSession({ id, userId }: { id: SessionId; userId: UserId }): Query<boolean> {
  const row = yield* first(sessionById, { id });
  if (row?.user_id !== userId) return false;
  yield* removeSession(id);
  return true;
}

/** Store.endSessions */
export function* endSessions({ userId, except }: { userId: UserId; except?: SessionId }): Query<SessionId[]> {
  const gone: SessionId[] = [];
  for (const { id } of yield* rows(sessionsOfUser, { userId }))
    if (id !== except) gone.push(yield* removeSession(id));
  return gone;
}

/** Ends the sessions that were opened with a certificate; answers the ids that ended. */
export function* endSessionsOfCertificate(of: { id: string; userId: string }): Query<SessionId[]> {
  const gone: SessionId[] = [];
  for (const { id } of yield* rows(ofCertificate, of)) gone.push(yield* removeSession(id));
  return gone;
}

/** Store.endSessionOnDevice */
export function* endSessionOnDevice({ deviceId }: { deviceId: DeviceId }): Query<SessionId | undefined> {
  const found = yield* first(sessionOnDevice, { deviceId });
  return found && (yield* removeSession(found.id));
}

/** Store.sweepSessions */
export function* sweepSessions({ now }: { now: number }): Query<number> {
  const dead = yield* rows(ended, { now, limit: sweptAtOnce });
  for (const { id } of dead) yield* removeSession(id);
  return dead.length;
}

/** Store.sweepDevices */
export function* sweepDevices({ madeUntil }: { madeUntil: number }): Query<number> {
  const found = yield* rows(unused, { madeUntil, limit: sweptAtOnce });
  for (const { id } of found) yield* rows(deleteDevice, { id });
  return found.length;
}

/** Takes a session away with its tokens; answers its id. */
export function* removeSession(id: string): Query<SessionId> {
  yield* rows(deleteRefreshOf, { id });
  yield* rows(deleteSession, { id });
  return id as SessionId;
}
