import type { UserId } from './ids.ts';
import type { Username } from './username.ts';

/**
 * How an account's password is kept from the server (security 1.10): `private` was never shown to it, `open` was; `certificate` says that
 * there is none, and that certificates alone log in.
 */
export const privacies = ['private', 'open', 'certificate'] as const;
/** One of {@link privacies}. */
export type Privacy = (typeof privacies)[number];

/** An account without its secrets. */
export interface Account {
  readonly id: UserId;
  readonly username: Username;
  readonly email: string | null;
  /** When the address was confirmed, UTC milliseconds; null while anybody may have given it. */
  readonly emailVerifiedAt: number | null;
  readonly privacy: Privacy;
  readonly isAdmin: boolean;
  /** Since when nobody may log in to it, UTC milliseconds; null for an account that may be used. */
  readonly disabledAt: number | null;
  /** True when a login needs a code besides its secret (security 4). */
  readonly hasSecondFactor: boolean;
  /** When an administrator took its second factor away, UTC milliseconds; it has had none since. */
  readonly factorTakenAt?: number | undefined;
  readonly createdAt: number;
  /** When it is to be erased, UTC milliseconds; its owner can still change that. */
  readonly erasesAt?: number | undefined;
}

/** What the server keeps instead of a password (security 1.3): neither key alone is enough to log in. */
export interface Verifier {
  readonly suite: string;
  /** 16 bytes. */
  readonly salt: Uint8Array;
  /** bcrypt's cost, 10..14. */
  readonly cost: number;
  /** 32 bytes, SHA-256 of the client's key. */
  readonly storedKey: Uint8Array;
  /** 32 bytes. */
  readonly serverKey: Uint8Array;
}
