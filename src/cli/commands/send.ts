import { checkText } from '../../client/check-text.ts';
import type { Open, Stored } from '../../client/send.ts';
import { ChatError } from '../../core/errors.ts';
import { conversationName, lobby, parseConversationName } from '../../core/model/conversation-name.ts';
import { maxLabelLength } from '../../core/policy.ts';
import { uuidV7 } from '../../core/random.ts';
import { type CommandContext, command } from '../command.ts';
import { exitOk } from '../exit-codes.ts';
import { type OptionTable, type OptionValues, refuseBoth, timeoutOption, usageError } from '../options.ts';
import type { Message } from '../outbox/keep-unsent.ts';
import { allowClearOption, createSealer, type Sealer } from '../sealer.ts';
import { openInput } from '../send-input.ts';
import type { LinesPlan } from '../send-lines.ts';
import { callTimeoutMs, openSession, savedAccount, timeoutAsUnavailable } from '../session.ts';
import { tellStored } from '../tell-stored.ts';
import { readMessage } from '../text-input.ts';

/** So many digits may a line's number add to a key, after a dot. */
const maxLineNumberDigits = 10;
const maxLineNumber = 10 ** maxLineNumberDigits - 1;

const options = {
  file: {
    type: 'text',
    value: 'FILE',
    complete: 'file',
    describe: 'take the text from a file instead of the arguments or stdin',
  },
  lines: { type: 'flag', describe: 'one message a line, over one connection; empty lines are skipped' },
  key: {
    type: 'text',
    value: 'KEY',
    describe:
      'idempotency key: sent again with the same one, nothing is stored twice; with --lines: KEY.1, KEY.2, … by line',
  },
  'from-line': {
    type: 'number',
    value: 'N',
    min: 1,
    max: maxLineNumber,
    whole: true,
    describe: 'with --lines: begin with the Nth line of the input; those before it are not looked at',
  },
  outbox: {
    type: 'flag',
    describe:
      "keep what could not be sent, for the next --outbox or chat outbox send; the exit code stays the failure's",
  },
  ...allowClearOption,
  timeout: timeoutOption('how long to keep trying, in seconds; with --lines: without progress; default 30'),
} as const satisfies OptionTable;

type SendValues = OptionValues<typeof options>;

const defaultTimeoutMs = 30_000;

