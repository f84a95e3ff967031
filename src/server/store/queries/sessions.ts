import type { CertificateId } from '../../../core/model/certificate.ts';
import type { DeviceId, SessionId, UserId } from '../../../core/model/ids.ts';
import type { DoorName, Session } from '../../../core/model/session.ts';
import type { Username } from '../../../core/model/username.ts';
import type {
  ListedSession,
  NewSession,
  OpenedSession,
  RefreshOutcome,
  RefreshRequest,
} from '../../../core/ports/store/sessions.ts';
import { inMany, type Many, places } from '../many.ts';
import { changes, first, type Query, rows, statement } from '../statement.ts';
import { useCertificate } from './certificate-keys.ts';

const sessionColumns = [
  'sessions.id',
  'sessions.user_id',
  'username',
  'device_id',
  'label',
  'door',
  'address',
  'sessions.created_at',
  'last_used_at',
  'absolute_expires_at',
  'family_expires_at',
  'csrf_hash',
  'erases_at',
  'totp.confirmed_at',
] as const;

const byToken = statement((db, p: { hash: Uint8Array }) =>
  db
    .selectFrom('sessions')
    .innerJoin('users', 'users.id', 'sessions.user_id')
    .innerJoin('devices', 'devices.id', 'sessions.device_id')
    .leftJoin('totp', 'totp.user_id', 'users.id')
    .select(sessionColumns)
    .where('token_hash', '=', p.hash),
);
const byId = statement((db, p: { id: string }) =>
  db
    .selectFrom('sessions')
    .innerJoin('users', 'users.id', 'sessions.user_id')
    .innerJoin('devices', 'devices.id', 'sessions.device_id')
    .leftJoin('totp', 'totp.user_id', 'users.id')
    .select(sessionColumns)
    .where('sessions.id', '=', p.id),
);
const byIds = statement((db, p: Many) =>
  db
    .selectFrom('sessions')
    .innerJoin('users', 'users.id', 'sessions.user_id')
    .innerJoin('devices', 'devices.id', 'sessions.device_id')
    .leftJoin('totp', 'totp.user_id', 'users.id')
    .select(sessionColumns)
    .where('sessions.id', 'in', places<string>(p)),
);
const ofUser = statement((db, p: { userId: string }) =>
  db
    .selectFrom('sessions')
    .innerJoin('users', 'users.id', 'sessions.user_id')
    .innerJoin('devices', 'devices.id', 'sessions.device_id')
    .leftJoin('totp', 'totp.user_id', 'users.id')
    .select([...sessionColumns, 'certificate_id'])
    .where('sessions.user_id', '=', p.userId)
    .orderBy('last_used_at', 'desc')
    .orderBy('sessions.id', 'desc'),
);
/** Those beyond the `keep` that were used last, the longest idle one at the end. */
const beyond = statement((db, p: { userId: string; keep: number }) =>
  db
    .selectFrom('sessions')
    .select('id')
    .where('user_id', '=', p.userId)
    .orderBy('last_used_at', 'desc')
    .orderBy('id', 'desc')
    .limit(Number.MAX_SAFE_INTEGER)
    .offset(p.keep),
);
const userWithFactor = statement((db, p: { id: string }) =>
  db
    .selectFrom('users')
    .leftJoin('totp', 'totp.user_id', 'users.id')
    .select(['erases_at', 'disabled_at', 'totp.confirmed_at'])
    .where('users.id', '=', p.id)
    .where('erased_at', 'is', null),
);
const deviceOwner = statement((db, p: { id: string }) =>
  db.selectFrom('devices').select(['user_id', 'label']).where('id', '=', p.id),
);
const insertDevice = statement((db, p: { id: string; userId: string; label: string; now: number }) =>
  db.insertInto('devices').values({ id: p.id, user_id: p.userId, label: p.label, created_at: p.now }),
);
const relabelDevice = statement((db, p: { id: string; label: string }) =>
  db.updateTable('devices').set({ label: p.label }).where('id', '=', p.id),
);
const idOnDevice = statement((db, p: { deviceId: string }) =>
  db.selectFrom('sessions').select('id').where('device_id', '=', p.deviceId),
);
const insertSession = statement(
  (
    db,
    p: {
      id: string;
      userId: string;
      deviceId: string;
      hash: Uint8Array;
      door: string;
      address: string;
      createdAt: number;
      lastUsedAt: number;
      absolute: number;
      family: number;
      csrfHash: Uint8Array | null;
      certificateId: string | null;
    },
  ) =>
    db.insertInto('sessions').values({
      id: p.id,
      user_id: p.userId,
      device_id: p.deviceId,
      token_hash: p.hash,
      door: p.door,
      address: p.address,
      created_at: p.createdAt,
      last_used_at: p.lastUsedAt,
      absolute_expires_at: p.absolute,
      family_expires_at: p.family,
      csrf_hash: p.csrfHash,
      certificate_id: p.certificateId,
    }),
);
const insertRefresh = statement((db, p: { hash: Uint8Array; sessionId: string }) =>
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

const hasKey = statement((db, p: { userId: string; storedKey: Uint8Array }) =>
  db
    .selectFrom('credentials')
    .select('user_id')
    .where('user_id', '=', p.userId)
    .where('stored_key', '=', p.storedKey),
);

/** What one sweep takes at most: the next one takes the rest, and nobody waits long for either. */
const sweptAtOnce = 1_000;

/** Store.openSession */
export function* openSession(input: NewSession): Query<OpenedSession> {
  const { session } = input;
  const user = yield* first(userWithFactor, { id: session.userId });
  if (!user) return { kind: 'no-account' };
  const { provenKey: storedKey } = input;
  if (storedKey && !(yield* first(hasKey, { userId: session.userId, storedKey }))) return { kind: 'stale' };
  // It was put down to be erased while it logged in, or is not any more.
  if ((user.erases_at ?? undefined) !== session.erasesAt) return { kind: 'stale' };
  // Here and not before: an account may be disabled while its secret is being proven.
  if (user.disabled_at !== null) return { kind: 'disabled' };
  if ((user.confirmed_at !== null) !== session.hasSecondFactor) return { kind: 'factor-changed' };
  const owner = yield* first(deviceOwner, { id: session.deviceId });
  if (input.isNewDevice ? owner : owner?.user_id !== session.userId) return { kind: 'foreign-device' };
  if (input.certificate !== undefined) {
    const used = { id: input.certificate, userId: session.userId, now: session.createdAt };
    if (!(yield* useCertificate(used))) return { kind: 'revoked' };
  }
  const gone: SessionId[] = [];
  if (input.isNewDevice) {
    yield* rows(insertDevice, {
      id: session.deviceId,
      userId: session.userId,
      label: session.deviceLabel,
      now: session.createdAt,
    });
  } else {
    if (session.deviceLabel !== '') {
      yield* rows(relabelDevice, { id: session.deviceId, label: session.deviceLabel });
    }
    const replaced = yield* first(idOnDevice, { deviceId: session.deviceId });
    if (replaced) gone.push(yield* remove(replaced.id));
  }
  // A limit of 0 is none (policy).
  if (input.maxPerAccount > 0) {
    const others = yield* rows(beyond, { userId: session.userId, keep: input.maxPerAccount - 1 });
    for (const { id } of others) gone.push(yield* remove(id));
  }
  yield* rows(insertSession, {
    id: session.id,
    userId: session.userId,
    deviceId: session.deviceId,
    hash: input.tokenHash,
    door: session.door,
    address: session.address,
    createdAt: session.createdAt,
    lastUsedAt: session.lastUsedAt,
    absolute: session.absoluteExpiresAt,
    family: session.familyExpiresAt,
    csrfHash: session.csrfHash,
    certificateId: input.certificate ?? null,
  });
  yield* rows(insertRefresh, { hash: input.refreshHash, sessionId: session.id });
  const label = session.deviceLabel === '' ? (owner?.label ?? '') : session.deviceLabel;
  return { kind: 'opened', ended: gone, label };
}

/** Store.sessionByToken */
export function* sessionByToken(tokenHash: Uint8Array): Query<Session | undefined> {
  const row = yield* first(byToken, { hash: tokenHash });
  return row && sessionOf(row);
}

/** Store.sessions */
export function* sessions(query: { userId: UserId; now: number; idleMs: number }): Query<ListedSession[]> {
  const found = yield* rows(ofUser, { userId: query.userId });
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

/** Store.refreshSession */
export function* refreshSession(request: RefreshRequest): Query<RefreshOutcome> {
  const { now } = request;
  const token = yield* first(refreshByHash, { hash: request.refreshHash });
  const row = token && (yield* first(byId, { id: token.session_id }));
  if (!token || !row || now >= row.family_expires_at) return { kind: 'unknown' };
  const session = sessionOf(row);
  if (token.used_at !== null) {
    const next = token.next_hash && (yield* first(refreshByHash, { hash: token.next_hash }));
    if (next && next.used_at === null && now < token.used_at + request.graceMs)
      return { kind: 'rotated', session };
    yield* remove(session.id);
    return { kind: 'reused', session };
  }
  const absoluteExpiresAt = Math.min(now + request.absoluteMs, session.familyExpiresAt);
  yield* rows(useRefresh, { hash: request.refreshHash, now, next: request.nextRefreshHash });
  yield* rows(insertRefresh, { hash: request.nextRefreshHash, sessionId: session.id });
  yield* rows(renew, { id: session.id, hash: request.nextTokenHash, now, absolute: absoluteExpiresAt });
  return { kind: 'rotated', session: { ...session, lastUsedAt: now, absoluteExpiresAt } };
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
  const row = yield* first(byId, { id: sessionId });
  if (row?.user_id !== userId) return undefined;
  yield* rows(relabelDevice, { id: row.device_id, label });
  return { ...sessionOf(row), deviceLabel: label };
}

/** Store.endSession */
export function* endSession({ id, userId }: { id: SessionId; userId: UserId }): Query<boolean> {
  const row = yield* first(byId, { id });
  if (row?.user_id !== userId) return false;
  yield* remove(id);
  return true;
}

/** Store.endSessions */
export function* endSessions({ userId, except }: { userId: UserId; except?: SessionId }): Query<SessionId[]> {
  const gone: SessionId[] = [];
  for (const { id } of yield* rows(ofUser, { userId })) if (id !== except) gone.push(yield* remove(id));
  return gone;
}

/** Ends the sessions that were opened with a certificate; answers the ids that ended. */
export function* endSessionsOfCertificate(of: { id: string; userId: string }): Query<SessionId[]> {
  const gone: SessionId[] = [];
  for (const { id } of yield* rows(ofCertificate, of)) gone.push(yield* remove(id));
  return gone;
}

/** Store.endSessionOnDevice */
export function* endSessionOnDevice({ deviceId }: { deviceId: DeviceId }): Query<SessionId | undefined> {
  const found = yield* first(idOnDevice, { deviceId });
  return found && (yield* remove(found.id));
}

/** Store.sweepSessions */
export function* sweepSessions({ now }: { now: number }): Query<number> {
  const dead = yield* rows(ended, { now, limit: sweptAtOnce });
  for (const { id } of dead) yield* remove(id);
  return dead.length;
}

/** Store.sweepDevices */
export function* sweepDevices({ madeUntil }: { madeUntil: number }): Query<number> {
  const found = yield* rows(unused, { madeUntil, limit: sweptAtOnce });
  for (const { id } of found) yield* rows(deleteDevice, { id });
  return found.length;
}

function* remove(id: string): Query<SessionId> {
  yield* rows(deleteRefreshOf, { id });
  yield* rows(deleteSession, { id });
  return id as SessionId;
}

function sessionOf(row: {
  id: string;
  user_id: string;
  username: string;
  device_id: string;
  label: string;
  door: string;
  address: string;
  created_at: number;
  last_used_at: number;
  absolute_expires_at: number;
  family_expires_at: number;
  csrf_hash: Uint8Array | null;
  erases_at: number | null;
  confirmed_at: number | null;
}): Session {
  return {
    id: row.id as SessionId,
    userId: row.user_id as UserId,
    username: row.username as Username,
    hasSecondFactor: row.confirmed_at !== null,
    deviceId: row.device_id as DeviceId,
    deviceLabel: row.label,
    door: row.door as DoorName,
    address: row.address,
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at,
    absoluteExpiresAt: row.absolute_expires_at,
    familyExpiresAt: row.family_expires_at,
    csrfHash: row.csrf_hash,
    ...(row.erases_at === null ? {} : { erasesAt: row.erases_at }),
  };
}
