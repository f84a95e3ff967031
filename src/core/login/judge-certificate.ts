import type { Account } from '../model/account.ts';
import type { Certificate, ShownCertificate } from '../model/certificate.ts';
import type { Username } from '../model/username.ts';
import type { CallContext } from '../operation.ts';

/** Why a certificate logs nobody in to an account: for the audit trail alone, its caller hears one text for all of them. */
export type CertificateFault =
  | 'none-shown'
  | 'not-yet-valid'
  | 'expired'
  | 'wrong-use'
  | 'weak-key'
  | 'unknown-key'
  | 'unknown-authority'
  | 'wrong-user'
  | 'revoked';

/** What is thought of the certificate that a connection has shown. */
export type JudgedCertificate =
  | { readonly kind: 'good'; readonly certificate: Certificate; readonly account: Account }
  | { readonly kind: 'bad'; readonly fault: CertificateFault };

/** Stands for the key of who has shown none, so that the store is asked the same. */
const noKey = new Uint8Array(32);

/**
 * Judges the certificate of this very connection for an account, anew each time (security 2): its time, its use, whose key it is, and for
 * one of ours who has signed it and for whom. What TLS thinks of its chain is not asked: a resumed session was seen to pass there.
 */
export async function judgeCertificate(
  { services, peer, now }: Pick<CallContext, 'services' | 'peer' | 'now'>,
  username: Username,
): Promise<JudgedCertificate> {
  const shown = peer.channel.certificate?.();
  const known = await services.store.certificateByKey({ keyHash: shown?.keyHash ?? noKey });
  if (!shown) return { kind: 'bad', fault: 'none-shown' };
  const fault = unfitness(shown, now) ?? (known ? misfit(shown, known, username) : ('unknown-key' as const));
  return fault || !known ? { kind: 'bad', fault: fault ?? 'unknown-key' } : { kind: 'good', ...known };
}

/** Why a certificate logs nobody in to any account now. */
export function unfitness(shown: ShownCertificate, now: number): CertificateFault | undefined {
  if (now < shown.notBefore) return 'not-yet-valid';
  if (now > shown.notAfter) return 'expired';
  if (!shown.isForClients) return 'wrong-use';
  return shown.isStrong ? undefined : 'weak-key';
}

function misfit(
  { issuedTo }: ShownCertificate,
  { certificate, account }: { readonly certificate: Certificate; readonly account: Account },
  username: Username,
): CertificateFault | undefined {
  // Whoever has the key could sign one for himself that does not end.
  if (certificate.kind === 'issued' && issuedTo === undefined) return 'unknown-authority';
  if (issuedTo !== undefined && issuedTo !== account.username) return 'wrong-user';
  if (account.username !== username) return 'wrong-user';
  return certificate.revokedAt === null ? undefined : 'revoked';
}
