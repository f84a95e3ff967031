/** One call that waits for its turn. */
interface Waiting {
  readonly overlaps: boolean;
  readonly size: number;
  readonly start: () => Promise<void>;
}

/** What a queue needs from its connection. */
export interface CallQueueParts {
  /** Calls that may be running or waiting at once; 0 for no bound. */
  readonly maxInFlight: number;
  /** What may wait before no further call is taken, in units of `add`'s `size`; 0 for no bound. */
  readonly maxWaiting: number;
  /** False while no further call may begin: its answer would only wait (a reader that does not read). */
  readonly mayStart: () => boolean;
  /** Called after each call that ended: there may be room again, or nothing left to do. */
  readonly onEnded: () => void;
  /** Told of a `start` that rejected, which none should. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * The calls of one connection in the order they came: those that overlap may run beside each other, every other
 * one waits for all before it, and all after it wait for it.
 */
export class CallQueue {
  readonly #parts: CallQueueParts;
  readonly #waiting: Waiting[] = [];
  /** The sizes of those that wait. */
  #waitingSize = 0;
  #running = 0;
  #isAlone = false;

  constructor(parts: CallQueueParts) {
    this.#parts = parts;
  }

  /** True when no further call should be taken from the wire. */
  get isFull(): boolean {
    const { maxInFlight, maxWaiting } = this.#parts;
    if (maxWaiting !== 0 && this.#waitingSize >= maxWaiting) return true;
    return maxInFlight !== 0 && this.#running + this.#waiting.length >= maxInFlight;
  }

  /** True when every call that was added has ended. */
  get isIdle(): boolean {
    return this.#running === 0 && this.#waiting.length === 0;
  }

  /** Starts a call now or when its turn comes; `start` answers by itself and never rejects. `size` is what it holds until then. */
  add(overlaps: boolean, size: number, start: () => Promise<void>): void {
    if (this.#waiting.length === 0 && this.#mayRun(overlaps)) {
      this.#run(overlaps, start);
      return;
    }
    this.#waiting.push({ overlaps, size, start });
    this.#waitingSize += size;
  }

  /** Starts what may start; to be called when `mayStart` may have become true. */
  advance(): void {
    let count = 0;
    for (const { overlaps, size, start } of this.#waiting) {
      if (!this.#mayRun(overlaps)) break;
      count += 1;
      this.#waitingSize -= size;
      this.#run(overlaps, start);
    }
    if (count > 0) this.#waiting.splice(0, count);
  }

  /** Forgets what has not begun: nobody is left to answer to. */
  clear(): void {
    this.#waiting.length = 0;
    this.#waitingSize = 0;
  }

  #mayRun(overlaps: boolean): boolean {
    if (this.#isAlone || (!overlaps && this.#running > 0)) return false;
    return this.#parts.mayStart();
  }

  #run(overlaps: boolean, start: () => Promise<void>): void {
    this.#running += 1;
    this.#isAlone = !overlaps;
    start().then(this.#onEnd, this.#onRejected);
  }

  readonly #onEnd = (): void => {
    this.#running -= 1;
    this.#isAlone = false;
    if (this.#waiting.length > 0) this.advance();
    this.#parts.onEnded();
  };

  readonly #onRejected = (error: unknown): void => {
    this.#parts.onFailure(error);
    this.#onEnd();
  };
}
