import { badToken, ChatError } from './errors.ts';
import type { EndReason } from './events.ts';
import type { SessionId } from './model/ids.ts';
import type { Session } from './model/session.ts';
import type { Username } from './model/username.ts';
import type { Peer } from './peer.ts';
import { type Policy, sharedSessions, touchIntervalMs } from './policy.ts';
import type { Bus } from './ports/bus.ts';
import type { CachedSession, SessionCache } from './ports/session-cache.ts';
import type { Store } from './ports/store.ts';
import { createSessionLookup } from './session-lookup.ts';

/** The sessions that are used on this node, and the rules of their life (security 3). */
export interface Sessions {
  /**
   * Binds a session that was just opened to its connection; `conflict` when that one is logged in already, `unauthenticated` when the
   * session has ended meanwhile.
   */
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
  /**
   * Takes over what a refresh, a new CSRF token or a second factor has changed in a session: no cache and no connection goes on with
   * what was before, here or elsewhere.
   */
  renew(session: Session): void;
  /**
   * Sessions that the store has ended die here at once and, by a notice, on every node; their connections are closed, but for the
   * survivor's, which is logged out.
   */
  ended(ids: readonly SessionId[], reason: EndReason, about?: EndedSessions): void;
  /** Connections and requests under way that have a session. */
  readonly attached: number;
  /** Ends every connection and stops the clocks. */
  stop(): void;
}

/** What is known about sessions that have ended. */
export interface EndedSessions {
  /** The connection that ended them and stays. */
  readonly survivor?: Peer;
  /** Whose they were. */
  readonly of?: Username;
}

/** Whose session a caller says that it is: by name, by id, or both. */
export interface NamedOwner {
  readonly username?: Username | undefined;
  readonly userId?: string | undefined;
}

/** What sessions need from their surroundings. */
export interface SessionsParts {
  readonly store: Pick<Store, 'sessionByToken' | 'touchSession' | 'existingSessions'>;
  /** Where sessions are looked for before the store is asked, the nearest first. */
  readonly caches: readonly SessionCache[];
  readonly bus: Bus;
  readonly policy: Policy;
  readonly digest: (token: string) => Uint8Array | undefined;
  /** Called when a connection gets a session, and when it has none any more. */
  readonly onAttached: (peer: Peer, session: Session) => void;
  readonly onDetached: (peer: Peer, session: Session) => void;
  /** Told once of each session that ended by something else than its own logout, with whose it was if that is known here. */
  readonly onEnded: (id: SessionId, reason: EndReason, of: Session | Username | undefined) => void;
  /** Told of background work that failed. */
  readonly onFailure: (error: unknown) => void;
}

/** A session that was used here a short while ago, or has a connection. */
interface Entry {
  session: Session;
  /** When the store was asked for `session`; of two rows the newer one holds. */
  readAt: number;
  lastUsedAt: number;
  /** The last use that the store has been told of, and when it was told. */
  toldUse: number;
  toldAt: number;
  readonly peers: Set<Peer>;
  timer: ReturnType<typeof setTimeout> | undefined;
  timerAt: number;
}

/** Longest delay a timer takes, in milliseconds; a later end is waited for in steps. */
const longestTimerMs = 2_147_483_647;

/** Sessions that the store is asked about in one call: of all that a node may have, the question alone would be megabytes. */
const maxAskedAtOnce = 2_000;

