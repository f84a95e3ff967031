import { pause } from '../../client/backoff.ts';
import type { Stored } from '../../client/send.ts';
import { ChatError } from '../../core/errors.ts';
import type { CommandContext } from '../command.ts';
import type { HeldLock } from '../held-lock.ts';
import { grouped } from '../pace.ts';
import type { Sealer } from '../sealer.ts';
import {
  howToGoOn,
  type LinesPlan,
  storedText,
  toGoOn,
  type UnsentLines,
  withAdvice,
} from '../send-lines.ts';
import type { Account } from '../session.ts';
import type { InputLine } from '../text-input.ts';
import { type Keeping, KeptMessages } from './kept-messages.ts';
import { mayBeTakenLater } from './may-be-taken-later.ts';
import { type SendKeptOutcome, sendKept } from './send-kept.ts';

/** `chat send --outbox`: what it is about. */
export interface OutboxUse {
  readonly context: CommandContext;
  /** Who sends. */
  readonly account: Account;
  readonly timeoutMs: number;
  readonly sealer: Sealer;
}

/** How often a lock that another process has is looked at, in milliseconds. */
const pollMs = 100;

/**
 * Takes the lock, waiting for another process for at most `waitMs`; throws what `busy` answers when that was not enough, and
 * undefined when nothing was ever kept.
 */
export async function lockWithin(
  kept: KeptMessages,
  waitMs: number,
  busy: (who: string) => ChatError,
  signal: AbortSignal,
): Promise<HeldLock | undefined> {
  const giveUpAt = performance.now() + waitMs;
  for (;;) {
    let refusal: ChatError | undefined;
    try {
      return await kept.lock((who) => {
        refusal = busy(who);
        return refusal;
      });
    } catch (error) {
      if (refusal === undefined || error !== refusal || performance.now() >= giveUpAt) throw error;
      await pause(pollMs, signal);
      if (signal.aborted) throw signal.reason;
    }
  }
}

const keptAs = (id: string): string =>
  `kept in the outbox as ${id}, for the next --outbox or chat outbox send`;

/** What came of a message that was kept and then sent. */
export type KeptFirst =
  | { readonly stored: Stored }
  /** It is not in the outbox any more: another process has sent it, or somebody has dropped it. */
  | 'gone';

/** One message, checked. */
export interface Message {
  readonly to: string;
  readonly text: string;
  readonly key: string;
}

/** The outbox cannot be written. */
export class CannotKeep extends Error {
  override readonly name = 'CannotKeep';
  readonly reason: ChatError;

  constructor(reason: ChatError) {
    super(reason.message);
    this.reason = reason;
  }
}

/**
 * Keeps a message first and sends it after all that were kept before it: so their order holds, and it is not lost, whatever
 * happens. Throws what to end with, saying when it stays in the outbox; what the server does not take is not kept. Throws
 * {@link CannotKeep} when nothing was done.
 */
export async function keepAndSend(use: OutboxUse, message: Message): Promise<KeptFirst> {
  const { signal, output } = use.context;
  const kept = new KeptMessages(use.context);
  const id = await keepOne(use, kept, message).catch((error: unknown) => {
    throw error instanceof ChatError ? new CannotKeep(error) : error;
  });
  const stays = keptAs(id);
  const { failure, own, stored } = await sendUpTo(use, kept, id);
  if (stored !== undefined) return { stored };
  if (own === undefined && signal.aborted) {
    await output.note(`stopped; ${stays}`);
    throw signal.reason;
  }
  if (failure !== undefined) throw withAdvice(failure.reason, stays);
  if (own === undefined) return 'gone';
  // A bug of the server's may be mended one day.
  if (mayBeTakenLater(own)) throw withAdvice(own, stays);
  await kept.remove(id);
  throw own;
}

async function keepOne(
  { account }: OutboxUse,
  kept: KeptMessages,
  { to, text, key }: Message,
): Promise<string> {
  const keeping = await kept.begin(account, { kind: 'message', to, key });
  try {
    await keeping.add({ n: 1, text });
    return await keeping.keep();
  } catch (error) {
    await keeping.abandon();
    throw error;
  }
}

/** What came of sending what is kept up to an entry, and of that entry itself. */
interface UpToOutcome {
  readonly failure?: SendKeptOutcome['failure'];
  /** Why the server did not take it. */
  readonly own?: ChatError | undefined;
  readonly stored?: Stored | undefined;
}

