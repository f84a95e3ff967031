import type { UserId } from '../model/ids.ts';
import type { Username } from '../model/username.ts';
import type { Peer } from '../peer.ts';
import { everything, type Reader } from './followers.ts';

/** The connections of one node that follow anything, or will. */
export interface Readers {
  /** A connection as a reader, from its first time on; throws for one that is not logged in or takes no events: a bug. */
  of(peer: Peer): Reader;
  /** A connection as a reader, if it has become one. */
  known(peer: Peer): Reader | undefined;
  /** The readers of one user; undefined when there are none. */
  ofUser(user: Username): ReadonlySet<Reader> | undefined;
  /** The readers of an account, under whatever name; it looks at all of them. */
  ofAccount(userId: UserId): Reader[];
  all(): Iterable<Reader>;
  count(): number;
  forget(reader: Reader): void;
}

/** Makes the list of readers of one node. */
export function createReaders(): Readers {
  const byPeer = new Map<Peer, Reader>();
  const byUser = new Map<Username, Set<Reader>>();

  return {
    of(peer) {
      const known = byPeer.get(peer);
      if (known) return known;
      const { session, events } = peer;
      if (!session || !events) throw new Error('only a logged-in connection that takes events can follow');
      const reader: Reader = {
        peer,
        userId: session.userId,
        username: session.username,
        codec: events,
        followers: new Map(),
        newOnes: 'ignored',
        taste: everything,
        held: new Map(),
        left: new Set(),
        given: new Map(),
        unwanted: new Set(),
        pages: 0,
        waiting: [],
      };
      byPeer.set(peer, reader);
      const ofUser = byUser.get(reader.username) ?? new Set();
      byUser.set(reader.username, ofUser.add(reader));
      return reader;
    },
    known: (peer) => byPeer.get(peer),
    ofUser: (user) => byUser.get(user),
    ofAccount: (userId) => [...byPeer.values()].filter((reader) => reader.userId === userId),
    all: () => byPeer.values(),
    count: () => byPeer.size,
    forget({ peer, username }) {
      const reader = byPeer.get(peer);
      if (!reader) return;
      byPeer.delete(peer);
      const ofUser = byUser.get(username);
      ofUser?.delete(reader);
      if (ofUser?.size === 0) byUser.delete(username);
    },
  };
}
