import { ChatError } from '../core/errors.ts';
import { believed } from './answers.ts';
import { backoffMs, passes, pause } from './backoff.ts';
import type { Connection } from './connection.ts';
import { readStored } from './frames.ts';

/**
 * Makes a connection that is logged in; the one who asked for it closes it. When the session ended on the last connection it is told
 * why, so that whoever finds no other session can say it.
 */
export type Open = (sessionEnd?: ChatError) => Promise<Connection>;

/** What a message has for the server: a text that it can read, or an envelope that it cannot. */
export type Body = { readonly text: string } | { readonly envelope: string };

/** Makes of a text what is sent on a connection; what it throws is as if the server had refused. */
export type Seal = (connection: Connection, text: string) => Promise<Body>;

/** Where a message was stored. */
export interface Stored {
  readonly id: string;
  readonly seq: number;
  /** RFC 3339, UTC. */
  readonly sent_at: string;
}

/** What an outbox needs to know. */
export interface OutboxOptions {
  readonly open: Open;
  /** Takes the connection at the end, if it is still good for something; closed when left out. */
  readonly release?: ((connection: Connection) => void) | undefined;
  readonly to: string;
  /** Each try seals anew; texts go as they are when left out. */
  readonly seal?: Seal | undefined;
  /** How long nothing may be acknowledged, while something waits, before the last cause is thrown. */
  readonly timeoutMs: number;
  /** Messages that may wait for their acknowledgement at a time. */
  readonly window: number;
  readonly signal?: AbortSignal | undefined;
  /** Told of each stored message, in the order of the lines; `n` counts from 1. */
  readonly onAck?: ((n: number, answer: Stored) => void) | undefined;
  /** Told of each failure that will be tried again, and after how many milliseconds. */
  readonly onRetry?: ((cause: ChatError, waitMs: number) => void) | undefined;
}

interface Line {
  readonly n: number;
  readonly text: string;
  readonly key: string;
  answer: Stored | undefined;
}

/** A connection that acknowledges nothing for so long is given up for a new one, in milliseconds. */
const stallMs = 10_000;
/** After a rate limit: acknowledgements until one more message may be on its way at a time. */
const acksPerGrowth = 32;
/** Too little time for another try, in milliseconds. */
const leastTryMs = 50;

/**
 * Sends lines under their own keys until each is acknowledged, in order, over as many connections as it takes. A message whose
 * fate is unknown is sent again under its key, so that none is stored twice.
 *
 * A rate limit that refuses a line and a moment later takes the next turns their order around, which only the server
 * can prevent among lines that are under way. After one, no second line is sent before the first is acknowledged, and
 * the number under way grows slowly from there.
 */
export class Outbox {
  /** Resolves with how many were stored once the input has ended; rejects with what ended it before. */
  readonly finished: Promise<number>;
  readonly #options: OutboxOptions;
  readonly #resolve: (sent: number) => void;
  readonly #reject: (error: unknown) => void;
  /** Every line that is not acknowledged, or waits for an earlier one to be. */
  #unacked: Line[] = [];
  /** Those of them that are to be sent, from `#nextWaiting` on. */
  #waiting: Line[] = [];
  #nextWaiting = 0;
  #underway = 0;
  #allowed: number;
  #acksSinceLimit = 0;
  #added = 0;
  #sent = 0;
  #hasInputEnded = false;
  #isOver = false;
  #connection: Connection | undefined;
  #isConnecting = false;
  /** Texts are sealed one after the other, so that they leave in their order. */
  #sealed: Promise<unknown> = Promise.resolve();
  /** Why the lines that are under way must be sent again once all of them have been answered or lost. */
  #cause: ChatError | undefined;
  /** What no repetition cures. */
  #fatal: unknown;
  #failures = 0;
  /** When something was acknowledged last, or began to wait. */
  #progressAt = 0;
  #hasRetriedSession = false;
  #stallTimer: ReturnType<typeof setTimeout> | undefined;
  #whenRoom: (() => void) | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#allowed = options.window;
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.finished = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    const { signal } = options;
    if (signal?.aborted) this.#onAbort();
    else signal?.addEventListener('abort', this.#onAbort);
  }

