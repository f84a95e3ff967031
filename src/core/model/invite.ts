import type { Brand } from './brand.ts';
import type { UserId } from './ids.ts';
import type { Username } from './username.ts';

/** Names an invite in lists; it admits nobody. */
export type InviteId = Brand<string, 'InviteId'>;

/** A code with which accounts can be made where not everybody may; times are UTC milliseconds. */
export interface NewInvite {
  readonly id: InviteId;
  /** SHA-256 of its code. */
  readonly codeHash: Uint8Array;
  readonly by: UserId;
  readonly createdAt: number;
  readonly expiresAt: number;
  /** How many accounts it is good for. */
  readonly uses: number;
}

/** An invite as administrators see it: its code was shown once, when it was made. */
export interface Invite extends Omit<NewInvite, 'codeHash' | 'by'> {
  /** Who made it; null when there is no such account any more. */
  readonly by: Username | null;
  readonly usesLeft: number;
}

/** What lets a registration in where not everybody may register: a code that somebody has brought. */
export interface Admission {
  /** SHA-256 of the code. */
  readonly codeHash: Uint8Array;
  /** True when invites count; the code for the first administrator always does. */
  readonly takesInvites: boolean;
  /** UTC milliseconds. */
  readonly now: number;
}
