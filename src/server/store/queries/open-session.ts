import type { SessionId } from '../../../core/model/ids.ts';
import type { NewSession, OpenedSession } from '../../../core/ports/store/sessions.ts';
import { changes, first, type Query, rows, statement } from '../statement.ts';
import { useCertificate } from './certificate-keys.ts';
import { removeSession, sessionOnDevice } from './end-sessions.ts';
import { insertRefresh } from './refresh-session.ts';
import { relabelDevice } from './sessions.ts';

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
/** No row when there is one. */
const insertDevice = statement((db, p: { id: string; userId: string; label: string; now: number }) =>
  db
    .insertInto('devices')
    .values({ id: p.id, user_id: p.userId, label: p.label, created_at: p.now })
    .onConflict((conflict) => conflict.column('id').doNothing()),
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
const hasKey = statement((db, p: { userId: string; storedKey: Uint8Array }) =>
  db
    .selectFrom('credentials')
    .select('user_id')
    .where('user_id', '=', p.userId)
    .where('stored_key', '=', p.storedKey),
);

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
  // Of a new device nothing is read: who looks where others insert would be in the way of every other login.
  const owner = input.isNewDevice ? undefined : yield* first(deviceOwner, { id: session.deviceId });
  if (!input.isNewDevice && owner?.user_id !== session.userId) return { kind: 'foreign-device' };
  if (input.certificate !== undefined) {
    const used = { id: input.certificate, userId: session.userId, now: session.createdAt };
    if (!(yield* useCertificate(used))) return { kind: 'revoked' };
  }
  const gone: SessionId[] = [];
  if (input.isNewDevice) {
    const made = yield* changes(insertDevice, {
      id: session.deviceId,
      userId: session.userId,
      label: session.deviceLabel,
      now: session.createdAt,
    });
    if (made === 0) return { kind: 'foreign-device' };
  } else {
    if (session.deviceLabel !== '') {
      yield* rows(relabelDevice, { id: session.deviceId, label: session.deviceLabel });
    }
    const replaced = yield* first(sessionOnDevice, { deviceId: session.deviceId });
    if (replaced) gone.push(yield* removeSession(replaced.id));
  }
  // A limit of 0 is none (policy).
  if (input.maxPerAccount > 0) {
    const others = yield* rows(beyond, { userId: session.userId, keep: input.maxPerAccount - 1 });
    for (const { id } of others) gone.push(yield* removeSession(id));
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