/** Builds the sessions of one node. */
export function createSessions(parts: SessionsParts): Sessions {
  const { store, bus, policy, onFailure } = parts;
  const lookup = createSessionLookup({ store, caches: parts.caches, isBusShared: bus.isShared, onFailure });
  const open = new Map<SessionId, Entry>();
  /** Connections that are listened to for their end. */
  const watched = new WeakSet<Peer>();
  let attached = 0;
  let isChecking = false;
  let isFailing = false;
  /** What was read before that may have changed without a word: notices may have been lost. */
  let inDoubtSince = Number.NEGATIVE_INFINITY;
  /** More often than each minute only where sessions die of idleness so soon that another node would think them idle. */
  const tellEveryMs = Math.min(touchIntervalMs, policy.sessionIdleMs / 2);

  const unsubscribe = bus.subscribe((notice) => {
    if (notice.type === 'session-changed') {
      lookup.changed([notice.id], 'here');
      // A connection stays with what it has of its session: nobody looks that up again for it.
      if (bus.isShared && open.has(notice.id)) void check([notice.id]);
    } else if (notice.type === 'sessions-ended') end(notice.ids, notice.reason, 'here');
  });
  // Alone, a node hears of every revocation and change; among others a notice may be lost.
  const recheck = bus.isShared ? setInterval(() => void checkOlder(), sharedSessions.lookMs) : undefined;
  const stopDoubt = bus.onDoubt?.(() => {
    inDoubtSince = Date.now();
    void checkOlder();
  });

  /** Asks about the connections' sessions of which nobody has heard for a while; one question at a time. */
  async function checkOlder(): Promise<void> {
    if (isChecking) return;
    const now = Date.now();
    const ids: SessionId[] = [];
    for (const [id, { peers, readAt }] of open) {
      if (peers.size > 0 && isOld(readAt, now)) ids.push(id);
    }
    if (ids.length === 0) return;
    isChecking = true;
    try {
      await askAbout(ids);
      isFailing = false;
    } catch (error) {
      // It is tried again soon: a store that is away is told of once.
      if (!isFailing) onFailure(error);
      isFailing = true;
    } finally {
      isChecking = false;
    }
  }

  function isOld(readAt: number, now: number): boolean {
    // One from the future was read before the clock was set back.
    return now - readAt >= sharedSessions.recheckMs || readAt > now || readAt <= inDoubtSince;
  }

  async function check(ids: readonly SessionId[]): Promise<void> {
    await askAbout(ids).catch(onFailure);
  }

  /** Ends those sessions here that exist no more, and takes over what has changed in the others. */
  async function askAbout(ids: readonly SessionId[]): Promise<void> {
    for (let from = 0; from < ids.length; from += maxAskedAtOnce) {
      // Some may have ended while others were asked about.
      const asked = ids.slice(from, from + maxAskedAtOnce).filter((id) => open.has(id));
      if (asked.length === 0) continue;
      const readAt = Date.now();
      const existing = await store.existingSessions(asked);
      const found = new Set(existing.map(({ id }) => id));
      const gone = asked.filter((id) => !found.has(id));
      if (gone.length > 0) end(gone, 'revoked', 'here');
      for (const session of existing) takeOver(session, readAt);
    }
  }

  /** Puts a row of the store in the place of an older one. */
  function takeOver(session: Session, readAt: number): void {
    const entry = open.get(session.id);
    // Of one that was taken over in the same millisecond nobody knows which is newer: the next look says.
    if (!entry || (readAt <= entry.readAt && entry.readAt <= Date.now())) return;
    entry.lastUsedAt = Math.max(entry.lastUsedAt, session.lastUsedAt);
    entry.toldUse = Math.max(entry.toldUse, session.lastUsedAt);
    replace(entry, session, readAt);
  }

  /** No cache gives the sessions out any more, and then their connections close. */
  function end(ids: readonly SessionId[], reason: EndReason, reach: 'here' | 'everywhere'): void {
    lookup.changed(ids, reach);
    for (const id of ids) close(id, reason);
  }

  function endOf(session: Session, lastUsedAt: number): number {
    return Math.min(lastUsedAt + policy.sessionIdleMs, session.absoluteExpiresAt);
  }

  /** The last use that is known here, which may be newer than what the store or a cache has heard. */
  function lastUseOf(session: Session): number {
    return Math.max(session.lastUsedAt, open.get(session.id)?.lastUsedAt ?? 0);
  }

  /** True for what the store has not heard of, and for what is kept only until it has. */
  function isToBeTold(entry: Entry): boolean {
    return entry.lastUsedAt > entry.toldUse || entry.peers.size === 0;
  }

  function arm(entry: Entry): void {
    const end = endOf(entry.session, entry.lastUsedAt);
    clearTimeout(entry.timer);
    entry.timerAt = isToBeTold(entry) ? Math.min(end, entry.toldAt + tellEveryMs) : end;
    const delayMs = Math.min(Math.max(entry.timerAt - Date.now(), 0), longestTimerMs);
    entry.timer = setTimeout(() => look(entry), delayMs);
  }

  /** What is due for a session. Use since the timer was set has moved that: it is set again here rather than at every call. */
  function look(entry: Entry): void {
    const now = Date.now();
    if (now >= endOf(entry.session, entry.lastUsedAt)) {
      expire(entry);
      return;
    }
    if (isToBeTold(entry) && now >= entry.toldAt + tellEveryMs) {
      if (entry.lastUsedAt <= entry.toldUse) {
        // The store knows all that was known here.
        open.delete(entry.session.id);
        return;
      }
      tell(entry, now);
    }
    arm(entry);
  }

  function tell(entry: Entry, now: number): void {
    const { lastUsedAt } = entry;
    entry.toldAt = now;
    entry.toldUse = lastUsedAt;
    store.touchSession({ id: entry.session.id, lastUsedAt }).catch((error: unknown) => {
      entry.toldUse = 0;
      onFailure(error);
    });
  }

  function use(entry: Entry, now: number): void {
    entry.lastUsedAt = Math.max(entry.lastUsedAt, now);
    if (now - entry.toldAt >= tellEveryMs) tell(entry, now);
    armSooner(entry);
  }

  /** Sets the timer again where something is due before it. */
  function armSooner(entry: Entry): void {
    if (isToBeTold(entry) && entry.timerAt > entry.toldAt + tellEveryMs) arm(entry);
  }

  function close(id: SessionId, reason: EndReason): void {
    const entry = open.get(id);
    if (!entry) return;
    open.delete(id);
    clearTimeout(entry.timer);
    for (const peer of [...entry.peers]) {
      release(entry, peer);
      peer.end(reason);
    }
  }

  function expire({ session }: Entry): void {
    parts.onEnded(session.id, 'expired', session);
    close(session.id, 'expired');
  }

  function release(entry: Entry, peer: Peer): void {
    if (entry.peers.delete(peer)) attached -= 1;
    peer.session = undefined;
    parts.onDetached(peer, entry.session);
  }

  function detach(peer: Peer): void {
    const entry = peer.session && open.get(peer.session.id);
    if (!entry) return;
    release(entry, peer);
    // It stays for the uses that the store has not heard of, and for the next request.
    armSooner(entry);
  }

  function entryOf({ session, readAt }: Pick<CachedSession, 'session' | 'readAt'>): Entry {
    const known = open.get(session.id);
    if (known) {
      known.lastUsedAt = Math.max(known.lastUsedAt, session.lastUsedAt);
      // In the same millisecond too: what has changed here since was asked for again by the lookup.
      if (readAt >= known.readAt) replace(known, session, readAt);
      return known;
    }
    const { lastUsedAt } = session;
    const entry: Entry = {
      session,
      readAt,
      lastUsedAt,
      toldUse: lastUsedAt,
      toldAt: lastUsedAt,
      peers: new Set(),
      timer: undefined,
      timerAt: Number.POSITIVE_INFINITY,
    };
    open.set(session.id, entry);
    return entry;
  }

  function replace(entry: Entry, session: Session, readAt: number): void {
    entry.session = session;
    entry.readAt = readAt;
    for (const peer of entry.peers) peer.session = session;
  }

  function bind(peer: Peer, found: Pick<CachedSession, 'session' | 'readAt'>, usedAt: number): Session {
    if (peer.session) {
      throw new ChatError('conflict', 'this connection is logged in already');
    }
    if (peer.isGone) return found.session;
    const entry = entryOf(found);
    entry.peers.add(peer);
    attached += 1;
    peer.session = entry.session;
    use(entry, usedAt);
    if (entry.timer === undefined) arm(entry);
    parts.onAttached(peer, entry.session);
    // Once for each connection, however often it logs in and out.
    if (!watched.has(peer)) {
      watched.add(peer);
      peer.onGone(() => detach(peer));
    }
    return entry.session;
  }

  return {
    attach(peer, session) {
      // Ended between its commit and the store's answer.
      if (lookup.hasChanged(session.id)) throw badToken();
      bind(peer, { session, readAt: session.createdAt }, session.lastUsedAt);
    },
    detach,
    admit(peer, now) {
      const entry = peer.session && open.get(peer.session.id);
      if (!entry) throw new ChatError('unauthenticated', 'log in first');
      if (now >= endOf(entry.session, entry.lastUsedAt)) {
        expire(entry);
        throw badToken();
      }
      use(entry, now);
      return entry.session;
    },
    expiresAt: (session) => endOf(session, lastUseOf(session)),
    async resume(peer, token, now, owner = {}) {
      const digest = parts.digest(token);
      if (!digest) throw badToken();
      const isAlive = (session: Session): boolean => now < endOf(session, lastUseOf(session));
      return await lookup.find(digest, isAlive, (found) => {
        if (!found || !isAlive(found.session)) throw badToken();
        if (!isOwner(owner, found.session)) throw badToken();
        return bind(peer, found, now);
      });
    },
    renew(session) {
      const now = Date.now();
      lookup.changed([session.id], 'everywhere');
      const entry = open.get(session.id);
      if (entry) {
        entry.lastUsedAt = Math.max(entry.lastUsedAt, session.lastUsedAt);
        replace(entry, session, now);
        arm(entry);
      }
      bus.publish({ type: 'session-changed', id: session.id });
    },
    ended(ids, reason, { survivor, of } = {}) {
      if (ids.length === 0) return;
      if (reason !== 'logged-out') {
        for (const id of ids) parts.onEnded(id, reason, open.get(id)?.session ?? of);
      }
      if (survivor?.session && ids.includes(survivor.session.id)) detach(survivor);
      end(ids, reason, 'everywhere');
      bus.publish({ type: 'sessions-ended', ids, reason });
    },
    get attached() {
      return attached;
    },
    stop() {
      unsubscribe();
      clearInterval(recheck);
      stopDoubt?.();
      for (const [id, entry] of open) {
        if (entry.lastUsedAt > entry.toldUse) tell(entry, Date.now());
        close(id, 'shutting-down');
      }
    },
  };
}

function isOwner({ username, userId }: NamedOwner, session: Session): boolean {
  if (username !== undefined && username !== session.username) return false;
  return userId === undefined || userId === session.userId;
}
