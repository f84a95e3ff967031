import type { StartingPoint } from '../../client/follow.ts';
import { ChatError } from '../../core/errors.ts';
import { conversationName, parseConversationName } from '../../core/model/conversation-name.ts';
import { command } from '../command.ts';
import { exitOk } from '../exit-codes.ts';
import { type OptionTable, type OptionValues, refuseBoth, timeoutOption, usageError } from '../options.ts';
import { timeoutAsUnavailable } from '../session.ts';
import { parseSince } from '../since.ts';
import { type Limits, startLimits } from '../tail-limits.ts';
import {
  beginningOfTime,
  handOverAndFollow,
  handOverOnce,
  type Plan,
  type Progress,
  type Run,
} from '../tail-run.ts';

const options = {
  last: {
    type: 'number',
    alias: 'n',
    value: 'N',
    min: 0,
    max: 1_000_000,
    whole: true,
    describe: 'begin with the last N messages of each conversation; default 10',
  },
  since: {
    type: 'text',
    value: 'WHEN',
    describe:
      'begin after a message id, at a time (UTC unless it has a zone), a duration ago (90s, 10m, 2h, 1d), or all',
  },
  once: { type: 'flag', describe: 'print what is there and end' },
  count: {
    type: 'number',
    value: 'N',
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
    whole: true,
    describe: 'end after N messages',
  },
  durable: {
    type: 'text',
    value: 'NAME',
    describe:
      'go on where the last run under this NAME ended; -n and --since are for what it does not know yet. Every message comes at least once',
  },
  exec: {
    type: 'text',
    value: 'CMD',
    describe:
      'run CMD by the shell for each message, one at a time, instead of printing: CHAT_MESSAGE_TO, _SEQ, _ID, _SENDER, _SENT_AT and _TEXT (or _ENVELOPE) are in its environment, the JSON of -o json on its stdin',
  },
  'exec-errors': {
    type: 'choice',
    choices: ['stop', 'continue'],
    describe: 'what a command that fails does to the rest; default stop, with exit 1',
  },
  own: { type: 'flag', describe: 'with own messages; the default, but not with --exec' },
  'no-own': { type: 'flag', describe: 'without own messages; the default with --exec' },
  timeout: timeoutOption(
    'end after so many seconds; exit 10 if that was before the end (--once) or before --count',
  ),
} as const satisfies OptionTable;

type TailValues = OptionValues<typeof options>;

const defaultLast = 10;

function parseTargets(operands: readonly string[]): string[] {
  return [...new Set(operands.map((operand) => conversationName(parseConversationName(operand, 'TO'))))];
}

function parseFrom(values: TailValues, targets: readonly string[], now: number): StartingPoint {
  refuseBoth(values, 'last', 'since', 'both say where to begin');
  if (values.since === undefined) return { last: values.last ?? defaultLast };
  const since = parseSince(values.since, now);
  if (since.kind === 'all') return { since: beginningOfTime };
  if (since.kind === 'time') return { since: since.at };
  if (targets.length !== 1)
    throw usageError('--since ID needs exactly one conversation: chat tail TO --since ID', '--since');
  return { after_id: since.id };
}

const cursorShape = /^[a-z0-9][a-z0-9._-]{0,31}$/;

function parseCursorName(given: string): string {
  if (cursorShape.test(given)) return given;
  throw usageError(
    "--durable takes 1 to 32 characters of a-z, 0-9, '.', '_' and '-', and begins with a letter or digit",
    '--durable',
  );
}

function parsePlan(values: TailValues, operands: readonly string[], now: number): Plan {
  refuseBoth(values, 'own', 'no-own', 'they ask for opposite things');
  if (values['exec-errors'] !== undefined && values.exec === undefined)
    throw usageError('--exec-errors goes with --exec', '--exec-errors');
  const targets = parseTargets(operands);
  return {
    targets,
    from: parseFrom(values, targets, now),
    durable: values.durable === undefined ? undefined : parseCursorName(values.durable),
    exec: values.exec,
    onExecError: values['exec-errors'] ?? 'stop',
    follows: !values.once,
    showsOwn: values.exec === undefined ? !values['no-own'] : values.own,
  };
}

