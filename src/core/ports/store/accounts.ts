import type { KeyBackup } from '../../e2ee/key-backup.ts';
import type { Account, Verifier } from '../../model/account.ts';
import type { NewCertificate } from '../../model/certificate.ts';
import type { SessionId, UserId } from '../../model/ids.ts';
import type { Admission } from '../../model/invite.ts';
import type { Username } from '../../model/username.ts';
import type { Consent } from './own-data.ts';

/** Accounts, and what their passwords are checked against. */
export interface AccountStore {
  /**
   * Makes an account; one whose admission does not hold is `not-admitted`, whatever it is called. An invite is used once for each
   * account made, and not for those refused.
   */
  createAccount(account: NewAccount): Promise<CreatedAccount>;
  account(username: Username): Promise<Account | undefined>;
  /** True for a name that nobody can have any more: an account's, or that of one that was erased. */
  isNameTaken(username: Username): Promise<boolean>;
  /**
   * Whom an e-mail address leads to, whatever its case: who has confirmed it, or while nobody has, whoever gave it first of those who
   * have it.
   */
  usernameByEmail(email: string): Promise<Username | undefined>;
  credential(username: Username): Promise<{ account: Account; verifier: Verifier } | undefined>;
  /** Puts a verifier in the place of the one with StoredKey `replaces`; false, and nothing done, when that is not the account's any more. */
  replaceVerifier(change: { userId: UserId; replaces: Uint8Array; verifier: Verifier }): Promise<boolean>;
  /**
   * Changes the password: all of {@link CredentialChange} in one step. Answers the sessions that have ended; undefined, and nothing
   * done, when the verifier with StoredKey `replaces` is not the account's any more.
   */
  changeCredential(change: CredentialChange): Promise<SessionId[] | undefined>;
  usernames(page: { after: string; limit: number }): Promise<Username[]>;
}

/** A new account with its verifier. */
export interface NewAccount {
  readonly account: Account;
  readonly verifier: Verifier;
  /** With which its owner logs in; its key must be nobody's. */
  readonly certificate?: NewCertificate | undefined;
  /** True where the owner knows no name besides the address: `taken` when that leads to another account. */
  readonly isNamedByEmail?: boolean | undefined;
  /** What was accepted with it. */
  readonly consent?: Consent | undefined;
  /** Left out where everybody may register. */
  readonly admission?: Admission | undefined;
}

/** What became of a new account. */
export type CreatedAccount =
  | { readonly kind: 'created' }
  | { readonly kind: 'taken'; readonly field: 'username' | 'email' | 'certificate' }
  | { readonly kind: 'not-admitted' };

/** A new verifier and what goes with it: who has seen the password, no other session, and no code that would set another one. */
export interface CredentialChange {
  readonly userId: UserId;
  /** The StoredKey that the old password was proven against. */
  readonly replaces: Uint8Array;
  readonly verifier: Verifier;
  readonly privacy: Account['privacy'];
  /** The backup that takes the place of this version's, sealed anew; without it the one that is there stays, and no password opens it any more. */
  readonly keys?: (KeyBackup & { readonly version: number }) | undefined;
  /** The session that stays; all others of the account end. */
  readonly except: SessionId;
}
