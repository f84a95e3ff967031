import type { Connection } from '../client/connection.ts';
import type { Seal } from '../client/outbox.ts';
import type { Open } from '../client/send.ts';
import { ChatError } from '../core/errors.ts';
import type { CommandContext } from './command.ts';
import { LineFeed } from './line-feed.ts';
import { grouped, Pace } from './pace.ts';
import type { SendInput } from './send-input.ts';
import { tellStored } from './tell-stored.ts';

/** Lines that are to be sent. */
export interface LinesPlan {
  readonly to: string;
  readonly input: SendInput;
  /** What the keys begin with; a dot and the line's number follow. */
  readonly key: string;
  /** The first line to be sent. */
  readonly fromLine: number;
  readonly timeoutMs: number;
  readonly open: Open;
  /** Of a private conversation. */
  readonly seal?: Seal | undefined;
  /** What is to be done before; what it answers ends the sending before it began. */
  readonly before?: () => Promise<ChatError | undefined>;
  /** Keeps what could not be sent, and answers the error to end with. */
  readonly keep?: (failure: unknown, rest: UnsentLines) => Promise<unknown>;
}

/** What is left of the input when sending ended. */
export interface UnsentLines {
  readonly feed: LineFeed;
  /** How many messages are stored. */
  readonly sent: number;
}

/** A word for a shell, in quotes where it needs them. */
function shellWord(word: string): string {
  return /^[\w.,:/@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** `1 message is stored`, `2,000 messages are stored`. */
export function storedText(sent: number): string {
  return sent === 1 ? '1 message is stored' : `${grouped(sent)} messages are stored`;
}

/** `to go on, send the same lines with --key K --from-line 13`. */
export function toGoOn(key: string, line: number): string {
  return `to go on, send the same lines with --key ${shellWord(key)} --from-line ${line}`;
}

/** How far sending came, and how to go on. */
export function howToGoOn(sent: number, key: string, line: number): string {
  return `${storedText(sent)}; ${toGoOn(key, line)}`;
}

/** An error with how to go on after it. */
export function withAdvice(error: unknown, advice: string): unknown {
  if (!(error instanceof ChatError)) return error;
  return new ChatError(error.code, `${error.message}; ${advice}`, { ...error.details, cause: error });
}

/**
 * Sends one message a line, many under way at once. Throws what ended it, with how many are stored and how to go on; of an input
 * that turns bad the lines before are stored first. Only the lines under way are held in memory.
 */
export async function sendLines(context: CommandContext, plan: LinesPlan): Promise<void> {
  const { output, signal } = context;
  const feed = new LineFeed(plan.input.bytes(), plan.fromLine);
  const run = new LinesRun(context, plan, feed);
  let failure: { readonly reason: unknown } | undefined;
  try {
    const stopped = await plan.before?.();
    if (stopped !== undefined) throw stopped;
    await run.send();
  } catch (error) {
    failure = { reason: error };
  } finally {
    output.progress(undefined);
  }
  const { sent } = run;
  if (failure !== undefined) {
    const advice = howToGoOn(sent, plan.key, feed.firstUnstored);
    if (plan.keep !== undefined) throw await plan.keep(failure.reason, { feed, sent });
    if (signal.aborted) {
      await output.note(`stopped; ${advice}`);
      throw signal.reason;
    }
    // Before the first connection nothing can have been stored.
    throw run.hasConnected ? withAdvice(failure.reason, advice) : failure.reason;
  }
  await tellSkipped(context, feed);
  if (feed.problem !== undefined) {
    const { reason } = feed.problem;
    throw sent === 0 ? reason : withAdvice(reason, howToGoOn(sent, plan.key, feed.firstUnstored));
  }
  if (sent === 0 && plan.fromLine > 1)
    await output.note(`nothing was sent: there is no text from line ${plan.fromLine} on`);
  await output.detail(`stored ${sent} messages`);
}

/** Says how many empty lines were left out. */
async function tellSkipped({ output }: CommandContext, { skipped }: LineFeed): Promise<void> {
  if (skipped > 0)
    await output.note(skipped === 1 ? 'skipped 1 empty line' : `skipped ${skipped} empty lines`);
}

/** One pass over the lines. */
class LinesRun {
  sent = 0;
  hasConnected = false;
  readonly #context: CommandContext;
  readonly #plan: LinesPlan;
  readonly #feed: LineFeed;
  /** Bytes of the input before the first line that is sent are no part of the work. */
  #pace: Pace | undefined;
  #told: Promise<void> = Promise.resolve();
  #isOver = false;

  constructor(context: CommandContext, plan: LinesPlan, feed: LineFeed) {
    this.#context = context;
    this.#plan = plan;
    this.#feed = feed;
  }

  /** Resolves when all is stored and told; after a rejection no line is taken any more. */
  async send(): Promise<void> {
    const { to, timeoutMs, seal } = this.#plan;
    try {
      await this.#context.host.client.sendMany({
        open: (sessionEnd) => this.#open(sessionEnd),
        to,
        seal,
        lines: this.#lines(),
        timeoutMs,
        signal: this.#context.signal,
        onRetry: (cause) => this.#onRetry(cause),
        onAck: (_n, stored) => this.#onAck(stored),
      });
    } finally {
      this.#isOver = true;
      await this.#told;
    }
  }

  async #open(sessionEnd: ChatError | undefined): Promise<Connection> {
    const connection = await this.#plan.open(sessionEnd);
    this.hasConnected = true;
    return connection;
  }

  async *#lines(): AsyncIterable<{ text: string; key: string }> {
    for (;;) {
      const line = await this.#feed.peek();
      // A slow reader of the answers slows the reading of lines.
      await this.#told;
      if (line === undefined || this.#isOver) return;
      this.#feed.take(line);
      this.#feed.hold(line);
      this.#pace ??= new Pace(this.#plan.input.size, line.endOffset);
      yield { text: line.text, key: `${this.#plan.key}.${line.number}` };
    }
  }

  #onAck(stored: object): void {
    const line = this.#feed.release();
    this.sent += 1;
    this.#pace?.reached(this.sent, line?.endOffset ?? 0);
    this.#context.output.progress(() => this.#pace?.describe('sent') ?? '');
    if (this.#context.output.format !== 'json') return;
    const record = { ...stored, to: this.#plan.to, line: line?.number ?? null };
    this.#told = this.#told.then(() => tellStored(this.#context, record));
    // Whoever waits for it next is told.
    this.#told.catch(() => {});
  }

  #onRetry(cause: ChatError): void {
    const { output } = this.#context;
    output.progress(() => `${grouped(this.sent)} sent; trying again: ${cause.message}`);
    void output.detail(`trying again: ${cause.message}`);
  }
}
