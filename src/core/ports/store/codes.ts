import type { Account, Verifier } from '../../model/account.ts';
import type { NewCertificate } from '../../model/certificate.ts';
import type { Code } from '../../model/code.ts';
import type { SessionId, UserId } from '../../model/ids.ts';

/** E-mail addresses, and the codes that confirm one or set a password. */
export interface CodeStore {
  /** Keeps a code in the place of the account's older one of its kind; false when there is no such account. */
  putCode(code: Code): Promise<boolean>;
  /** Whose password a code may set that is alive at `now`; it is not taken. */
  accountOfResetCode(query: { hash: Uint8Array; now: number }): Promise<Account | undefined>;
  /**
   * Takes a code that may set a password and is alive at `now`, with every other such code of its account: the new verifier stands in
   * the old one's place, all certificates are revoked, with `certificate` its key is the account's, and all sessions have ended.
   * Undefined, and nothing done, for every other code, and for a key that is anybody's already; of many at once one succeeds.
   */
  resetPassword(reset: {
    hash: Uint8Array;
    now: number;
    verifier: Verifier;
    privacy: Account['privacy'];
    certificate?: NewCertificate | undefined;
  }): Promise<{ account: Account; ended: SessionId[] } | undefined>;
  /**
   * Gives an account an unconfirmed address in the place of the old one, whose codes are dead; the same one again changes nothing. It leads
   * to this account unless it leads to another one. False when there is no such account.
   */
  setEmail(change: { userId: UserId; email: string }): Promise<boolean>;
  /**
   * Takes a code that confirms the address of `userId` and is alive at `now`: the address leads to this account from then on, whoever gave it
   * before. Undefined, and nothing done, for every other code; `taken`, and nothing done, while another account has it confirmed.
   */
  verifyEmail(take: { hash: Uint8Array; userId: UserId; now: number }): Promise<VerifiedEmail | undefined>;
  /** Deletes codes that are dead at `now`, at most 1,000 a call; answers how many. */
  sweepCodes(sweep: { now: number }): Promise<number>;
}

/** What became of a code that was good. */
export type VerifiedEmail =
  | { readonly kind: 'confirmed'; readonly email: string }
  | { readonly kind: 'taken' };
