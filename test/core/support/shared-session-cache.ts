import type { SessionId } from '../../../src/core/model/ids.ts';
import type { CachedSession, SessionCache } from '../../../src/core/ports/session-cache.ts';

/** What happens to what is asked of a shared cache from now on. */
export type Weather =
  | 'fine'
  /** Rejects, and does nothing. */
  | 'fails'
  /** Does it and then rejects, as when an answer is lost. */
  | 'answers-lost'
  /** Does it 700 ms later. */
  | 'slow';

/** A tier between nodes, as a server of its own would be: it may fail, be late, change the order of what is asked, and forget everything. */
export class SharedSessionCache {
  weather: Weather = 'fine';
  /** True: what is to be dropped stays. */
  keepsAll = false;
  readonly #entries = new Map<string, { readonly entry: CachedSession; readonly forgottenAt: number }>();

  readonly #now: () => number;

  /** `now` is the cache's own clock; left out, the one of the test. */
  constructor(now: () => number = () => Date.now()) {
    this.#now = now;
  }

  /** How many entries there are. */
  get size(): number {
    return this.#entries.size;
  }

  /** Loses everything. */
  clear(): void {
    this.#entries.clear();
  }

  /**
   * One node's handle. The clocks of nodes do not agree: this one's is so much ahead of the cache's own, which here is done to the
   * times that pass, since all nodes of a test go by one clock.
   */
  open(aheadMs = 0): SessionCache {
    return {
      isShared: true,
      get: (tokenHash) => {
        const key = String(tokenHash);
        return this.#serve(() => {
          const found = this.#entries.get(key);
          const leftMs = found ? Math.round(found.forgottenAt - this.#now()) : 0;
          if (!found || leftMs <= 0) return undefined;
          const { session, readAt, believedUntil } = structuredClone(found.entry);
          return {
            session,
            readAt: readAt - aheadMs,
            believedUntil: Math.min(believedUntil - aheadMs, Date.now() + leftMs),
          };
        });
      },
      put: (tokenHash, entry) => {
        const key = String(tokenHash);
        const { session, readAt, believedUntil } = structuredClone(entry);
        const kept = { session, readAt: readAt + aheadMs, believedUntil: believedUntil + aheadMs };
        // By a clock that nobody sets.
        const forgottenAt = this.#now() + believedUntil - Date.now();
        return this.#serve(() => {
          this.#entries.set(key, { entry: kept, forgottenAt });
        });
      },
      drop: (ids: readonly SessionId[]) =>
        this.#serve(() => {
          if (this.keepsAll) return;
          for (const [key, { entry }] of this.#entries)
            if (ids.includes(entry.session.id)) this.#entries.delete(key);
        }),
    };
  }

  async #serve<T>(work: () => T): Promise<T> {
    const { weather } = this;
    if (weather === 'fails') throw new Error('the cache is down');
    if (weather === 'slow') await new Promise((resolve) => setTimeout(resolve, 700));
    const answer = work();
    if (weather === 'answers-lost') throw new Error('the cache did not answer');
    return answer;
  }
}
