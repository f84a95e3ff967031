import type { ChatError } from '../errors.ts';
import type { Account, Verifier } from '../model/account.ts';
import type { CertificateId } from '../model/certificate.ts';

/** The device a client names at login: one it was given before, a label for a new one, or neither. */
export interface DeviceClaim {
  readonly id?: string | undefined;
  readonly label?: string | undefined;
  /** What a new one is called that has no label. */
  readonly default_label?: string | undefined;
}

/** Whom a login was found to belong to, as it was read for it, and what is answered when there is no such account any more. */
export interface Proven {
  readonly account: Account;
  /** What the secret fitted; where none was shown, what the account has. */
  readonly verifier: Verifier;
  /** What was shown instead of a secret. */
  readonly certificate?: CertificateId | undefined;
  readonly refusal: () => ChatError;
}

/** How a session is to be opened. */
export interface SessionWishes {
  readonly device?: DeviceClaim | undefined;
  /** The second factor's code, as it was typed. */
  readonly otp?: string | undefined;
  /** For doors that hand out no token: nobody could come back to the session. */
  readonly endsWithConnection?: boolean;
  /** The StoredKey that the account was proven against; what has been changed since lets nobody in. */
  readonly provenKey?: Uint8Array | undefined;
  /** The certificate that the account was proven with; one that has been revoked since lets nobody in. */
  readonly certificate?: CertificateId | undefined;
}
