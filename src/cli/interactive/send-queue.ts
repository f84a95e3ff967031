import { passes } from '../../client/backoff.ts';
import type { Connection } from '../../client/connection.ts';
import { ChatError } from '../../core/errors.ts';
import { uuidV7 } from '../../core/random.ts';
import type { Sealed } from '../sealer.ts';

/** A message that is on its way. */
export interface Outgoing {
  readonly to: string;
  readonly text: string;
  /** The idempotency key: the same for every try. */
  readonly key: string;
}

/** Where the server has stored a message. */
export interface StoredAnswer {
  readonly id: string;
  readonly seq: number;
  readonly sent_at: string;
}

/** What happens to messages that were typed. */
export interface SendQueueEvents {
  stored(message: Outgoing, answer: StoredAnswer, sealed: Sealed): void;
  /** The server does not take it; it will not be tried again. */
  refused(message: Outgoing, why: ChatError): void;
}

/** What goes to the server for a text; throws as if the server had refused it. */
export type SealText = (connection: Connection, to: string, text: string) => Promise<Sealed>;

/** How long one try may take, in milliseconds; a connection that is lost ends it sooner. */
const tryMs = 30_000;
/** What a server that wants us to wait, and does not say how long, is given, in milliseconds. */
const pauseMs = 1_000;

/**
 * Sends what was typed, one at a time and in order, on whichever connection there is; what a lost connection leaves
 * unanswered is sent again on the next one, under its key, so that nothing is doubled.
 */
export class SendQueue {
  readonly #events: SendQueueEvents;
  readonly #seal: SealText;
  readonly #waiting: Outgoing[] = [];
  #connection: Connection | undefined;
  #isSending = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Nothing is sent before a connection is there. */
  constructor(events: SendQueueEvents, seal: SealText) {
    this.#events = events;
    this.#seal = seal;
  }

  /** How many have not been answered. */
  get size(): number {
    return this.#waiting.length;
  }

  /** Takes a message; answers it with its key, which is new unless it was tried before. */
  add(to: string, text: string, key: string = uuidV7()): Outgoing {
    const message: Outgoing = { to, text, key };
    this.#waiting.push(message);
    void this.#pump();
    return message;
  }

  /** A connection that is logged in, or undefined when it was lost. */
  use(connection: Connection | undefined): void {
    this.#connection = connection;
    void this.#pump();
  }

  /** Sends nothing more. */
  close(): void {
    clearTimeout(this.#timer);
    this.#connection = undefined;
  }

  async #pump(): Promise<void> {
    if (this.#isSending || this.#timer !== undefined) return;
    this.#isSending = true;
    try {
      for (;;) {
        const connection = this.#connection;
        const message = this.#waiting[0];
        if (connection === undefined || message === undefined) return;
        if (!(await this.#send(connection, message))) return;
      }
    } finally {
      this.#isSending = false;
      // What came while the last answer was awaited.
      if (this.#connection !== undefined && this.#waiting.length > 0 && this.#timer === undefined)
        void this.#pump();
    }
  }

  /** False when this connection cannot be used, or not now. */
  async #send(connection: Connection, message: Outgoing): Promise<boolean> {
    let sent: { readonly answer: StoredAnswer; readonly sealed: Sealed };
    try {
      const { to, text, key } = message;
      const sealed = await this.#seal(connection, to, text);
      sent = {
        sealed,
        answer: await connection.call('message.send', { to, key, ...sealed.body }, { timeoutMs: tryMs }),
      };
    } catch (cause) {
      // One message that cannot be made ready is no reason to end the chat, nor to hold up those after it.
      const error = cause instanceof ChatError ? cause : failedHere(cause);
      const { code, details } = error;
      if (!passes(error) && code !== 'unauthenticated') {
        this.#waiting.shift();
        this.#events.refused(message, error);
        return true;
      }
      if (this.#connection === connection) this.#pauseFor(details.retryAfterMs ?? pauseMs);
      return false;
    }
    this.#waiting.shift();
    this.#events.stored(message, sent.answer, sent.sealed);
    return true;
  }

  #pauseFor(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#pump();
    }, ms);
  }
}

function failedHere(cause: unknown): ChatError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ChatError('internal', `it could not be made ready: ${why}`, { cause });
}
