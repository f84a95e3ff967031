import type { ChatError } from '../core/errors.ts';
import type { Connection, WireMessage } from './connection.ts';

/** What may wait for a slow reader before the socket is left unread, in messages and in characters. */
const highWater = { messages: 1_000, characters: 262_144 } as const;

/** The messages of one connection on their way to a reader that may be slow: beyond a bound, the socket is not read. */
export class Inbox {
  readonly #connection: Connection;
  readonly #stop: () => void;
  #messages: WireMessage[] = [];
  #next = 0;
  #characters = 0;
  #isHolding = false;
  /** Above zero while the reader waits for an answer, which stands behind what is not read. */
  #answersAwaited = 0;
  #end: { readonly reason: unknown } | undefined;
  #wake: (() => void) | undefined;

  /** Listens from now on. */
  constructor(connection: Connection) {
    this.#connection = connection;
    this.#stop = connection.onEvent((event) => {
      if (event.type !== 'message') return;
      const { type, ...message } = event;
      this.#messages.push(message);
      this.#characters += (message.text ?? message.envelope ?? '').length;
      if (this.#isFull() && this.#answersAwaited === 0) this.#hold();
      this.#awake();
    });
    void connection.closed.then((reason: ChatError) => this.fail(reason));
  }

  /** The next message that is here; undefined when there is none. */
  take(): WireMessage | undefined {
    const message = this.#messages[this.#next];
    if (!message) return undefined;
    this.#next += 1;
    this.#characters -= (message.text ?? message.envelope ?? '').length;
    if (this.#next === this.#messages.length) {
      this.#messages = [];
      this.#next = 0;
      this.#letGo();
    }
    return message;
  }

  /** Resolves when there may be a message; throws why there will be none once all have been taken. */
  async arrival(): Promise<void> {
    if (this.#next < this.#messages.length) return;
    if (this.#end) throw this.#end.reason;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Waits for an answer to a call of this connection, reading whatever comes before it. */
  async answerTo(answered: Promise<unknown>): Promise<void> {
    this.#answersAwaited += 1;
    this.#letGo();
    try {
      await answered;
    } finally {
      this.#answersAwaited -= 1;
    }
  }

  /** Ends the inbox: what is here can still be taken, then `arrival` throws `reason`. */
  fail(reason: unknown): void {
    this.#end ??= { reason };
    this.#awake();
  }

  /** Stops listening. */
  stop(): void {
    this.#stop();
    this.#letGo();
  }

  #isFull(): boolean {
    return (
      this.#messages.length - this.#next >= highWater.messages || this.#characters >= highWater.characters
    );
  }

  #hold(): void {
    if (this.#isHolding) return;
    this.#isHolding = true;
    this.#connection.pause();
  }

  #letGo(): void {
    if (!this.#isHolding) return;
    this.#isHolding = false;
    this.#connection.resume();
  }

  #awake(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
