import type { StretchInput } from '../crypto/stretch.ts';

/** For whom a password is stretched. */
export interface StretchRequest {
  /** What the work is counted by: the caller's address, so that one of them cannot take every place. */
  readonly owner: string;
  /** Asked before the work begins: nobody is left to answer to when it says false. */
  readonly isWanted: () => boolean;
}

/**
 * Makes AuthSecrets of passwords that the server was shown, away from the thread that serves everybody (security 1.9).
 * Throws `unavailable` with a time to wait when too many are waiting, `rate-limited` when too many of one owner are,
 * and `unavailable` for work that nobody wants any more.
 */
export interface PasswordStretcher {
  stretch(input: StretchInput, request: StretchRequest): Promise<Uint8Array>;
}
