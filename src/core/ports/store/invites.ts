import type { Admission, Invite, InviteId, NewInvite } from '../../model/invite.ts';

/** Invites, and whom they let in. */
export interface InviteStore {
  /** Keeps an invite, and forgets those that are used up or over; one by somebody who has been erased since is not kept. */
  createInvite(invite: NewInvite): Promise<void>;
  /** Invites that are alive at `now`, in the order in which they were made. */
  invites(page: { after: string; limit: number; now: number }): Promise<Invite[]>;
  /** Takes an invite back; false when there is none of this id. */
  revokeInvite(revoke: { id: InviteId }): Promise<boolean>;
  /** True when a code would let a registration in. */
  isAdmitted(admission: Admission): Promise<boolean>;
}
