import { badToken, ChatError } from './errors.ts';
import type { EndReason } from './events.ts';
import type { SessionId } from './model/ids.ts';
import type { Session } from './model/session.ts';
import type { Username } from './model/username.ts';
import type { Peer } from './peer.ts';
import { type Policy, sessionRecheckMs, touchIntervalMs } from './policy.ts';
import type { Bus } from './ports/bus.ts';
import type { Store } from './ports/store.ts';

/** The sessions that have an open connection on this node, and the rules of their life (security 3). */
export interface Sessions {
  /** Binds a session to a connection; `conflict` when that connection is logged in already. */
  attach(peer: Peer, session: Session): void;
  /** Lets a connection go without ending the session. */
  detach(peer: Peer): void;
  /** The live session of a connection, its use counted; `unauthenticated` when there is none or it has expired. */
  admit(peer: Peer, now: number): Session;
  /** When the token dies if it is not used again: the nearer of idle and absolute, UTC milliseconds. */
  expiresAt(session: Session): number;
  /**
   * Binds the session behind a token that is alive at `now` and, where an owner is named, is that account's;
   * `unauthenticated` with one text for every other token.
   */
  resume(peer: Peer, token: string, now: number, owner?: NamedOwner): Promise<Session>;
  /** Takes over what a refresh or login changed in a session that is open here. */
  renew(session: Session): void;
  /** Tells every node that sessions have ended; their connections are closed, but for `survivor`'s, which is logged out. */
  ended(ids: readonly SessionId[], reason: EndReason, survivor?: Peer): void;
  /** Ends every connection and stops the clocks. */
  stop(): void;
}

/** Whose session a caller says that it is: by name, by id, or both. */
export interface NamedOwner {
  readonly username?: Username | undefined;
  readonly userId?: string | undefined;
}

/** What sessions need from their surroundings. */
export interface SessionsParts {
  readonly store: Pick<Store, 'sessionByToken' | 'touchSession' | 'existingSessions'>;
  readonly bus: Bus;
  readonly policy: Policy;
  readonly digest: (token: string) => Uint8Array | undefined;
  /** Called when a connection gets a session, and when it has none any more. */
  readonly onAttached: (peer: Peer, session: Session) => void;
  readonly onDetached: (peer: Peer, session: Session) => void;
  /** Told of background work that failed. */
  readonly onFailure: (error: unknown) => void;
}

interface Entry {
  session: Session;
  lastUsedAt: number;
  touchedAt: number;
  readonly peers: Set<Peer>;
  timer: ReturnType<typeof setTimeout>;
}

/** Longest delay a timer takes, in milliseconds; a later end is waited for in steps. */
const longestTimerMs = 2_147_483_647;

