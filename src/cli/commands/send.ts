import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Connection } from '../../client/connection.ts';
import type { SendLine, Stored } from '../../client/send.ts';
import { ChatError } from '../../core/errors.ts';
import { conversationName, lobby, parseConversationName } from '../../core/model/conversation-name.ts';
import { maxLabelLength } from '../../core/policy.ts';
import { uuidV7 } from '../../core/random.ts';
import { type CommandContext, command } from '../command.ts';
import { exitOk } from '../exit-codes.ts';
import { BrokenPipe, type ByteSource } from '../host.ts';
import { openKeptMessages } from '../kept-messages.ts';
import { type OptionTable, type OptionValues, timeoutOption, usageError } from '../options.ts';
import { isWorthKeeping, sendKept, whenFree } from '../outbox-run.ts';
import type { Output } from '../output.ts';
import { callTimeoutMs, openSession, savedUsername, timeoutAsUnavailable } from '../session.ts';
import { checkText, type InputLine, readLines, readMessage } from '../text-input.ts';

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
    max: 9_999_999_999,
    whole: true,
    describe: 'with --lines: skip the lines before line N, which are stored already; keys stay as they are',
  },
  outbox: {
    type: 'flag',
    describe:
      "keep what could not be sent, for the next --outbox or chat outbox send; the exit code stays the failure's",
  },
  timeout: timeoutOption('how long to keep trying, in seconds; with --lines: without progress; default 30'),
} as const satisfies OptionTable;

type SendValues = OptionValues<typeof options>;

const defaultTimeoutMs = 30_000;
/** What a line's number may add to a key: a dot and ten digits. */
const keySuffixLength = 11;

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
  const most = lines ? maxLabelLength - keySuffixLength : maxLabelLength;
  if ([...key].length > most || !key.isWellFormed() || /\p{Cc}/u.test(key)) {
    throw usageError(`--key takes 1 to ${most} characters and no control characters`, '--key');
  }
}

/** Opens the file or stdin; throws `invalid` (exit 2) for a file that cannot be read and for a terminal, where nobody would know what is waited for. */
async function openInput(
  context: CommandContext,
  file: string | undefined,
): Promise<Pick<ByteSource, 'bytes'> & { label: string; size: number | undefined }> {
  if (file !== undefined) {
    try {
      const found = await stat(file);
      if (found.isDirectory()) throw usageError(`--file: ${file} is a directory`, '--file');
      const size = found.isFile() ? found.size : undefined;
      return { label: '--file', size, bytes: () => readFileBytes(file) };
    } catch (error) {
      throw unreadable(file, error);
    }
  }
  const { stdin } = context.host;
  if (stdin.isTerminal) {
    throw usageError(
      "no text; give it as an argument or on stdin (a shell drops an unquoted #room: chat send '#ops' hello)",
    );
  }
  return { label: 'stdin', size: undefined, bytes: () => stdin.bytes() };
}

