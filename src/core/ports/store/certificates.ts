import type { Account } from '../../model/account.ts';
import type { Certificate, CertificateId, NewCertificate } from '../../model/certificate.ts';
import type { SessionId, UserId } from '../../model/ids.ts';

/** Certificates that log in. */
export interface CertificateStore {
  /** Whose a key is, revoked or not; undefined for a key that is nobody's. */
  certificateByKey(query: {
    keyHash: Uint8Array;
  }): Promise<{ certificate: Certificate; account: Account } | undefined>;
  /** An account's certificates, in the order in which they were added. */
  certificates(query: { userId: UserId }): Promise<Certificate[]>;
  /** Adds a certificate, or renews the account's own of this key; see {@link AddedCertificate}. */
  addCertificate(certificate: NewCertificateOf): Promise<AddedCertificate>;
  /**
   * Lets nobody log in with a certificate any more, for ever, and ends the sessions that were opened with it; answers those. Undefined, and
   * nothing done, when the account has none of this id that is good.
   */
  revokeCertificate(revocation: {
    id: CertificateId;
    userId: UserId;
    now: number;
  }): Promise<SessionId[] | undefined>;
  /** Deletes certificates of this server's that have expired at `now`, at most 1,000 a call; answers how many. */
  sweepCertificates(sweep: { now: number }): Promise<number>;
}

/** A new certificate, and whose it is. */
export interface NewCertificateOf extends NewCertificate {
  readonly userId: UserId;
  /** A session of the account that goes on by it: it ends with the certificate, like those that were opened with it. */
  readonly session?: SessionId | undefined;
}

/**
 * What became of a certificate that was to be added. `renewed`: the account has one of this server's over that key already, which has a new end
 * now. `taken`: the key is another account's, or another kind's, or revoked. `too-many`: the account has as many as one may have.
 */
export type AddedCertificate =
  | { readonly kind: 'added' | 'renewed'; readonly certificate: Certificate }
  | { readonly kind: 'taken' }
  | { readonly kind: 'too-many' }
  | { readonly kind: 'no-account' };