/** Builds the sessions of one node. */
export function createSessions(parts: SessionsParts): Sessions {
  const { store, bus, policy } = parts;
  const open = new Map<SessionId, Entry>();
  /** What has ended since each resume that is under way asked the store: its answer may be older than that. */
  const underWay = new Set<Set<SessionId>>();
  /** Connections that are listened to for their end. */
  const watched = new WeakSet<Peer>();

  const unsubscribe = bus.subscribe((notice) => {
    if (notice.type !== 'sessions-ended') return;
    for (const id of notice.ids) {
      for (const ended of underWay) ended.add(id);
      close(id, notice.reason);
    }
  });
  // Alone, a node hears of every revocation; among others a notice may be lost.
  const recheck = bus.isShared ? setInterval(() => void checkAll(), sessionRecheckMs) : undefined;

  async function checkAll(): Promise<void> {
    const ids = [...open.keys()];
    if (ids.length === 0) return;
    try {
      const existing = new Set(await store.existingSessions(ids));
      for (const id of ids) if (!existing.has(id)) close(id, 'revoked');
    } catch (error) {
      parts.onFailure(error);
    }
  }

  function endOf(entry: Entry): number {
    return Math.min(entry.lastUsedAt + policy.sessionIdleMs, entry.session.absoluteExpiresAt);
  }

  function arm(id: SessionId, atMs: number): ReturnType<typeof setTimeout> {
    return setTimeout(() => expire(id), Math.min(Math.max(atMs - Date.now(), 0), longestTimerMs));
  }

  function expire(id: SessionId): void {
    const entry = open.get(id);
    if (!entry) return;
    // Use since the timer was set has moved the end: the timer is set again rather than at every call.
    if (Date.now() >= endOf(entry)) close(id, 'expired');
    else entry.timer = arm(id, endOf(entry));
  }

  function close(id: SessionId, reason: EndReason): void {
    const entry = open.get(id);
    if (!entry) return;
    for (const peer of [...entry.peers]) {
      release(entry, peer);
      peer.end(reason);
    }
  }

  function release(entry: Entry, peer: Peer): void {
    entry.peers.delete(peer);
    peer.session = undefined;
    if (entry.peers.size === 0) {
      clearTimeout(entry.timer);
      open.delete(entry.session.id);
    }
    parts.onDetached(peer, entry.session);
  }

  function entryOf(session: Session): Entry {
    const known = open.get(session.id);
    if (known) return known;
    const entry: Entry = {
      session,
      lastUsedAt: session.lastUsedAt,
      touchedAt: session.lastUsedAt,
      peers: new Set(),
      timer: arm(session.id, Math.min(session.lastUsedAt + policy.sessionIdleMs, session.absoluteExpiresAt)),
    };
    open.set(session.id, entry);
    return entry;
  }

  function use(entry: Entry, now: number): void {
    entry.lastUsedAt = Math.max(entry.lastUsedAt, now);
    if (now - entry.touchedAt < touchIntervalMs) return;
    entry.touchedAt = now;
    store.touchSession({ id: entry.session.id, lastUsedAt: now }).catch(parts.onFailure);
  }

  function detach(peer: Peer): void {
    const entry = peer.session && open.get(peer.session.id);
    if (entry) release(entry, peer);
  }

  function attach(peer: Peer, session: Session): void {
    if (peer.session) {
      throw new ChatError('conflict', 'this connection is logged in already');
    }
    if (peer.isGone) return;
    const entry = entryOf(session);
    entry.peers.add(peer);
    peer.session = entry.session;
    parts.onAttached(peer, entry.session);
    // Once for each connection, however often it logs in and out.
    if (watched.has(peer)) return;
    watched.add(peer);
    peer.onGone(() => detach(peer));
  }

  return {
    attach,
    detach,
    admit(peer, now) {
      const entry = peer.session && open.get(peer.session.id);
      if (!entry) throw new ChatError('unauthenticated', 'log in first');
      if (now >= endOf(entry)) {
        close(entry.session.id, 'expired');
        throw badToken();
      }
      use(entry, now);
      return entry.session;
    },
    expiresAt(session) {
      const lastUsedAt = open.get(session.id)?.lastUsedAt ?? session.lastUsedAt;
      return Math.min(lastUsedAt + policy.sessionIdleMs, session.absoluteExpiresAt);
    },
    async resume(peer, token, now, owner = {}) {
      const digest = parts.digest(token);
      if (!digest) throw badToken();
      const ended = new Set<SessionId>();
      underWay.add(ended);
      try {
        const session = await store.sessionByToken(digest);
        if (!session || ended.has(session.id)) throw badToken();
        if (!isOwner(owner, session)) throw badToken();
        // What is open here was used later than the store has heard.
        const lastUsedAt = Math.max(session.lastUsedAt, open.get(session.id)?.lastUsedAt ?? 0);
        if (now >= Math.min(lastUsedAt + policy.sessionIdleMs, session.absoluteExpiresAt)) throw badToken();
        // Nothing is awaited from here on: a session that ends after this finds its connection.
        attach(peer, session);
        const entry = open.get(session.id);
        if (entry) use(entry, now);
        return { ...session, lastUsedAt: now };
      } finally {
        underWay.delete(ended);
      }
    },
    renew(session) {
      const entry = open.get(session.id);
      if (!entry) return;
      entry.session = session;
      entry.lastUsedAt = Math.max(entry.lastUsedAt, session.lastUsedAt);
      for (const peer of entry.peers) peer.session = session;
      clearTimeout(entry.timer);
      entry.timer = arm(session.id, endOf(entry));
    },
    ended(ids, reason, survivor) {
      if (survivor?.session && ids.includes(survivor.session.id)) detach(survivor);
      if (ids.length > 0) bus.publish({ type: 'sessions-ended', ids, reason });
    },
    stop() {
      unsubscribe();
      clearInterval(recheck);
      for (const id of [...open.keys()]) close(id, 'shutting-down');
    },
  };
}

function isOwner({ username, userId }: NamedOwner, session: Session): boolean {
  if (username !== undefined && username !== session.username) return false;
  return userId === undefined || userId === session.userId;
}
