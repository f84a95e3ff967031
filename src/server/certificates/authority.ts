import { createHash, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { ChatError } from '../../core/errors.ts';
import type { ShownCertificate } from '../../core/model/certificate.ts';
import type { CertificateAuthority } from '../../core/ports/certificate-authority.ts';

/** The server's own authority: its key, and its certificate in PEM. */
export interface AuthorityCredential {
  readonly key: KeyObject;
  readonly certificate: string;
}

/** Signs for people what {@link readShown} knows again. `current` answers the authority as it is now. */
export function certificateAuthority(current: () => AuthorityCredential): CertificateAuthority {
  return {
    async readRequest(pem) {
      if (!/^\s*-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----/.test(pem))
        throw badRequest('it is not one in PEM');
      const { readSigningRequest } = await import('./make.ts');
      const publicKey = await readSigningRequest(pem);
      if (!publicKey) throw badRequest('it is damaged, or was not signed with its own key');
      const key = createPublicKey({ key: Buffer.from(publicKey), type: 'spki', format: 'der' });
      if (!isStrong(key)) {
        throw badRequest('its key is none of P-256, P-384, P-521, Ed25519, and RSA of 2048 to 8192 bits');
      }
      return { publicKey, keyHash: sha256(publicKey) };
    },
    async issue({ request, username, now, validMs }) {
      const { key, certificate: authority } = current();
      const { makeClientCertificate } = await import('./make.ts');
      const made = await makeClientCertificate({
        publicKey: request.publicKey,
        authorityKey: key,
        authority,
        username,
        now,
        validMs,
      });
      return { certificate: `${made.toString('pem')}\n`, authority, expiresAt: made.notAfter.getTime() };
    },
  };
}

/** What RFC 5280 4.2.1.12 calls clientAuth, and what stands for every use. */
const clientUses: readonly string[] = ['1.3.6.1.5.5.7.3.2', '2.5.29.37.0'];

/** Takes a certificate apart that somebody has shown, and says whether `authority` has signed it; judges nothing else. */
export function readShown(certificate: X509Certificate, authority: AuthorityCredential): ShownCertificate {
  // Node calls the extended uses so; one without them may be used for everything.
  const uses = certificate.keyUsage as readonly string[] | undefined;
  return {
    keyHash: sha256(certificate.publicKey.export({ type: 'spki', format: 'der' })),
    notBefore: certificate.validFromDate.getTime(),
    notAfter: certificate.validToDate.getTime(),
    isStrong: isStrong(certificate.publicKey),
    isForClients: uses === undefined || uses.some((use) => clientUses.includes(use)),
    issuedTo: isSignedBy(certificate, authority) ? nameOf(certificate) : undefined,
  };
}

/** By the key, which outlives the authority's own certificate. */
function isSignedBy(certificate: X509Certificate, authority: AuthorityCredential): boolean {
  const { subject } = new X509Certificate(authority.certificate);
  return certificate.issuer === subject && certificate.verify(createPublicKey(authority.key));
}

/** What this server has signed for a person has one name and nothing else; every other subject is nobody's name. */
function nameOf({ subject }: X509Certificate): string {
  return /^CN=([a-z0-9._-]+)$/.exec(subject)?.[1] ?? '';
}

/** Curves and lengths that are enough for the life of a certificate, and an exponent that costs nobody much to check. */
function isStrong({ asymmetricKeyType: type, asymmetricKeyDetails: details = {} }: KeyObject): boolean {
  const { namedCurve = '', modulusLength = 0, publicExponent = 0n } = details;
  if (type === 'ed25519') return true;
  if (type === 'ec') return ['prime256v1', 'secp384r1', 'secp521r1'].includes(namedCurve);
  return type === 'rsa' && modulusLength >= 2_048 && modulusLength <= 8_192 && publicExponent < 2n ** 64n;
}

function sha256(data: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(data).digest());
}

function badRequest(why: string): ChatError {
  return new ChatError('invalid', `request: a certificate request (PKCS#10) is expected: ${why}`, {
    field: 'request',
  });
}
