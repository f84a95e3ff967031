import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Connection } from '../../client/connection.ts';
import { ChatError } from '../../core/errors.ts';
import { conversationName, lobby, parseConversationName } from '../../core/model/conversation-name.ts';
import { maxLabelLength } from '../../core/policy.ts';
import { uuidV7 } from '../../core/random.ts';
import { type CommandContext, command } from '../command.ts';
import { exitOk } from '../exit-codes.ts';
import { BrokenPipe, type ByteSource } from '../host.ts';
import { type OptionTable, type OptionValues, timeoutOption, usageError } from '../options.ts';
import { callTimeoutMs, openSession, timeoutAsUnavailable } from '../session.ts';
import { checkText, type InputLine, readLines, readMessage } from '../text-input.ts';

const options = {
  file: {
    type: 'text',
    value: 'FILE',
    describe: 'take the text from a file instead of the arguments or stdin',
  },
  lines: { type: 'flag', describe: 'one message a line, over one connection; empty lines are skipped' },
  key: {
    type: 'text',
    value: 'KEY',
    describe:
      'idempotency key: sent again with the same one, nothing is stored twice; with --lines: KEY.1, KEY.2, … by line',
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
    'With --lines an input that turns bad ends it with exit 2 after the lines before were stored. Nothing is printed but with -o json.',
  options,
  operands: { min: 0, max: Number.POSITIVE_INFINITY, names: '' },
  examples: [
    ["chat send '@alice' lunch?", 'a private message'],
    ["make 2>&1 | tail -1 | chat send '#ops'", 'the text from a pipe'],
    ["chat send '#ops' --lines --key import-7 < log", 'a message a line; safe to run again'],
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
  const timeoutMs = values.timeout === undefined ? defaultTimeoutMs : values.timeout * 1000;
  const stored = await context.host.client.sendReliably({
    open: opener(context, timeoutMs),
    to,
    text,
    key: values.key ?? uuidV7(),
    timeoutMs,
    signal: context.signal,
    onRetry: (cause) => void context.output.detail(`trying again: ${cause.message}`),
  });
  await tellStored(context, { ...stored, to });
  await context.output.detail(`stored as ${to} ${stored.seq}`);
}

async function sendLines(context: CommandContext, to: string, values: SendValues): Promise<void> {
  const { output } = context;
  const input = await openInput(context, values.file);
  const timeoutMs = values.timeout === undefined ? defaultTimeoutMs : values.timeout * 1000;
  const prefix = values.key ?? uuidV7();
  const waiting: InputLine[] = [];
  let skipped = 0;
  let refused: unknown;
  let told: Promise<void> = Promise.resolve();
  const lines = async function* () {
    try {
      for await (const line of readLines(input.bytes())) {
        if (line.text === '') {
          skipped += 1;
          continue;
        }
        checkText(`line ${line.number}`, line.text);
        // A slow reader of the answers slows the reading of lines.
        await told;
        waiting.push(line);
        yield { text: line.text, key: `${prefix}.${line.number}` };
      }
    } catch (error) {
      // The lines before it are to be stored first.
      refused = error;
    }
  };
  let sent = 0;
  try {
    await context.host.client.sendMany({
      open: opener(context, timeoutMs),
      to,
      lines: lines(),
      timeoutMs,
      signal: context.signal,
      onRetry: (cause) => void output.detail(`trying again: ${cause.message}`),
      onAck: (_n, stored) => {
        const line = waiting.shift();
        sent += 1;
        const share = input.size && line ? ` ${Math.floor((line.endOffset / input.size) * 100)} %` : '';
        output.progress(`${sent} sent${share}`);
        told = told.then(() => tellStored(context, { ...stored, to, line: line?.number ?? null }));
      },
    });
    await told;
  } finally {
    output.progress(undefined);
  }
  if (skipped > 0)
    await output.note(skipped === 1 ? 'skipped 1 empty line' : `skipped ${skipped} empty lines`);
  await output.detail(`stored ${sent} messages`);
  if (refused instanceof ChatError) {
    throw new ChatError(
      refused.code,
      `${refused.message}; the ${sent} messages before it are stored`,
      refused.details,
    );
  }
  if (refused !== undefined) throw refused;
}
