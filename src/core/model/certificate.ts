import type { Brand } from './brand.ts';
import type { UserId } from './ids.ts';

/** Names a certificate in lists, a UUID version 7; it proves nothing. */
export type CertificateId = Brand<string, 'CertificateId'>;

/**
 * What a connection's other end has shown at its TLS handshake, in which it has proven that it has the key. Nothing of it is
 * judged yet. Times are UTC milliseconds.
 */
export interface ShownCertificate {
  /** SHA-256 of the public key, DER SPKI. */
  readonly keyHash: Uint8Array;
  /** The first and the last moment of its validity (RFC 5280 4.1.2.5). */
  readonly notBefore: number;
  readonly notAfter: number;
  /** False for a key that somebody could find by computing. */
  readonly isStrong: boolean;
  /** False when it says what it may be used for, and that is something else than logging in. */
  readonly isForClients: boolean;
  /** For one that this server's authority has signed, the name that it was made out to; undefined for one from elsewhere. */
  readonly issuedTo: string | undefined;
}

/** Who signs the certificates of a key: this server, or anybody else (the key alone counts then). */
export type CertificateKind = 'issued' | 'foreign';

/** A key that an account logs in with, and the certificate over it. Times are UTC milliseconds. */
export interface NewCertificate {
  readonly id: CertificateId;
  readonly kind: CertificateKind;
  /** SHA-256 of the public key, DER SPKI. */
  readonly keyHash: Uint8Array;
  /** What its owner calls it; may be empty. */
  readonly label: string;
  readonly createdAt: number;
  /** The end of the latest certificate over the key; null for one from elsewhere, which says it itself. */
  readonly expiresAt: number | null;
}

/** The same, as it is kept. */
export interface Certificate extends NewCertificate {
  readonly userId: UserId;
  readonly lastUsedAt: number | null;
  /** Since when it logs nobody in; null for one that does. */
  readonly revokedAt: number | null;
}
