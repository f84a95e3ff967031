/**
 * Counts that several nodes may share. Keys are the caller's and hold no secret. A count is forgotten by itself when its window
 * is over, and an open door is nothing that has to be kept.
 */
export interface Counter {
  /** Adds one under `key`, whose window of `windowMs` begins with its first; answers how many there are now. */
  add(key: string, windowMs: number): Promise<number>;
  /**
   * Adds one under `key` as {@link add} does; answers 0 when it is among the first `most` of its window, otherwise how long that
   * window still lasts, in milliseconds.
   */
  take(key: string, most: number, windowMs: number): Promise<number>;
  /** Takes one back that was added by mistake. */
  takeBack(key: string, windowMs: number): Promise<void>;
  /** Closes `key` for `ms` from now, `failureWaits.mostMs` at most, whatever it was before; 0 opens it. */
  close(key: string, ms: number): Promise<void>;
  /** Closes `key` for `ms` from now, `failureWaits.mostMs` at most, if it is open; of many at once one is told true. */
  closeIfOpen(key: string, ms: number): Promise<boolean>;
  /** How long `key` is still closed, in milliseconds; 0 when it is open. */
  closedFor(key: string): Promise<number>;
  /** Forgets what was counted under `key`, and opens it. */
  forget(key: string): Promise<void>;
}
