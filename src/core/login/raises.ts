import type { SessionId } from '../model/ids.ts';
import type { Peer } from '../peer.ts';
import { raiseMs } from '../policy.ts';

/** What a login at an old cost was asked for: a verifier made anew, with this salt at this cost (security 1.8). */
export interface Raise {
  /** The session that the login opened: no other may answer. */
  readonly sessionId: SessionId;
  /** 16 bytes, the name's own at this cost: what is sent can have been made for no other name and no other cost. */
  readonly salt: Uint8Array;
  readonly cost: number;
  /** The old verifier's StoredKey: one that came into its place meanwhile is not overwritten. */
  readonly replaces: Uint8Array;
}

/** Raises that were asked for and not answered yet: one for each connection, one try, dead after `raiseMs`. */
export interface Raises {
  /** Remembers what a login on `peer` was asked for, in place of what was asked there before. */
  ask(peer: Peer, raise: Raise, now: number): void;
  /** Gives it out once; undefined when nothing was asked there, or too long ago. */
  take(peer: Peer, now: number): Raise | undefined;
}

/** Builds the raises of one node. */
export function createRaises(): Raises {
  // Weak: what was asked of a connection ends with it.
  const asked = new WeakMap<Peer, { readonly raise: Raise; readonly endsAt: number }>();

  return {
    ask(peer, raise, now) {
      asked.set(peer, { raise, endsAt: now + raiseMs });
    },
    take(peer, now) {
      const entry = asked.get(peer);
      asked.delete(peer);
      return entry && now < entry.endsAt ? entry.raise : undefined;
    },
  };
}
