import type * as z from 'zod';
import { toBase64 } from '../../crypto/bytes.ts';
import type { Certificate } from '../../model/certificate.ts';
import { instantText } from '../../model/instant.ts';
import type { listedCertificate } from '../shapes.ts';

/** Spells a certificate for a list. */
export function listed({
  id,
  kind,
  label,
  keyHash,
  createdAt,
  lastUsedAt,
  expiresAt,
  revokedAt,
}: Certificate): z.input<typeof listedCertificate> {
  const orNull = (ms: number | null): string | null => (ms === null ? null : instantText(ms));
  return {
    id,
    kind,
    label,
    fingerprint: `SHA256:${toBase64(keyHash).replace(/=+$/, '')}`,
    created_at: instantText(createdAt),
    last_used_at: orNull(lastUsedAt),
    expires_at: orNull(expiresAt),
    revoked_at: orNull(revokedAt),
  };
}
