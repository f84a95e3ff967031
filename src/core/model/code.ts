import type { UserId } from './ids.ts';

/** What a one-time code is for: to confirm an e-mail address, or to set a new password, by mail or by an administrator's word. */
export type CodeKind = 'verify-email' | 'reset-by-mail' | 'reset-by-admin';

/** A one-time code of an account, as the store keeps it: its digest alone. */
export interface Code {
  /** SHA-256 of the code. */
  readonly hash: Uint8Array;
  readonly kind: CodeKind;
  readonly userId: UserId;
  /** The address that it was sent to; null for one that was not. */
  readonly email: string | null;
  /** Dead from then on, UTC milliseconds. */
  readonly expiresAt: number;
}
