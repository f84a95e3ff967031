import type { OutputOf } from '../core/operations/index.ts';
import { lineTime } from './message-text.ts';

/** A certificate as lists have it. */
export type ListedCertificate = OutputOf<'admin.certificates'>['certificates'][number] & {
  readonly current?: boolean;
};

/** A row of a list: id, name, what it is, fingerprint of the key, beginning, last use, end, and what there is to know besides. */
export function certificateRow(certificate: ListedCertificate): string[] {
  const { id, label, kind, fingerprint, created_at, last_used_at, expires_at, revoked_at } = certificate;
  const orDash = (instant: string | null): string => (instant === null ? '-' : lineTime(instant));
  return [
    id,
    label === '' ? '-' : label,
    kind === 'foreign' ? 'foreign certificate' : 'certificate',
    fingerprint,
    lineTime(created_at),
    orDash(last_used_at),
    orDash(expires_at),
    revoked_at === null ? (certificate.current === true ? 'this one' : '') : 'revoked',
  ];
}
