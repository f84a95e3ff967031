import type { Username } from '../model/username.ts';

/** A request for a certificate (PKCS#10, RFC 2986) whose own signature is right: its sender has the key. */
export interface SigningRequest {
  /** SHA-256 of the public key, DER SPKI. */
  readonly keyHash: Uint8Array;
  /** DER. */
  readonly publicKey: Uint8Array;
}

/** A certificate as its owner gets it. */
export interface IssuedCertificate {
  /** PEM. */
  readonly certificate: string;
  /** Of who signed it, PEM. */
  readonly authority: string;
  /** The last moment of its validity, UTC milliseconds. */
  readonly expiresAt: number;
}

/** Signs the certificates with which people log in to this server. */
export interface CertificateAuthority {
  /** Takes a request in PEM; `invalid` naming `request` for anything else, for a wrong signature and for a weak key. */
  readRequest(pem: string): Promise<SigningRequest>;
  /**
   * Signs a certificate over the request's key: for `username`, and for logging in alone. Whatever else the request asks for is not
   * looked at.
   */
  issue(order: {
    readonly request: SigningRequest;
    readonly username: Username;
    /** UTC milliseconds. */
    readonly now: number;
    readonly validMs: number;
  }): Promise<IssuedCertificate>;
}
