import type { Connection } from '../../client/connection.ts';
import type { SendLine, Stored } from '../../client/send.ts';
import { ChatError } from '../../core/errors.ts';
import type { CommandContext } from '../command.ts';
import { grouped, Pace } from '../pace.ts';
import type { Sealer } from '../sealer.ts';
import { type Account, callTimeoutMs, openSession } from '../session.ts';
import { keyOf } from './kept-file.ts';
import type { KeptEntry, KeptMessages } from './kept-messages.ts';
import { mayBeTakenLater } from './may-be-taken-later.ts';
import { SharedConnection } from './shared-connection.ts';

/** How kept entries are sent. */
export interface SendKeptOptions {
  readonly context: CommandContext;
  readonly kept: KeptMessages;
  /** Only its entries are sent. */
  readonly account: Account;
  /** How long nothing may be stored before it ends, in milliseconds. */
  readonly timeoutMs: number;
  /** Seals what is private among them. */
  readonly sealer: Sealer;
  /** Whether those that the server has refused before are tried again; the one of `upTo` always is. */
  readonly retriesRefused: boolean;
  /** The last entry to be tried; all when left out, also those that are added meanwhile. */
  readonly upTo?: string;
  /** Told of each entry that is stored whole. */
  readonly onSent: (entry: KeptEntry, last: Stored) => Promise<void> | void;
  /** Told of each failure that will be tried again. */
  readonly onRetry: (cause: ChatError) => void;
}

/** An entry that stays, and why. */
export interface Staying {
  readonly id: string;
  readonly error: ChatError;
}

/** What came of it. */
export interface SendKeptOutcome {
  /** Messages that were stored. */
  readonly sent: number;
  /** In their order: what the server does not take, and what is damaged. */
  readonly staying: readonly Staying[];
  /** Entries of other accounts, by username. */
  readonly others: ReadonlyMap<string, number>;
  /** What ended it before all was tried. */
  readonly failure: { readonly reason: unknown } | undefined;
}

/** How often it is written down how far an entry of many messages is, in milliseconds: so much is sent once more after a kill. */
const noteEveryMs = 1_000;

/**
 * Sends what is kept, in its order and under its keys: so nothing is stored twice, whatever was
 * killed where. An entry is removed when all of it is stored. One that is damaged, or that the server does not take, stays and does
 * not hold up those after it; any other failure ends it. Only whoever has the lock may call it.
 */
export async function sendKept(options: SendKeptOptions): Promise<SendKeptOutcome> {
  const run = new SendKeptRun(options);
  try {
    await run.sendAll();
  } catch (error) {
    run.failure = { reason: error };
  } finally {
    options.context.output.progress(undefined);
    await run.connection.close();
  }
  return run;
}

/** Thrown around what the server said to an entry. */
class NotTaken extends Error {
  override readonly name = 'NotTaken';
  readonly error: ChatError;

  constructor(error: ChatError) {
    super(error.message);
    this.error = error;
  }
}

class SendKeptRun {
  sent = 0;
  readonly staying: Staying[] = [];
  readonly others = new Map<string, number>();
  failure: SendKeptOutcome['failure'];
  readonly connection: SharedConnection;
  readonly #options: SendKeptOptions;
  /** What opening a connection threw: that is nothing an entry has done. */
  #openFailure: unknown;
  /** What reading a file threw. */
  #readFailure: unknown;