/** Runs `work`; what breaks because a limit has closed its connection is no failure. */
async function endingQuietly(limits: Limits, work: () => Promise<void>): Promise<void> {
  try {
    await timeoutAsUnavailable(work);
  } catch (error) {
    const isCut = limits.signal.aborted && error instanceof ChatError && error.code === 'unavailable';
    if (!isCut) throw error;
  }
}

/** Told at the end, so that no script takes a line of it for what somebody has said. */
function failedText(count: number): ChatError {
  const messages = count === 1 ? '1 encrypted message' : `${count} encrypted messages`;
  return new ChatError('untrusted', `${messages} did not hold and cannot be read; each says why`);
}

/** Prints messages and follows. */
export const tail = command({
  usage: ['tail [TO…] [flags]'],
  description:
    "Prints messages and follows. TO is '#room' or '@user'; without one, all own conversations, each line with its " +
    'conversation. Lines are "2019-11-01 09:30:00 sam: text" in UTC; control characters are shown escaped. A lost ' +
    'connection is made again, without a gap or a repeat. Without --count, --timeout is no failure.\n\n' +
    'A private message has how it has come before its text: [encrypted] when it was encrypted and signed by its sender, [verified] when the ' +
    "two of you have also compared safety numbers (chat keys verify), [clear] when the server could read it, and in the text's place " +
    '[failed: …] when it was changed or forged, which ends chat tail with exit 9.\n\n' +
    '--durable: every message is handed over at least once, whatever is killed, and exactly once for who drops ids ' +
    'that came before (-o json). The cursor moves when a line was accepted by stdout, or the command ended with 0. ' +
    'Once it was used for all own conversations, one that it does not know begins at its start.\n\n' +
    '--exec: CMD is run by sh -c (Windows: cmd.exe). A text with a NUL is in the JSON on stdin only. When tail is to ' +
    'end, a command that runs gets SIGTERM, and SIGKILL after 5 s.',
  options,
  operands: { min: 0, max: Number.POSITIVE_INFINITY, names: '', complete: ['conversation'] },
  handlesSignals: true,
  examples: [
    ["chat tail '#ops' -n 20", 'the last 20 messages, then live ones'],
    ['chat tail --since 2h --once', 'the last two hours of everything'],
    [
      "chat tail '@deploy' -n 0 --count 1 --timeout 60 -o json",
      'waits a minute for one new message; exit 10 without one',
    ],
    ["chat tail '#ops' --durable watch -o json >>ops.jsonl", 'run again after a crash, it misses nothing'],
    ['chat tail --durable seen --once', 'what is new since the last time'],
    [
      `chat tail '#help' --durable bot -n 0 --exec 'chat send "@$CHAT_MESSAGE_SENDER" "somebody will come"'`,
      'answers each message, also those that came while it was down',
    ],
  ],
  async run({ options: values, operands }, context) {
    const plan = parsePlan(values, operands, context.host.now());
    const limits = startLimits(context, values);
    const progress: Progress = { handedOver: 0, isAtEnd: false, failed: 0 };
    const run: Run = { context, plan, limits, progress };
    try {
      await endingQuietly(limits, () => (values.once ? handOverOnce(run) : handOverAndFollow(run)));
      context.signal.throwIfAborted();
      const hasEnd = values.once || values.count !== undefined;
      if (limits.isTimeOver() && hasEnd && !progress.isAtEnd) {
        const { handedOver } = progress;
        const messages = handedOver === 1 ? '1 message' : `${handedOver} messages`;
        const done = plan.exec === undefined ? 'printed' : 'handled';
        throw new ChatError('timeout', `time is over after ${values.timeout} s: ${messages} ${done}`);
      }
      if (progress.failed > 0) throw failedText(progress.failed);
      return exitOk;
    } finally {
      limits.stop();
    }
  },
});