/** Splits the operands: the first names the conversation if it begins with # or @, the others are the text. */
function splitOperands(operands: readonly string[]): { to: string; words: readonly string[] } {
  const [first, ...rest] = operands;
  if (first === undefined || !/^[#@]/.test(first)) {
    return { to: conversationName({ kind: 'room', room: lobby }), words: operands };
  }
  try {
    return { to: conversationName(parseConversationName(first)), words: rest };
  } catch (error) {
    if (!(error instanceof ChatError)) throw error;
    throw usageError(
      `${JSON.stringify(first)} is no #room or @user; text that begins so needs a target before it: chat send '#lobby' '${first}'`,
      'to',
    );
  }
}

function checkKey(key: string | undefined, lines: boolean): void {
  if (key === undefined) return;
  const most = lines ? maxLabelLength - maxLineNumberDigits - 1 : maxLabelLength;
  if ([...key].length > most || !key.isWellFormed() || /\p{Cc}/u.test(key)) {
    throw usageError(`--key takes 1 to ${most} characters and no control characters`, '--key');
  }
}

function checkFlags(values: SendValues, words: readonly string[]): void {
  if (words.length > 0 && values.file !== undefined)
    throw usageError('TEXT and --file cannot be given together', '--file');
  if (words.length > 0 && values.lines)
    throw usageError('TEXT and --lines cannot be given together: lines come from stdin or --file', '--lines');
  refuseBoth(values, 'outbox', 'allow-clear', 'what is kept is encrypted when it is sent');
  if (values['from-line'] !== undefined && !values.lines)
    throw usageError('--from-line goes with --lines: one message has no lines to count', '--from-line');
}

/** Sends text or lines, and answers only after the server has stored them. */
export const send = command({
  usage: ['send [TO] [TEXT…] [flags]', 'send [TO] --lines [flags]'],
  description:
    "Sends a message and exits 0 only after the server has stored it. TO is '#room' or '@user' when the first word begins " +
    'with # or @, and #lobby otherwise. The text is the other words, joined by a space, or else stdin, less one trailing ' +
    'newline. A server that is not there is tried again until --timeout, under one key, so that nothing is stored twice. ' +
    'A private message is encrypted, so that the server cannot read it; exit 9 when that cannot be done, or when the keys of its recipient ' +
    'are not the ones that are known here (chat trust). ' +
    'With --outbox what the server cannot take now is kept on this machine; 0 still means stored on the server. ' +
    'With --lines an input that turns bad ends it with exit 2 after the lines before were stored; whatever ends it, the error says how ' +
    'many are stored and how to go on. Nothing is printed but with -o json: an object for each stored message.',
  options,
  operands: { min: 0, max: Number.POSITIVE_INFINITY, names: '', complete: ['conversation', 'text'] },
  examples: [
    ["chat send '@alice' lunch?", 'a private message'],
    ["make 2>&1 | tail -1 | chat send '#ops'", 'the text from a pipe'],
    ["chat send '#ops' --lines --key import-7 < log", 'a message a line; safe to run again'],
    [
      "chat send '#ops' --lines --file log --key import-7 --from-line 4001",
      'the rest of it, after a failure',
    ],
    ["chat send '#ops' --outbox 'backup done'", 'sent later when the server is away'],
    ["chat send '#lobby' -- '-5 degrees'", 'text that begins with a dash goes after --'],
  ],
  // Whoever stops it is told how to go on.
  handlesSignals: true,
  async run({ options: values, operands }, context) {
    const { to, words } = splitOperands(operands);
    checkKey(values.key, values.lines);
    checkFlags(values, words);
    await timeoutAsUnavailable(() => sendAll(context, to, words, values));
    return exitOk;
  },
});

/** What one run of the command sends by. */
interface Sending {
  readonly timeoutMs: number;
  /** Connects and logs in, as often as the library asks; it closes what it got. */
  readonly open: Open;
  readonly sealer: Sealer;
}

function sendingBy(context: CommandContext, values: SendValues): Sending {
  const timeoutMs = timeoutOf(values);
  const refused = values.outbox ? 'refused-in-outbox' : 'refused';
  const sealer = createSealer(context, values['allow-clear'] ? 'allowed' : refused);
  const open: Open = async (sessionEnd) => {
    const session = await openSession(context, Math.min(callTimeoutMs, timeoutMs), sessionEnd);
    sealer.use(session);
    return session.connection;
  };
  return { timeoutMs, open, sealer };
}

async function sendAll(
  context: CommandContext,
  to: string,
  words: readonly string[],
  values: SendValues,
): Promise<void> {
  const sending = sendingBy(context, values);
  if (values.lines) {
    await sendLines(context, to, values, sending);
    return;
  }
  const text = await unlessStopped(context.signal, readText(context, words, values));
  checkText('the text', text);
  const message = { to, text, key: values.key ?? uuidV7() };
  if (values.outbox) await sendThroughOutbox(context, message, sending);
  else await unlessStopped(context.signal, sendOne(context, message, sending));
}

/** Throws what asked for the end as soon as it does. */
async function unlessStopped<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const stopped = new Promise<never>((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  return await Promise.race([work, stopped]);
}

function timeoutOf({ timeout }: SendValues): number {
  return timeout === undefined ? defaultTimeoutMs : timeout * 1000;
}

async function readText(
  context: CommandContext,
  words: readonly string[],
  { file }: SendValues,
): Promise<string> {
  if (words.length > 0) return words.join(' ');
  const input = await openInput(context, file);
  return await readMessage(input.label, input);
}

async function sendOne(
  context: CommandContext,
  message: Message,
  { open, timeoutMs, sealer }: Sending,
): Promise<void> {
  const stored = await context.host.client.sendReliably({
    open,
    ...message,
    seal: sealer.sealTo(message.to),
    timeoutMs,
    signal: context.signal,
    onRetry: (cause) => void context.output.detail(`trying again: ${cause.message}`),
  });
  await tellOne(context, message, stored);
}

async function tellOne(context: CommandContext, { to }: Message, stored: Stored): Promise<void> {
  await tellStored(context, { ...stored, to });
  await context.output.detail(`stored as ${to} ${stored.seq}`);
}

/** Keeps a message until it is stored. When it cannot be kept that is said, and it is sent all the same. */
async function sendThroughOutbox(context: CommandContext, message: Message, sending: Sending): Promise<void> {
  const { keepAndSend, CannotKeep, notKept } = await import('../outbox/keep-unsent.ts');
  const account = await savedAccount(context);
  try {
    const outcome = await keepAndSend({ context, account, ...sending }, message);
    // Under its key the answer is the first one again.
    if (outcome === 'gone') await unlessStopped(context.signal, sendOne(context, message, sending));
    else await tellOne(context, message, outcome.stored);
  } catch (error) {
    if (!(error instanceof CannotKeep)) throw error;
    await context.output.note(`warning: not kept: ${error.message}`);
    await unlessStopped(
      context.signal,
      sendOne(context, message, sending).catch((failure: unknown) => {
        throw notKept(failure, error.reason, 'it is NOT kept');
      }),
    );
  }
}

async function sendLines(
  context: CommandContext,
  to: string,
  values: SendValues,
  sending: Sending,
): Promise<void> {
  const { timeoutMs, open, sealer } = sending;
  const lines = await import('../send-lines.ts');
  const account = values.outbox ? await savedAccount(context) : undefined;
  const plan: LinesPlan = {
    to,
    input: await openInput(context, values.file),
    key: values.key ?? uuidV7(),
    fromLine: values['from-line'] ?? 1,
    timeoutMs,
    open,
    seal: sealer.sealTo(to),
  };
  if (account === undefined) {
    await lines.sendLines(context, plan);
    return;
  }
  const { sendEarlier, keepLines } = await import('../outbox/keep-unsent.ts');
  const use = { context, account, timeoutMs, sealer };
  await lines.sendLines(context, {
    ...plan,
    before: () => sendEarlier(use),
    keep: (failure, rest) => keepLines(use, plan, failure, rest),
  });
}
