import type { SessionId } from './model/ids.ts';
import type { Session } from './model/session.ts';
import { cacheFailureToldMs, sessionBelievedMs, sharedSessions } from './policy.ts';
import type { CachedSession, SessionCache } from './ports/session-cache.ts';
import type { Store } from './ports/store.ts';

/** Finds sessions by the digests of their tokens: caches first, the nearest before the others, then the store (security 3). */
export interface SessionLookup {
  /**
   * Hands `take` the session of a token, or undefined when there is none, and answers what it answers. A cached one is believed only
   * when `isAlive` says so and nothing is known to have changed since it was read. `take` is called in the same step as that is seen:
   * what changes later finds what it did.
   */
  find<T>(
    tokenHash: Uint8Array,
    isAlive: (session: Session) => boolean,
    take: (found: CachedSession | undefined) => T,
  ): Promise<T>;
  /** What was read of these sessions before now is believed no more; `everywhere` takes it out of the shared caches too. */
  changed(ids: readonly SessionId[], reach: 'here' | 'everywhere'): void;
  /** True when a session has changed within the time that a cached one is believed. */
  hasChanged(id: SessionId): boolean;
}

/** What a lookup needs from its surroundings. */
export interface SessionLookupParts {
  readonly store: Pick<Store, 'sessionByToken'>;
  /** The nearest first. */
  readonly caches: readonly SessionCache[];
  /** True when a change may happen elsewhere without a word of it. */
  readonly isBusShared: boolean;
  readonly onFailure: (error: unknown) => void;
}

/**
 * Builds the lookup of one node. Why no cache outlives a change of its session: what is known to have changed at a moment is not
 * believed here for as long as anything read before that moment could be believed anywhere; what the store is being asked meanwhile is
 * asked again; and a change that nobody told this node of is overtaken by `believedUntil`, counted from before the store was asked.
 */
export function createSessionLookup(parts: SessionLookupParts): SessionLookup {
  const { store, caches } = parts;
  const believedMs = parts.isBusShared ? sharedSessions.believedMs : sessionBelievedMs;
  /** Twice as long, for nodes whose clocks do not quite agree. */
  const doubtedMs = 2 * believedMs;
  /** When sessions changed, in that order. */
  const changes = new Map<SessionId, number>();
  /** What has changed since each question to the store that is not answered yet: its answer may be older than that. */
  const underWay = new Set<Set<SessionId>>();
  const failuresTold = new Map<SessionCache, number>();

  function failed(cache: SessionCache, error: unknown): void {
    const now = Date.now();
    const told = failuresTold.get(cache);
    // Every request would say it while a shared cache is down.
    if (told !== undefined && now >= told && now - told < cacheFailureToldMs) return;
    failuresTold.set(cache, now);
    parts.onFailure(error);
  }

  function changedAt(id: SessionId, now: number): number | undefined {
    const at = changes.get(id);
    return at !== undefined && now < at + doubtedMs ? at : undefined;
  }

  /** Does something with a cache, whatever becomes of it; its first step is done before this returns. */
  async function ask<T>(cache: SessionCache, what: () => Promise<T>): Promise<T | undefined> {
    try {
      return await what();
    } catch (error) {
      failed(cache, error);
      return undefined;
    }
  }

  function isBelieved(cache: SessionCache, { session, readAt, believedUntil }: CachedSession): boolean {
    const now = Date.now();
    // One from the future was read by a clock that is not ours: how old it is, nobody knows.
    if (readAt > now || now >= Math.min(believedUntil, readAt + believedMs)) return false;
    const at = changedAt(session.id, now);
    // Of two nodes' clocks nobody knows which was first.
    return at === undefined || (!cache.isShared && readAt > at);
  }

  function fill(tiers: readonly SessionCache[], tokenHash: Uint8Array, entry: CachedSession): void {
    for (const cache of tiers) void ask(cache, () => cache.put(tokenHash, entry));
  }

  async function findInCaches<T>(
    tokenHash: Uint8Array,
    isAlive: (session: Session) => boolean,
    take: (found: CachedSession) => T,
  ): Promise<{ taken: T } | undefined> {
    for (const [tier, cache] of caches.entries()) {
      const entry = await ask(cache, () => cache.get(tokenHash));
      // A dead one may have been used on another node since; only the store knows.
      if (!entry || !isBelieved(cache, entry) || !isAlive(entry.session)) continue;
      fill(caches.slice(0, tier), tokenHash, entry);
      // By the clock of here: what the entry says of itself may be by another node's, which is ahead.
      const readAt = Math.min(entry.readAt, entry.believedUntil - believedMs);
      return { taken: take({ ...entry, readAt }) };
    }
    return undefined;
  }

  return {
    async find(tokenHash, isAlive, take) {
      const inCache = await findInCaches(tokenHash, isAlive, take);
      if (inCache) return inCache.taken;
      const changedMeanwhile = new Set<SessionId>();
      underWay.add(changedMeanwhile);
      try {
        for (;;) {
          const readAt = Date.now();
          const session = await store.sessionByToken(tokenHash);
          if (!session) return take(undefined);
          if (!changedMeanwhile.delete(session.id)) {
            const entry = { session, readAt, believedUntil: readAt + believedMs };
            if (isAlive(session)) fill(caches, tokenHash, entry);
            return take(entry);
          }
        }
      } finally {
        underWay.delete(changedMeanwhile);
      }
    },
    changed(ids, reach) {
      const now = Date.now();
      for (const [id, at] of changes) {
        if (now < at + doubtedMs) break;
        changes.delete(id);
      }
      for (const id of ids) {
        changes.delete(id);
        changes.set(id, now);
        for (const meanwhile of underWay) meanwhile.add(id);
      }
      for (const cache of caches) {
        if (cache.isShared && reach === 'here') continue;
        void ask(cache, () => cache.drop(ids));
      }
    },
    hasChanged: (id) => changedAt(id, Date.now()) !== undefined,
  };
}