  constructor(options: SendKeptOptions) {
    this.#options = options;
    this.connection = new SharedConnection(() => this.#open());
  }

  async sendAll(): Promise<void> {
    const { kept, context, upTo } = this.#options;
    const tried = new Set<string>();
    for (;;) {
      const all = await kept.ids();
      const wanted = upTo === undefined ? all : all.slice(0, all.indexOf(upTo) + 1);
      const ids = wanted.filter((id) => !tried.has(id));
      if (ids.length === 0) return;
      for (const id of ids) {
        if (context.signal.aborted) throw context.signal.reason;
        tried.add(id);
        await this.#try(id);
      }
    }
  }

  async #try(id: string): Promise<void> {
    const { kept, account, retriesRefused, upTo } = this.#options;
    try {
      const entry = await kept.read(id);
      if (entry === undefined) return;
      if (entry.head.user_id !== account.user_id) {
        const { username } = entry.head;
        this.others.set(username, (this.others.get(username) ?? 0) + 1);
        return;
      }
      if (entry.refused !== undefined && !retriesRefused && id !== upTo) return;
      await this.#send(entry);
    } catch (error) {
      if (error instanceof NotTaken) this.staying.push({ id, error: error.error });
      // Of a file that cannot be used nothing was sent.
      else if (error instanceof ChatError && error.code === 'invalid' && error !== this.#openFailure)
        this.staying.push({ id, error });
      else throw error;
    }
  }

  /** Sends one entry and removes it. */
  async #send(entry: KeptEntry): Promise<void> {
    const { kept, context, timeoutMs, sealer, onSent, onRetry } = this.#options;
    const progress = new EntryProgress(context, kept, entry);
    try {
      await context.host.client.sendMany({
        open: () => this.connection.take(),
        release: (connection) => this.connection.giveBack(connection),
        to: entry.head.to,
        seal: sealer.sealTo(entry.head.to),
        lines: this.#linesOf(entry),
        timeoutMs,
        signal: context.signal,
        onAck: (_n, stored) => {
          this.sent += 1;
          progress.stored(stored);
        },
        onRetry,
      });
    } catch (error) {
      await this.#onFailure(entry, progress, error);
    }
    await progress.settle();
    await kept.remove(entry.id);
    if (progress.last !== undefined) await onSent(entry, progress.last);
  }

  async #onFailure(entry: KeptEntry, progress: EntryProgress, error: unknown): Promise<never> {
    const { kept } = this.#options;
    await progress.settle();
    const { count } = progress;
    // A bug of the server's is not of the way either: it may be of this very message. Nor are keys that are not to be trusted.
    const isNotTaken =
      error instanceof ChatError &&
      error !== this.#openFailure &&
      error !== this.#readFailure &&
      (!mayBeTakenLater(error) || error.code === 'internal' || error.code === 'untrusted');
    const refused = isNotTaken ? { code: error.code, message: error.message } : entry.refused;
    // A help for later and no more: what was stored and is sent again has the same key.
    if (isNotTaken || count > entry.stored)
      await kept.note(entry.id, { stored: count, refused }).catch(() => {});
    throw isNotTaken ? new NotTaken(error) : error;
  }

  async *#linesOf(entry: KeptEntry): AsyncIterable<SendLine> {
    try {
      for await (const line of this.#options.kept.lines(entry))
        yield { text: line.text, key: keyOf(entry.head, line) };
    } catch (error) {
      this.#readFailure = error;
      throw error;
    }
  }

  async #open(): Promise<Connection> {
    const { context, account, timeoutMs, sealer } = this.#options;
    try {
      const session = await openSession(context, Math.min(callTimeoutMs, timeoutMs));
      sealer.use(session);
      if (session.userId === account.user_id) return session.connection;
      await session.connection.close();
      throw new ChatError(
        'unauthenticated',
        `logged in as ${session.username} by now, and what is kept is ${account.username}'s; log in with: chat login ${account.username}`,
      );
    } catch (error) {
      this.#openFailure = error;
      throw error;
    }
  }
}

/** How far an entry is. */
class EntryProgress {
  /** Messages of it that are stored. */
  count: number;
  last: Stored | undefined;
  readonly #context: CommandContext;
  readonly #kept: KeptMessages;
  readonly #entry: KeptEntry;
  readonly #pace: Pace;
  #notedAt = Date.now();
  #noting: Promise<void> | undefined;

  constructor(context: CommandContext, kept: KeptMessages, entry: KeptEntry) {
    this.#context = context;
    this.#kept = kept;
    this.#entry = entry;
    this.count = entry.stored;
    this.#pace = new Pace(entry.count, entry.stored);
  }

  stored(answer: Stored): void {
    this.last = answer;
    this.count += 1;
    this.#pace.reached(this.count - this.#entry.stored, this.count);
    this.#context.output.progress(() => `${this.#entry.id}: ${this.#pace.describe('sent')}`);
    if (this.#noting !== undefined || Date.now() - this.#notedAt < noteEveryMs) return;
    this.#notedAt = Date.now();
    // It spares work after a kill, and nothing else hangs on it.
    this.#noting = this.#kept
      .note(this.#entry.id, { stored: this.count, refused: undefined })
      .catch(() => {})
      .finally(() => {
        this.#noting = undefined;
      });
  }

  async settle(): Promise<void> {
    await this.#noting;
  }
}

/** `1 message`, `2,000 messages`. */
export function messagesText(count: number): string {
  return count === 1 ? '1 message' : `${grouped(count)} messages`;
}
