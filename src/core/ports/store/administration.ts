import type { Account } from '../../model/account.ts';
import type { SessionId, UserId } from '../../model/ids.ts';
import type { Username } from '../../model/username.ts';

/** What administrators see and do. */
export interface AdministrationStore {
  /** Accounts in order of name. */
  accounts(page: { after: string; limit: number }): Promise<Account[]>;
  /** How much there is. Looks at each account, session and conversation, never at messages. */
  counts(): Promise<StoreCounts>;
  /**
   * Keeps the digest of the code that makes the first administrator, in the place of an older one; false, and none is kept, when there
   * is an administrator.
   */
  offerClaim(offer: { codeHash: Uint8Array }): Promise<boolean>;
  /** Makes an account the first administrator for the code that was offered last, which is used up then; `taken` when there is one already. */
  claimAdministration(claim: {
    codeHash: Uint8Array;
    userId: UserId;
  }): Promise<'claimed' | 'wrong' | 'taken'>;
  /** Makes an account an administrator, or one no more; `last-administrator`, and nothing done, when nobody would be left who can log in. */
  setAdministrator(change: {
    username: Username;
    isAdmin: boolean;
  }): Promise<'done' | 'missing' | 'last-administrator'>;
  /** Lets nobody log in to an account any more and ends all its sessions; refused for the last administrator who can log in. */
  disableAccount(change: { username: Username; now: number }): Promise<DisabledAccount>;
  /** Lets its owner log in again; false when there is no such account. */
  enableAccount(change: { username: Username }): Promise<boolean>;
}

/** How much a store holds. */
export interface StoreCounts {
  readonly accounts: number;
  readonly disabled: number;
  readonly sessions: number;
  readonly rooms: number;
  /** Direct conversations. */
  readonly directs: number;
  /** Sent so far, also those that are gone since. */
  readonly messages: number;
}

/** What became of an account that was to be disabled. */
export type DisabledAccount =
  | { readonly kind: 'disabled'; readonly ended: readonly SessionId[] }
  | { readonly kind: 'missing' }
  | { readonly kind: 'last-administrator' };
