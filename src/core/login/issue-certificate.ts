import { ChatError } from '../errors.ts';
import type { CertificateId, NewCertificate } from '../model/certificate.ts';
import type { Username } from '../model/username.ts';
import type { CallContext } from '../operation.ts';
import { certificateMs } from '../policy.ts';
import type { CertificateAuthority, SigningRequest } from '../ports/certificate-authority.ts';
import { uuidV7 } from '../random.ts';
import { unfitness } from './judge-certificate.ts';

/** A certificate that was signed and is good for nothing until it is kept. */
export interface SignedCertificate {
  readonly entry: NewCertificate & { readonly expiresAt: number };
  /** PEM. */
  readonly certificate: string;
  readonly authority: string;
}

/** The server's authority; `unsupported` where there is none. */
export function authorityOf({ services }: Pick<CallContext, 'services'>): CertificateAuthority {
  if (services.authority) return services.authority;
  throw new ChatError('unsupported', 'this server signs no certificates');
}

/** Signs a certificate for an account over the key of a request that was read. */
export async function signCertificate(
  context: Pick<CallContext, 'services' | 'now'>,
  order: { readonly request: SigningRequest; readonly username: Username; readonly label: string },
): Promise<SignedCertificate> {
  const { request, username, label } = order;
  const { now } = context;
  const issued = await authorityOf(context).issue({ request, username, now, validMs: certificateMs });
  const { certificate, authority, expiresAt } = issued;
  const id = uuidV7() as CertificateId;
  const entry = { id, kind: 'issued', keyHash: request.keyHash, label, createdAt: now, expiresAt } as const;
  return { entry, certificate, authority };
}

/** Spells one for its owner. */
export function issuedAnswer({ entry, certificate, authority }: SignedCertificate, id = entry.id) {
  return { id, certificate, authority, expires_at: new Date(entry.expiresAt).toISOString() };
}

/**
 * The certificate that this connection has shown, to be made an account's by its key, whoever has signed it. Showing it has proven the
 * key, so that nobody takes another's. Throws `invalid` when there is none that could log in.
 */
export function shownForKeeps(
  { peer, now }: Pick<CallContext, 'peer' | 'now'>,
  label: string,
): NewCertificate {
  const shown = peer.channel.certificate?.();
  if (!shown || unfitness(shown, now) !== undefined || shown.issuedTo !== undefined) {
    throw new ChatError(
      'invalid',
      'certificate: this connection has shown none that could be taken: one of your own, in its time, for clients, and over a strong key',
      { field: 'certificate' },
    );
  }
  const id = uuidV7() as CertificateId;
  return { id, kind: 'foreign', keyHash: shown.keyHash, label, createdAt: now, expiresAt: null };
}

/** For a key that is anybody's already, also the own account's in another way, and also when it was revoked. */
export function keyTaken(): ChatError {
  return new ChatError('conflict', 'certificate: its key belongs to an account already: make another key', {
    field: 'certificate',
  });
}
