import type { SessionId } from '../model/ids.ts';
import type { Session } from '../model/session.ts';

/** A session as the store had it. */
export interface CachedSession {
  readonly session: Session;
  /** When the store was asked for it, UTC milliseconds. */
  readonly readAt: number;
  /** From this moment on nobody believes it any more, and the cache may forget it; UTC milliseconds. */
  readonly believedUntil: number;
}

/**
 * Keeps sessions by the digest of their token, so that not every request asks the store. A hint, never the truth: it may forget
 * anything at any time, and core believes no entry without a look at what has ended since. Any method may reject, soon rather than
 * late: core then goes on without it. It holds no token, only digests of them and rows; who can write to it can log in as anybody.
 */
export interface SessionCache {
  /** True when other nodes read and write the same entries. */
  readonly isShared: boolean;
  /**
   * What was put. A shared one forgets it by a clock of its own so long after `put` as it was to be believed then, and answers as
   * `believedUntil` no more than what is left of that from now on, by the clock of who asks: clocks of nodes do not agree.
   */
  get(tokenHash: Uint8Array): Promise<CachedSession | undefined>;
  /** Keeps an entry in the place of the one that the digest has; both are the caller's own and change no more. */
  put(tokenHash: Uint8Array, entry: CachedSession): Promise<void>;
  /** Forgets every entry of these sessions, under whatever digest. */
  drop(ids: readonly SessionId[]): Promise<void>;
}
