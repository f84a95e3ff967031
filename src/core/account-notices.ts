import type { ChatEvent, EventCodec } from './events.ts';
import type { SessionId } from './model/ids.ts';
import type { Session } from './model/session.ts';
import type { Username } from './model/username.ts';
import type { Peer } from './peer.ts';
import { maxQueuedBytes } from './policy.ts';
import type { Bus } from './ports/bus.ts';

/** What the sessions of an account are told of what happens to it elsewhere. */
export type AccountNotice = Extract<ChatEvent, { type: 'account-notice' }>;

/** Tells an account's connections, on every node, of logins that its owner may know nothing of (security 3; spec 4.3). */
export interface AccountNotices {
  arrived(peer: Peer, session: Session): void;
  left(peer: Peer, session: Session): void;
  /** Tells every connection of `user` but those of the session `except`. A name that nobody has is nobody to tell. */
  tell(user: string, notice: AccountNotice, except?: SessionId): void;
  /** Hears no more of other nodes. */
  stop(): void;
}

/** Builds the notices of one node. */
export function createAccountNotices(bus: Bus): AccountNotices {
  const byUser = new Map<Username, Set<Peer>>();

  const unsubscribe = bus.subscribe((notice) => {
    if (notice.type !== 'account-notice') return;
    const encoded = new Map<EventCodec, Uint8Array>();
    for (const peer of byUser.get(notice.user as Username) ?? []) {
      if (!peer.events || peer.session?.id === notice.except) continue;
      // Who reads nothing is not to be filled up by somebody else's logins.
      if (peer.queuedBytes > maxQueuedBytes) continue;
      const bytes = encoded.get(peer.events) ?? peer.events.encode([notice.event]);
      encoded.set(peer.events, bytes);
      if (bytes.length > 0) peer.push(bytes);
    }
  });

  return {
    arrived(peer, { username }) {
      if (!peer.events) return;
      const peers = byUser.get(username) ?? new Set();
      byUser.set(username, peers.add(peer));
    },
    left(peer, { username }) {
      const peers = byUser.get(username);
      if (peers?.delete(peer) && peers.size === 0) byUser.delete(username);
    },
    tell: (user, event, except) => bus.publish({ type: 'account-notice', user, except, event }),
    stop: unsubscribe,
  };
}
