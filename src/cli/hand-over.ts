import type { WireMessage } from '../client/connection.ts';
import type { DurableCursor } from './durable-cursor.ts';
import type { TextSink } from './host.ts';
import { type LineContext, messageLine, messageRecord } from './message-text.ts';
import type { Output } from './output.ts';

/** What `tail` does with messages, one at a time, in order. */
export interface HandOver {
  /** Resolves when the next message may come: true when this one was handed over, false when the end was asked for before. */
  take(message: WireMessage): Promise<boolean>;
  /** A message that is left out: the cursor moves over it in its turn. */
  pass(message: WireMessage): void;
  /** Resolves when the cursor knows of all that could still be handed over; called once, after the last message. */
  settle(): Promise<void>;
}

/** Where messages are printed. */
export interface PrinterOptions {
  readonly output: Pick<Output, 'result'>;
  readonly stdout: Pick<TextSink, 'flush'>;
  /** Asked for each line: who reads may change with a connection. */
  readonly line: () => LineContext;
  readonly cursor: DurableCursor | undefined;
  /** A reader that does not read is waited for until this aborts. */
  readonly signal: AbortSignal;
}

/** How long a reader that does not read may delay the end, in milliseconds. */
const lastAcceptanceMs = 500;

/** Prints each message as one line; the cursor moves over those whose line the system has accepted. */
export function linePrinter({ output, stdout, line, cursor, signal }: PrinterOptions): HandOver {
  const over = aborted(signal);
  let written = new Map<string, number>();
  let accepting: Promise<void> | undefined;

  /** One flush for all that was written during the one before. */
  async function accept(moved: DurableCursor): Promise<void> {
    try {
      while (written.size > 0) {
        const flushed = written;
        written = new Map();
        await stdout.flush();
        for (const [to, seq] of flushed) moved.move(to, seq);
      }
    } catch {
      // Whoever writes or flushes next is told.
    } finally {
      accepting = undefined;
    }
  }

  function pass({ to, seq }: WireMessage): void {
    if (cursor === undefined) return;
    written.set(to, seq);
    accepting ??= accept(cursor);
  }

  return {
    async take(message) {
      const waiting = output.result(messageRecord(message), messageLine(message, line()));
      pass(message);
      if (waiting === undefined) return true;
      await Promise.race([waiting, over]);
      return !signal.aborted;
    },
    pass,
    async settle() {
      const patience = over.then(() => new Promise<void>((resolve) => setTimeout(resolve, lastAcceptanceMs)));
      await Promise.race([accepting, patience]);
    },
  };
}

/** Resolves when `signal` aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
