import type { AuditEntry } from '../../audit.ts';
import type { AuditChain } from '../../audit-chain.ts';
import type { ConversationId, SessionId, UserId } from '../../model/ids.ts';
import type { Username } from '../../model/username.ts';

/** Accounts that are erased, messages that expire, and what is left of both in the files. */
export interface ErasureStore {
  /** True when the account administers the server and nobody else does who can log in and stays. */
  isLastAdministrator(query: { userId: UserId }): Promise<boolean>;
  /**
   * Puts an account down to be erased at `dueAt` and ends its sessions. `repeated` when it was put down before: the first time
   * stands. `last-admin` when nobody else would administrate the server.
   */
  requestErasure(wish: { userId: UserId; dueAt: number }): Promise<ErasureRequest>;
  /** Takes that back; false when there was nothing to take back, or when it has begun. */
  cancelErasure(cancel: { userId: UserId }): Promise<boolean>;
  /**
   * Does the next bounded piece of an erasure that is due. What is left is a tombstone: the name, and the places of the messages.
   * A server that was killed goes on where it was. With the last piece the audit trail has a row of it. `skip` are so many that are due
   * for longest and are left alone. What was erased is still to be found in the files until `scrub`.
   */
  eraseNext(step: { now: number; skip: number; chain: AuditChain }): Promise<ErasureStep>;
  /**
   * Takes the text of messages that were sent before `before`, a bounded number of them, from the conversations after `after`.
   * Their places stay. `next` is where to go on; undefined when everything has been looked at. Then `scrub`.
   */
  expireMessages(expire: { before: number; after: ConversationId | undefined }): Promise<ExpiryStep>;
  /**
   * Takes what was erased out of the files, a bounded piece at a time: `from` is the last one's `next`, 0 at first. Without
   * anything erased since the last one it does nothing. A store whose database is on another machine gives the places back to be
   * written over: what its server, its log, replicas and backups still have of the bytes is up to who runs it.
   */
  scrub(piece: { from: number }): Promise<{ next: number | undefined }>;
}

/** What became of the wish to erase an account; `ended` are the sessions that it had. */
export type ErasureRequest =
  | { readonly kind: 'asked' | 'repeated'; readonly dueAt: number; readonly ended: readonly SessionId[] }
  | { readonly kind: 'last-admin' }
  | { readonly kind: 'no-account' };

/** What a piece of an erasure did: `ended` are sessions that the account had got since, `entry` is what the audit trail has got. */
export type ErasureStep =
  | { readonly kind: 'none' }
  | { readonly kind: 'begun'; readonly username: Username; readonly ended: readonly SessionId[] }
  | { readonly kind: 'going-on' }
  | { readonly kind: 'finished'; readonly entry: AuditEntry };

/** What a piece of expiry did. */
export interface ExpiryStep {
  readonly expired: number;
  readonly next: ConversationId | undefined;
}