function unreadable(file: string, error: unknown): unknown {
  if (error instanceof ChatError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  return usageError(`--file: cannot read ${file} (${code})`, '--file');
}

async function* readFileBytes(file: string): AsyncIterable<Uint8Array> {
  try {
    for await (const chunk of createReadStream(file)) {
      if (chunk instanceof Uint8Array) yield chunk;
    }
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** Sends text or lines, and answers only after the server has stored them. */
export const send = command({
  usage: ['send [TO] [TEXT…] [flags]', 'send [TO] --lines [flags]'],
  description:
    "Sends a message and exits 0 only after the server has stored it. TO is '#room' or '@user' when the first word begins " +
    'with # or @, and #lobby otherwise. The text is the other words, joined by a space, or else stdin, less one trailing ' +
    'newline. A server that is not there is tried again until --timeout, under one key, so that nothing is stored twice. ' +
    'With --outbox a message that cannot be sent now is kept on this machine; 0 still means stored on the server. ' +
    'With --lines an input that turns bad ends it with exit 2 after the lines before were stored. Nothing is printed but with -o json.',
  options,
  operands: { min: 0, max: Number.POSITIVE_INFINITY, names: '', complete: ['conversation', 'text'] },
  examples: [
    ["chat send '@alice' lunch?", 'a private message'],
    ["make 2>&1 | tail -1 | chat send '#ops'", 'the text from a pipe'],
    ["chat send '#ops' --lines --key import-7 < log", 'a message a line; safe to run again'],
    ["chat send --outbox '#ops' 'backup done'", 'is sent later when the server is away'],
    ["chat send '#lobby' -- '-5 degrees'", 'text that begins with a dash goes after --'],
  ],
  async run({ options: values, operands }, context) {
    const { to, words } = splitOperands(operands);
    checkKey(values.key, values.lines);
    if (words.length > 0 && values.file !== undefined)
      throw usageError('TEXT and --file cannot be given together', '--file');
    if (words.length > 0 && values.lines)
      throw usageError(
        'TEXT and --lines cannot be given together: lines come from stdin or --file',
        '--lines',
      );
    if (values['from-line'] !== undefined && !values.lines)
      throw usageError('--from-line goes with --lines: a single message has no lines to skip', '--from-line');
    await timeoutAsUnavailable(() =>
      values.lines ? sendLines(context, to, values) : sendOne(context, to, words, values),
    );
    return exitOk;
  },
});

/** Connects and logs in, as often as the library asks; it closes what it got. */
function opener(context: CommandContext, timeoutMs: number): () => Promise<Connection> {
  return async () => (await openSession(context, Math.min(callTimeoutMs, timeoutMs))).connection;
}

/** Tells about a stored message; a reader that has gone does not stop the sending. */
async function tellStored(context: CommandContext, record: object): Promise<void> {
  if (context.output.format !== 'json') return;
  try {
    await context.output.result(record, []);
  } catch (error) {
    if (!(error instanceof BrokenPipe)) throw error;
  }
}

const timeoutMsOf = (values: SendValues): number =>
  values.timeout === undefined ? defaultTimeoutMs : values.timeout * 1000;

async function sendOne(
  context: CommandContext,
  to: string,
  words: readonly string[],
  values: SendValues,
): Promise<void> {
  let text = words.join(' ');
  if (words.length === 0) {
    const input = await openInput(context, values.file);
    text = await readMessage(input.label, input);
  }
  checkText('the text', text);
  const message = { text, key: values.key ?? uuidV7() };
  const stored = values.outbox
    ? await sendThroughOutbox(context, to, message, timeoutMsOf(values))
    : await sendNow(context, to, message, timeoutMsOf(values));
  await tellStored(context, { ...stored, to });
  await context.output.detail(`stored as ${to} ${stored.seq}`);
}

function sendNow(context: CommandContext, to: string, message: SendLine, timeoutMs: number): Promise<Stored> {
  return context.host.client.sendReliably({
    open: opener(context, timeoutMs),
    to,
    ...message,
    timeoutMs,
    signal: context.signal,
    onRetry: (cause) => void context.output.detail(`trying again: ${cause.message}`),
  });
}

/** Keeps the message first, then sends it after those that were kept before it: whatever happens, it is not lost. */
async function sendThroughOutbox(
  context: CommandContext,
  to: string,
  message: SendLine,
  timeoutMs: number,
): Promise<Stored> {
  const kept = openKeptMessages(context);
  const username = await savedUsername(context);
  const own = await keepIfPossible(context, () => kept.keep(username, to, message));
  if (own === undefined) return await sendNow(context, to, message, timeoutMs);
  try {
    return await whenFree(kept, timeoutMs, async () => {
      const { entries } = await kept.list();
      const earlier = entries.filter(
        ({ id, username: whose, refused }) => id < own.id && whose === username && refused === undefined,
      );
      const onStored = () => {};
      await sendKept({ context, kept, timeoutMs, onStored }, earlier);
      // Another process may have sent it by now: the answer is the same again.
      const stored = await sendNow(context, to, message, timeoutMs);
      await kept.remove(own.id);
      return stored;
    });
  } catch (error) {
    if (isWorthKeeping(error)) throw isKept(error);
    await kept.remove(own.id);
    throw error;
  }
}

/** Keeping is for when sending fails: when it fails itself, that is said, and what can be sent is sent all the same. */
async function keepIfPossible<T>(context: CommandContext, keep: () => Promise<T>): Promise<T | undefined> {
  try {
    return await keep();
  } catch (error) {
    if (!(error instanceof ChatError)) throw error;
    await context.output.note(`warning: not kept: ${error.message}`);
    return undefined;
  }
}

/** The same failure, saying that nothing is lost. */
function isKept(error: ChatError): ChatError {
  return new ChatError(
    error.code,
    `${error.message}; kept, and sent by the next --outbox or by: chat outbox send`,
    {
      ...error.details,
      cause: error,
    },
  );
}

/** What is known about a stream of lines while it is sent. */
interface LinesRun {
  /** Lines that the server has not acknowledged, in order. */
  readonly waiting: InputLine[];
  sent: number;
  skipped: number;
  /** What is wrong with the input, which ends it. */
  refused: unknown;
  /** The number of the last line that was read. */
  lastLine: number;
}

async function sendLines(context: CommandContext, to: string, values: SendValues): Promise<void> {
  const { output } = context;
  const input = await openInput(context, values.file);
  const timeoutMs = timeoutMsOf(values);
  const prefix = values.key ?? uuidV7();
  const username = values.outbox ? await savedUsername(context) : undefined;
  let spool =
    username === undefined
      ? undefined
      : await keepIfPossible(context, () => openKeptMessages(context).spool(username, to));
  const keepLine = async (message: SendLine): Promise<void> => {
    const open = spool;
    if (open === undefined) return;
    const isKept = await keepIfPossible(context, async () => {
      await open.add(message);
      return true;
    });
    if (isKept) return;
    spool = undefined;
    await open.drop();
  };
  const run: LinesRun = { waiting: [], sent: 0, skipped: 0, refused: undefined, lastLine: 0 };
  const lines = readMessages(input, run, prefix, values['from-line'] ?? 1);
  const progress = lineProgress(output, input.size);
  let told: Promise<void> = Promise.resolve();
  // Not `for await`, which would end the input with the sending: with --outbox the rest of it is still to be read.
  const toSend = async function* () {
    for (;;) {
      // A slow reader of the answers slows the reading of lines.
      await told;
      const next = await lines.next();
      if (next.done) return;
      await keepLine(next.value);
      yield next.value;
    }
  };
  try {
    await context.host.client.sendMany({
      open: opener(context, timeoutMs),
      to,
      lines: toSend(),
      timeoutMs,
      signal: context.signal,
      onRetry: (cause) => void output.detail(`trying again: ${cause.message}`),
      onAck: (_n, stored) => {
        const line = run.waiting.shift();
        run.sent += 1;
        progress(run.sent, line?.endOffset);
        told = told.then(async () => {
          await spool?.settle(1);
          await tellStored(context, { ...stored, to, line: line?.number ?? null });
        });
      },
    });
    await told;
    await spool?.drop();
  } catch (error) {
    output.progress(undefined);
    if (!(error instanceof ChatError)) throw error;
    await told;
    if (spool !== undefined && isWorthKeeping(error)) {
      await output.note(`${error.message}; keeping the rest`);
      for (let next = await lines.next(); !next.done; next = await lines.next()) {
        run.waiting.length = 0;
        await keepLine(next.value);
      }
    }
    if (spool !== undefined && isWorthKeeping(error)) {
      await spool.keep();
      throw isKept(withProgress(error, run));
    }
    await spool?.drop();
    throw resumable(withProgress(error, run), run, prefix);
  } finally {
    output.progress(undefined);
    // Not waited for: the next line may never come.
    void lines.return(undefined);
  }
  if (run.skipped > 0)
    await output.note(run.skipped === 1 ? 'skipped 1 empty line' : `skipped ${run.skipped} empty lines`);
  await output.detail(`stored ${run.sent} messages`);
  if (run.refused instanceof ChatError) {
    throw new ChatError(
      run.refused.code,
      `${run.refused.message}; the ${run.sent} messages before it are stored`,
      run.refused.details,
    );
  }
  if (run.refused !== undefined) throw run.refused;
}

/** The messages of an input, each with its key; an input that turns bad ends them, and `run` says why. */
async function* readMessages(
  input: Pick<ByteSource, 'bytes'>,
  run: LinesRun,
  prefix: string,
  fromLine: number,
): AsyncGenerator<SendLine, void, undefined> {
  try {
    for await (const line of readLines(input.bytes())) {
      run.lastLine = line.number;
      if (line.number < fromLine) continue;
      if (line.text === '') {
        run.skipped += 1;
        continue;
      }
      checkText(`line ${line.number}`, line.text);
      run.waiting.push(line);
      yield { text: line.text, key: `${prefix}.${line.number}` };
    }
  } catch (error) {
    // The lines before it are to be stored first.
    run.refused = error;
  }
}

function withProgress(error: ChatError, { sent }: LinesRun): ChatError {
  const stored = sent === 1 ? '1 message is stored' : `${sent} messages are stored`;
  return new ChatError(error.code, `${error.message}; ${stored}`, { ...error.details, cause: error });
}

/** Says how the same input can be sent on without storing anything twice. */
function resumable(error: ChatError, { waiting, lastLine }: LinesRun, prefix: string): ChatError {
  const next = waiting[0]?.number ?? lastLine + 1;
  return new ChatError(error.code, `${error.message}; go on with --key '${prefix}' --from-line ${next}`, {
    ...error.details,
    cause: error,
  });
}

/** Shows how far a long input is: messages, share, rate and time left, as far as they are known. */
function lineProgress(
  output: Output,
  size: number | undefined,
): (sent: number, endOffset: number | undefined) => void {
  const startedAt = performance.now();
  return (sent, endOffset) => {
    const seconds = (performance.now() - startedAt) / 1000;
    const share = size && endOffset ? endOffset / size : undefined;
    const rate = seconds >= 1 ? `, ${Math.round(sent / seconds)}/s` : '';
    const left = share && seconds >= 1 ? `, ${Math.ceil(seconds / share - seconds)} s left` : '';
    output.progress(
      `${sent} sent${share === undefined ? '' : ` ${Math.floor(share * 100)} %`}${rate}${left}`,
    );
  };
}