  /** True once `finished` is settled: further lines are not taken. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Undefined when another line can be added, otherwise resolves when it can, or when all is over. */
  room(): Promise<void> | undefined {
    if (this.#isOver || this.#unacked.length < this.#options.window) return undefined;
    return new Promise((resolve) => {
      this.#whenRoom = resolve;
    });
  }

  /** Takes a line to be sent after those before it. */
  add(text: string, key: string): void {
    if (this.#isOver) return;
    this.#added += 1;
    const line: Line = { n: this.#added, text, key, answer: undefined };
    if (this.#unacked.length === 0) this.#progressAt = Date.now();
    this.#unacked.push(line);
    this.#waiting.push(line);
    if (this.#connection) this.#pump();
    else if (!this.#isConnecting) void this.#connect(undefined);
  }

  /** Says that no more lines come. */
  end(): void {
    this.#hasInputEnded = true;
    this.#finishIfDone();
  }

  /** Ends everything with an error. */
  fail(error: unknown): void {
    if (!this.#isOver) void this.#settle(() => this.#reject(error));
  }

  readonly #onAbort = (): void => {
    this.fail(
      new ChatError('unavailable', 'sending was stopped; what is not acknowledged may be stored or not', {
        cause: this.#options.signal?.reason,
      }),
    );
  };

  async #settle(tell: () => void): Promise<void> {
    this.#isOver = true;
    clearTimeout(this.#stallTimer);
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#whenRoom?.();
    const connection = this.#connection;
    if (connection && this.#options.release && this.#underway === 0) this.#options.release(connection);
    else await connection?.close();
    tell();
  }

  #finishIfDone(): void {
    if (this.#isOver || !this.#hasInputEnded || this.#unacked.length > 0) return;
    void this.#settle(() => this.#resolve(this.#sent));
  }

  #pump(): void {
    const connection = this.#connection;
    if (!connection || this.#cause || this.#fatal !== undefined || this.#isOver) return;
    while (this.#underway < this.#allowed) {
      const line = this.#waiting[this.#nextWaiting];
      if (!line) break;
      this.#nextWaiting += 1;
      this.#transmit(connection, line);
    }
    if (this.#nextWaiting === this.#waiting.length) {
      this.#waiting = [];
      this.#nextWaiting = 0;
    }
  }

  #transmit(connection: Connection, line: Line): void {
    this.#underway += 1;
    if (this.#underway === 1) this.#watch(Date.now());
    this.#post(connection, line)
      .then((answer) => believed(connection, answer, readStored))
      .then(
        (answer) => this.#onAnswer(line, answer),
        (error: unknown) => this.#onError(error),
      )
      // What a listener of the caller's throws.
      .catch((error: unknown) => this.fail(error));
  }

  #post(connection: Connection, { text, key }: Line): Promise<unknown> {
    const { to, seal } = this.#options;
    const options = { timeoutMs: Number.POSITIVE_INFINITY };
    if (!seal) return connection.call('message.send', { to, text, key }, options);
    const posted = this.#sealed
      .then(() => seal(connection, text))
      // Within an object: what waits for this one to be sent must not wait for its answer.
      .then((body) => ({ answer: connection.call('message.send', { to, key, ...body }, options) }));
    // What cannot be sealed holds back those after it: they are sealed again with it, or not sent.
    this.#sealed = posted;
    return posted.then(({ answer }) => answer);
  }

  #onAnswer(line: Line, answer: Stored): void {
    this.#underway -= 1;
    if (this.#isOver) return;
    line.answer = answer;
    this.#progressAt = Date.now();
    this.#failures = 0;
    this.#hasRetriedSession = false;
    this.#acksSinceLimit += 1;
    if (this.#allowed < this.#options.window && this.#acksSinceLimit % acksPerGrowth === 0)
      this.#allowed += 1;
    this.#report();
    this.#next();
  }

  #onError(error: unknown): void {
    this.#underway -= 1;
    if (this.#isOver) return;
    const isSessionLost =
      error instanceof ChatError && error.code === 'unauthenticated' && !this.#hasRetriedSession;
    // A stalled connection's calls fail with its closing; the cause is the stall.
    if (passes(error) || isSessionLost) this.#cause ??= error;
    else this.#fatal ??= error;
    this.#next();
  }

  /** Goes on after an answer or a loss: repeats only when nothing is under way any more, so that order holds. */
  #next(): void {
    if (this.#underway > 0) {
      this.#pump();
      return;
    }
    if (this.#fatal !== undefined) this.fail(this.#fatal);
    else if (this.#cause) void this.#repeat(this.#cause);
    else {
      this.#pump();
      this.#finishIfDone();
    }
  }

  /** Tells of what is stored, in the order of the lines. */
  #report(): void {
    let done = 0;
    for (const { n, answer } of this.#unacked) {
      if (!answer) break;
      done += 1;
      this.#sent = n;
      this.#options.onAck?.(n, answer);
    }
    if (done === 0) return;
    this.#unacked.splice(0, done);
    this.#whenRoom?.();
    this.#whenRoom = undefined;
  }

  async #repeat(cause: ChatError): Promise<void> {
    this.#waiting = this.#unacked.filter((line) => !line.answer);
    this.#nextWaiting = 0;
    this.#sealed = Promise.resolve();
    if (this.#waiting.length === 0) {
      this.#cause = undefined;
      this.#finishIfDone();
      return;
    }
    if (cause.code === 'rate-limited') {
      this.#allowed = 1;
      this.#acksSinceLimit = 0;
    } else {
      void this.#connection?.close();
      this.#connection = undefined;
    }
    if (cause.code === 'unauthenticated') this.#hasRetriedSession = true;
    await this.#connect(cause);
  }

  /** Waits as `cause` asks, has a connection, and sends what waits. */
  async #connect(first: ChatError | undefined): Promise<void> {
    this.#isConnecting = true;
    let cause = first;
    for (;;) {
      try {
        if (cause) await this.#wait(cause);
        if (this.#isOver) return;
        this.#connection ??= await this.#opened(cause);
        if (this.#isOver) {
          await this.#connection.close();
          return;
        }
        break;
      } catch (error) {
        if (!passes(error) || error === cause) {
          this.fail(error);
          return;
        }
        cause = error;
      }
    }
    this.#isConnecting = false;
    this.#cause = undefined;
    this.#pump();
  }

  /** Throws `cause` when there is no time for another try. */
  async #wait(cause: ChatError): Promise<void> {
    // A session that ended here may be renewed by now, and asking costs nothing.
    if (cause.code === 'unauthenticated') return;
    this.#failures += 1;
    const leftMs = this.#leftMs();
    const wantedMs = backoffMs(this.#failures, cause);
    if (leftMs < leastTryMs || (cause.details.retryAfterMs ?? 0) >= leftMs) throw cause;
    // Near the end the waits are halved towards it: a server that comes back then is still reached.
    const waitMs = Math.max(Math.min(wantedMs, Math.round(leftMs / 2)), cause.details.retryAfterMs ?? 0);
    this.#options.onRetry?.(cause, waitMs);
    await pause(waitMs, this.#options.signal);
  }

  #leftMs(): number {
    return this.#progressAt + this.#options.timeoutMs - Date.now();
  }

  /**
   * Opens a connection within the time that is left; one that comes later is closed. Without one it throws `cause` if
   * there is one: what the last try told says more than that the time has run out.
   */
  #opened(cause: ChatError | undefined): Promise<Connection> {
    const leftMs = Math.max(this.#leftMs(), 0);
    return new Promise((resolve, reject) => {
      let isLate = false;
      const timer = setTimeout(() => {
        isLate = true;
        reject(cause ?? new ChatError('unavailable', `no connection within ${leftMs} ms`));
      }, leftMs);
      this.#options.open(cause?.code === 'unauthenticated' ? cause : undefined).then(
        (connection) => {
          clearTimeout(timer);
          if (isLate) void connection.close();
          else resolve(connection);
        },
        (error: unknown) => {
          clearTimeout(timer);
          reject(error);
        },
      );
    });
  }

  /** Gives up a connection that acknowledges nothing. */
  #watch(since: number): void {
    clearTimeout(this.#stallTimer);
    const limitMs = Math.min(stallMs, this.#options.timeoutMs);
    const silentMs = Date.now() - Math.max(since, this.#progressAt);
    this.#stallTimer = setTimeout(() => {
      if (this.#underway === 0) return;
      if (Date.now() - Math.max(since, this.#progressAt) < limitMs) {
        this.#watch(since);
        return;
      }
      this.#cause ??= new ChatError('unavailable', `the server acknowledged nothing within ${limitMs} ms`);
      void this.#connection?.close();
    }, limitMs - silentMs);
  }
}
