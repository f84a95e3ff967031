import type { Account } from '../../../core/model/account.ts';
import type { Certificate, CertificateId } from '../../../core/model/certificate.ts';
import type { SessionId, UserId } from '../../../core/model/ids.ts';
import { maxCertificatesPerAccount } from '../../../core/policy.ts';
import type { AddedCertificate, NewCertificateOf } from '../../../core/ports/store/certificates.ts';
import type { CertificateRow } from '../schema.ts';
import { changes, first, type Query, rows, statement } from '../statement.ts';
import { accountById } from './accounts.ts';
import { bindKey } from './certificate-keys.ts';
import { endSessionsOfCertificate } from './end-sessions.ts';

const columns = [
  'id',
  'user_id',
  'key_hash',
  'kind',
  'label',
  'created_at',
  'expires_at',
  'last_used_at',
  'revoked_at',
] as const;
const byKey = statement((db, p: { keyHash: Uint8Array }) =>
  db.selectFrom('certificates').select(columns).where('key_hash', '=', p.keyHash),
);
const ofUser = statement((db, p: { userId: string }) =>
  db
    .selectFrom('certificates')
    .select(columns)
    .where('user_id', '=', p.userId)
    .orderBy('created_at')
    .orderBy('id'),
);
const renew = statement((db, p: { id: string; expiresAt: number | null }) =>
  db.updateTable('certificates').set({ expires_at: p.expiresAt }).where('id', '=', p.id),
);
const revoke = statement((db, p: { id: string; userId: string; now: number }) =>
  db
    .updateTable('certificates')
    .set({ revoked_at: p.now })
    .where('id', '=', p.id)
    .where('user_id', '=', p.userId)
    .where('revoked_at', 'is', null),
);
const revokeAll = statement((db, p: { userId: string; now: number }) =>
  db
    .updateTable('certificates')
    .set({ revoked_at: p.now })
    .where('user_id', '=', p.userId)
    .where('revoked_at', 'is', null),
);
const expired = statement((db, p: { now: number; limit: number }) =>
  db.selectFrom('certificates').select('id').where('expires_at', '<', p.now).limit(p.limit),
);
const remove = statement((db, p: { id: string }) => db.deleteFrom('certificates').where('id', '=', p.id));

/** What one sweep takes at most. */
const sweptAtOnce = 1_000;

const goOnBy = statement((db, p: { session: string; userId: string; id: string }) =>
  db
    .updateTable('sessions')
    .set({ certificate_id: p.id })
    .where('id', '=', p.session)
    .where('user_id', '=', p.userId),
);

/** Store.certificateByKey */
export function* certificateByKey({
  keyHash,
}: {
  keyHash: Uint8Array;
}): Query<{ certificate: Certificate; account: Account } | undefined> {
  const row = yield* first(byKey, { keyHash });
  const account = row && (yield* accountById(row.user_id));
  return account && { certificate: certificateOf(row), account };
}

/** Store.certificates */
export function* certificates({ userId }: { userId: UserId }): Query<Certificate[]> {
  return (yield* rows(ofUser, { userId })).map(certificateOf);
}

/** Store.addCertificate */
export function* addCertificate(certificate: NewCertificateOf): Query<AddedCertificate> {
  const { userId, keyHash, kind, expiresAt } = certificate;
  if (!(yield* accountById(userId))) return { kind: 'no-account' };
  const known = yield* first(byKey, { keyHash });
  if (known) {
    const isRenewal =
      known.user_id === userId && known.kind === 'issued' && kind === 'issued' && known.revoked_at === null;
    if (!isRenewal) return { kind: 'taken' };
    yield* rows(renew, { id: known.id, expiresAt });
    return { kind: 'renewed', certificate: { ...certificateOf(known), expiresAt } };
  }
  if ((yield* rows(ofUser, { userId })).length >= maxCertificatesPerAccount) return { kind: 'too-many' };
  const { session, ...added } = certificate;
  yield* bindKey(added);
  if (session !== undefined) yield* rows(goOnBy, { session, userId, id: certificate.id });
  return { kind: 'added', certificate: { ...added, lastUsedAt: null, revokedAt: null } };
}

/** Store.revokeCertificate */
export function* revokeCertificate(revocation: {
  id: CertificateId;
  userId: UserId;
  now: number;
}): Query<SessionId[] | undefined> {
  const { id, userId } = revocation;
  if ((yield* changes(revoke, revocation)) === 0) return undefined;
  return yield* endSessionsOfCertificate({ id, userId });
}

/** Revokes everything that an account logs in with besides its password. */
export function* revokeCertificates(revocation: { userId: UserId; now: number }): Query<void> {
  yield* rows(revokeAll, revocation);
}

/** Store.sweepCertificates */
export function* sweepCertificates({ now }: { now: number }): Query<number> {
  const dead = yield* rows(expired, { now, limit: sweptAtOnce });
  for (const { id } of dead) yield* rows(remove, { id });
  return dead.length;
}

function certificateOf(row: CertificateRow): Certificate {
  return {
    id: row.id as CertificateId,
    userId: row.user_id as UserId,
    kind: row.kind,
    keyHash: row.key_hash,
    label: row.label,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
    revokedAt: row.revoked_at,
  };
}
