import type { NewCertificateOf } from '../../../core/ports/store/certificates.ts';
import { changes, first, type Query, rows, statement } from '../statement.ts';

const ofKey = statement((db, p: { keyHash: Uint8Array }) =>
  db.selectFrom('certificates').select('id').where('key_hash', '=', p.keyHash),
);
const insert = statement((db, p: NewCertificateOf) =>
  db.insertInto('certificates').values({
    id: p.id,
    user_id: p.userId,
    key_hash: p.keyHash,
    kind: p.kind,
    label: p.label,
    created_at: p.createdAt,
    expires_at: p.expiresAt,
    last_used_at: null,
    revoked_at: null,
  }),
);
const use = statement((db, p: { id: string; userId: string; now: number }) =>
  db
    .updateTable('certificates')
    .set({ last_used_at: p.now })
    .where('id', '=', p.id)
    .where('user_id', '=', p.userId)
    .where('revoked_at', 'is', null),
);

/** True for a key that is some account's, revoked or not: it is nobody else's any more. */
export function* isKeyTaken(keyHash: Uint8Array): Query<boolean> {
  return (yield* first(ofKey, { keyHash })) !== undefined;
}

/** Makes a key an account's, which nobody has yet. */
export function* bindKey(certificate: NewCertificateOf): Query<void> {
  yield* rows(insert, certificate);
}

/** Notes that an account logs in with a certificate; false when it may not any more. */
export function* useCertificate(used: { id: string; userId: string; now: number }): Query<boolean> {
  return (yield* changes(use, used)) === 1;
}
