import type { SessionId } from '../../core/model/ids.ts';
import type { CachedSession, SessionCache } from '../../core/ports/session-cache.ts';

/** How large a cache may become. */
export interface LocalSessionCacheParts {
  readonly maxEntries: number;
}

/** The nearest tier: entries in this process's memory, of which the longest unused one gives way. What a call does is done before it returns. */
export function localSessionCache({ maxEntries }: LocalSessionCacheParts): SessionCache {
  /** In order of use, the latest last. */
  const entries = new Map<string, CachedSession>();
  /** Under which keys a session stands; more than one after a refresh. */
  const keys = new Map<SessionId, Set<string>>();

  function remove(key: string, id: SessionId): void {
    entries.delete(key);
    const own = keys.get(id);
    own?.delete(key);
    if (own?.size === 0) keys.delete(id);
  }

  return {
    isShared: false,
    async get(tokenHash) {
      const key = keyOf(tokenHash);
      const entry = entries.get(key);
      if (!entry) return undefined;
      if (Date.now() >= entry.believedUntil) {
        remove(key, entry.session.id);
        return undefined;
      }
      entries.delete(key);
      entries.set(key, entry);
      return entry;
    },
    async put(tokenHash, entry) {
      const key = keyOf(tokenHash);
      const { id } = entry.session;
      const before = entries.get(key);
      if (before) remove(key, before.session.id);
      entries.set(key, entry);
      const own = keys.get(id);
      if (own) own.add(key);
      else keys.set(id, new Set([key]));
      if (entries.size <= maxEntries) return;
      const [oldest] = entries;
      if (oldest) remove(oldest[0], oldest[1].session.id);
    },
    async drop(ids) {
      for (const id of ids) {
        for (const key of keys.get(id) ?? []) entries.delete(key);
        keys.delete(id);
      }
    },
  };
}

function keyOf(tokenHash: Uint8Array): string {
  return Buffer.from(tokenHash.buffer, tokenHash.byteOffset, tokenHash.byteLength).toString('latin1');
}