/** Waits for its turn, then sends all that is kept up to `id`; of other entries that stay it says why. */
async function sendUpTo(
  { context, account, timeoutMs, sealer }: OutboxUse,
  kept: KeptMessages,
  id?: string,
): Promise<UpToOutcome> {
  const { output, signal } = context;
  let lock: HeldLock | undefined;
  try {
    lock = await lockWithin(kept, timeoutMs, busy, signal);
  } catch (error) {
    return { failure: { reason: error } };
  }
  let stored: Stored | undefined;
  try {
    const { sent, staying, failure } = await sendKept({
      context,
      kept,
      account,
      timeoutMs,
      sealer,
      retriesRefused: false,
      ...(id === undefined ? {} : { upTo: id }),
      onSent(entry, last) {
        if (entry.id === id) stored = last;
      },
      onRetry: (cause) => void output.detail(`trying again: ${cause.message}`),
    });
    const own = staying.find((one) => one.id === id);
    for (const one of staying)
      if (one !== own) await output.note(`outbox: ${one.id} stays: ${one.error.message}`);
    await output.detail(`sent ${sent} from the outbox`);
    return { failure, own: own?.error, stored };
  } finally {
    await lock?.release();
  }
}

function busy(who: string): ChatError {
  return new ChatError('unavailable', `${who} is sending from the outbox`);
}

/**
 * Sends what was kept before lines that are to be sent, so that the order holds. Answers why that ended too early, which keeps the
 * lines back too. An outbox that cannot be read is no reason not to send.
 */
export async function sendEarlier(use: OutboxUse): Promise<ChatError | undefined> {
  const kept = new KeptMessages(use.context);
  try {
    if ((await kept.ids()).length === 0) return undefined;
  } catch (error) {
    if (!(error instanceof ChatError)) throw error;
    await use.context.output.note(`warning: ${error.message}`);
    return undefined;
  }
  const { failure } = await sendUpTo(use, kept);
  if (failure === undefined) return undefined;
  if (failure.reason instanceof ChatError) return failure.reason;
  throw failure.reason;
}

/** A failure of what could not be kept either: `invalid` (exit 2), so that no other code ever means that something is lost. */
export function notKept(failure: unknown, reason: ChatError, what: string): unknown {
  if (!mayBeTakenLater(failure)) return failure;
  return new ChatError('invalid', `${failure.message}; ${what}: ${reason.message}`, { cause: failure });
}

/**
 * Keeps the lines that are not stored, and the rest of the input to its end; a signal ends that. Answers what to end with: the
 * failure, saying so; what the server does not take is not kept. Few lines are in memory at a time.
 */
export async function keepLines(
  { context, account }: OutboxUse,
  plan: Pick<LinesPlan, 'to' | 'key'>,
  failure: unknown,
  rest: UnsentLines,
): Promise<unknown> {
  const { signal, output } = context;
  const { feed, sent } = rest;
  const first = feed.firstUnstored;
  if (!signal.aborted && !mayBeTakenLater(failure))
    return withAdvice(failure, howToGoOn(sent, plan.key, first));
  let keeping: Keeping | undefined;
  try {
    keeping = await new KeptMessages(context).begin(account, { kind: 'lines', to: plan.to, key: plan.key });
    await copyRest(context, keeping, rest);
    if (keeping.count === 0) await keeping.abandon();
    const kept = keeping.count === 0 ? undefined : await keeping.keep();
    const words = [storedText(sent)];
    if (kept !== undefined) words.push(`${grouped(keeping.count)} ${keptAs(kept)}`);
    const advice = toGoOn(plan.key, feed.firstUnread);
    if (signal.aborted) {
      await output.note(['stopped', ...words, advice].join('; '));
      return signal.reason;
    }
    if (feed.problem === undefined) return withAdvice(failure, words.join('; '));
    if (failure instanceof ChatError) words.unshift(failure.message);
    return withAdvice(feed.problem.reason, [...words, advice].join('; '));
  } catch (error) {
    await keeping?.abandon();
    if (!(error instanceof ChatError)) return error;
    return notKept(failure, error, `${howToGoOn(sent, plan.key, first)}; NOT kept`);
  } finally {
    output.progress(undefined);
  }
}

async function copyRest(
  { output, signal }: CommandContext,
  keeping: Keeping,
  { feed }: UnsentLines,
): Promise<void> {
  for (const { number, text } of feed.held) await keeping.add({ n: number, text });
  let stop = (): void => {};
  signal.addEventListener('abort', () => stop(), { once: true });
  for (;;) {
    if (signal.aborted) return;
    // Not a race with one promise for all lines: it would remember each of them.
    const line = await new Promise<InputLine | undefined>((resolve) => {
      stop = () => resolve(undefined);
      void feed.peek().then(resolve);
    });
    if (line === undefined) return;
    feed.take(line);
    await keeping.add({ n: line.number, text: line.text });
    output.progress(() => `${grouped(keeping.count)} kept in the outbox`);
  }
}
