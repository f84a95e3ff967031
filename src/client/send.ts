import type { ChatError } from '../core/errors.ts';
import type { Connection } from './connection.ts';
import { type Open, Outbox, type Seal, type Stored } from './outbox.ts';

export type { Open, Stored } from './outbox.ts';

/** One message that must arrive. */
export interface SendOptions {
  /** Makes a connection that is logged in; it is closed here. */
  readonly open: Open;
  /** `#room` or `@user`. */
  readonly to: string;
  /** Makes of a text what is sent; texts go as they are when left out. */
  readonly seal?: Seal | undefined;
  readonly text: string;
  /** The idempotency key: the same for every try. */
  readonly key: string;
  /** For all tries together, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Told of each failure that will be tried again, and after how many milliseconds. */
  readonly onRetry?: ((cause: ChatError, waitMs: number) => void) | undefined;
  /** Takes the connection at the end, with nothing under way on it, instead of its being closed here. */
  readonly release?: ((connection: Connection) => void) | undefined;
}

/** A message of a stream with its idempotency key. */
export interface SendLine {
  readonly text: string;
  readonly key: string;
}

/** Many messages that must arrive, in order. */
export interface SendManyOptions extends Omit<SendOptions, 'text' | 'key'> {
  readonly lines: AsyncIterable<SendLine>;
  /** How long nothing may be acknowledged while something waits, in milliseconds. */
  readonly timeoutMs: number;
  /** Messages that may wait for their acknowledgement at a time; 256 when left out. */
  readonly window?: number | undefined;
  /** Told of each stored message, in the order of the lines; `n` counts from 1. */
  readonly onAck?: ((n: number, answer: Stored) => void) | undefined;
}

/** Enough to fill a commit and the road to it, and little to hold in memory. */
const defaultWindow = 256;

/**
 * Sends one message until it is acknowledged: `unavailable`, `rate-limited` and lost answers are tried again under the one
 * key, so that it is never stored twice. Throws the last cause after `timeoutMs`, anything else at once.
 */
export async function sendReliably(options: SendOptions): Promise<Stored> {
  const { promise: stored, resolve } = Promise.withResolvers<Stored>();
  const { text, key, ...rest } = options;
  const outbox = new Outbox({ ...rest, window: 1, onAck: (_, answer) => resolve(answer) });
  outbox.add(text, key);
  outbox.end();
  await outbox.finished;
  return stored;
}

/**
 * Sends lines over one connection at a time, many under way at once, stored in their order; after a lost connection the
 * unacknowledged ones are sent again under their keys. Throws as {@link sendReliably} does; what came before the failed line is stored.
 */
export async function sendMany(options: SendManyOptions): Promise<{ sent: number }> {
  const { lines, window = defaultWindow, ...rest } = options;
  const outbox = new Outbox({ ...rest, window });
  void feed(outbox, lines);
  return { sent: await outbox.finished };
}

async function feed(outbox: Outbox, lines: AsyncIterable<SendLine>): Promise<void> {
  try {
    for await (const { text, key } of lines) {
      const room = outbox.room();
      if (room) await room;
      if (outbox.isOver) return;
      outbox.add(text, key);
    }
    outbox.end();
  } catch (error) {
    outbox.fail(error);
  }
}
