import type { SessionId } from '../model/ids.ts';
import type { Peer } from '../peer.ts';
import { freshLoginMs } from '../policy.ts';

/**
 * Logins that were made on their connection a moment ago, with whatever proves an account and not with a token: each may stand once for
 * a fresh proof, so that nobody is asked for the same password, or for a second one-time code, within a minute.
 */
export interface FreshLogins {
  /** Remembers the login that has just given `peer` its session. */
  note(peer: Peer, now: number): void;
  /** Uses it up: true when the session of `peer` was opened there so lately, and this was not asked before. */
  take(peer: Peer, now: number): boolean;
}

/** Builds the fresh logins of one node. */
export function createFreshLogins(): FreshLogins {
  // Weak: a login is fresh on its own connection alone, and ends with it.
  const noted = new WeakMap<Peer, { readonly sessionId: SessionId; readonly endsAt: number }>();

  return {
    note(peer, now) {
      if (peer.session) noted.set(peer, { sessionId: peer.session.id, endsAt: now + freshLoginMs });
    },
    take(peer, now) {
      const entry = noted.get(peer);
      noted.delete(peer);
      return entry !== undefined && peer.session?.id === entry.sessionId && now < entry.endsAt;
    },
  };
}
