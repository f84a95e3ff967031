import type { Connection, WireMessage } from '../../client/connection.ts';
import type { FollowState, StartingPoint } from '../../client/follow.ts';
import { ChatError } from '../../core/errors.ts';
import { conversationName, parseConversationName } from '../../core/model/conversation-name.ts';
import { type CommandContext, command } from '../command.ts';
import { exitOk } from '../exit-codes.ts';
import { mergeByTime } from '../merge.ts';
import { messageLine } from '../message-text.ts';
import { type OptionTable, type OptionValues, refuseBoth, timeoutOption, usageError } from '../options.ts';
import { callTimeoutMs, type LoggedIn, openSession, timeoutAsUnavailable, withSession } from '../session.ts';
import { parseSince } from '../since.ts';

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
  timeout: timeoutOption(
    'end after so many seconds; exit 10 if that was before the end (--once) or before --count',
  ),
} as const satisfies OptionTable;

type TailValues = OptionValues<typeof options>;

const defaultLast = 10;
const beginningOfTime = '1970-01-01T00:00:00.000Z';

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

/** Ends the printing by itself: enough was printed, time is over, or somebody asked. */
interface Limits {
  readonly signal: AbortSignal;
  readonly isTimeOver: () => boolean;
  readonly count: number | undefined;
  readonly stop: () => void;
}

function startLimits(context: CommandContext, values: TailValues): Limits {
  const time = new AbortController();
  const { timeout } = values;
  const timer = timeout === undefined ? undefined : setTimeout(() => time.abort(), timeout * 1000);
  return {
    signal: AbortSignal.any([context.signal, time.signal, context.host.stdout.gone]),
    isTimeOver: () => time.signal.aborted,
    count: values.count,
    stop: () => clearTimeout(timer),
  };
}

/** Resolves when `signal` aborts. */
function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** How far the printing came, kept outside so that it is known after a failure too. */
interface Progress {
  printed: number;
  /** True when nothing more was to be printed: all that was there, or as many as were asked for. */
  isAtEnd: boolean;
}

/** Whose conversations are read; known once connected. */
interface Reader {
  username: string;
}

/** Prints until the messages end or a limit is reached; a slow stdout is waited for, and the library leaves the socket
 * unread meanwhile. */
async function print(
  context: CommandContext,
  messages: AsyncIterable<WireMessage>,
  reader: Reader,
  several: boolean,
  limits: Limits,
  progress: Progress,
): Promise<void> {
  const paint = await context.output.paint();
  const over = aborted(limits.signal);
  for await (const message of messages) {
    if (limits.signal.aborted) break;
    const { to, seq, id, sender, sent_at, text, envelope } = message;
    const body = text === undefined ? { envelope } : { text };
    const line = messageLine(message, { reader: reader.username, several, paint });
    const written = context.output.result({ to, seq, id, sender, sent_at, ...body }, line);
    if (written !== undefined) await Promise.race([written, over]);
    progress.printed += 1;
    if (progress.printed === limits.count) {
      progress.isAtEnd = true;
      return;
    }
  }
  progress.isAtEnd = !limits.signal.aborted;
}

/** A lost connection is talk on stderr: nothing waits silently. */
function tellState({ output }: CommandContext, state: FollowState): void {
  if (state.kind === 'waiting') void output.note(`${state.cause.message}; trying again`);
  else void output.detail('following');
}

/** Prints and follows. The first connection has to succeed; one that is lost later is made again. */
async function printAndFollow(
  context: CommandContext,
  targets: readonly string[],
  from: StartingPoint,
  limits: Limits,
  progress: Progress,
): Promise<void> {
  const limited = { ...context, signal: limits.signal };
  let first: LoggedIn | undefined = await openSession(limited);
  const reader: Reader = { username: first.username };
  const open = async (): Promise<Connection> => {
    const session = first ?? (await openSession(limited));
    first = undefined;
    reader.username = session.username;
    return session.connection;
  };
  try {
    const messages = context.host.client.follow({
      open,
      targets,
      from,
      signal: limits.signal,
      onState: (state) => tellState(context, state),
    });
    await print(context, messages, reader, targets.length !== 1, limits, progress);
  } finally {
    await first?.connection.close();
  }
}

/** Prints what is there, the oldest first over all conversations. */
async function printOnce(
  context: CommandContext,
  targets: readonly string[],
  from: StartingPoint,
  limits: Limits,
  progress: Progress,
): Promise<void> {
  await withSession({ ...context, signal: limits.signal }, async ({ connection, username }) => {
    // A call that is waited for ends with its connection.
    const cut = () => void connection.close();
    limits.signal.addEventListener('abort', cut);
    try {
      const names = targets.length > 0 ? targets : await ownConversations(connection);
      const streams = names.map((to) => context.host.client.history({ connection, to, from }));
      const several = targets.length !== 1;
      await print(context, mergeByTime(streams), { username }, several, limits, progress);
    } finally {
      limits.signal.removeEventListener('abort', cut);
    }
  });
}

async function ownConversations(connection: Connection): Promise<string[]> {
  const { conversations } = await connection.call('conversation.list', {}, { timeoutMs: callTimeoutMs });
  return conversations.map(({ to }) => to);
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

/** Prints messages and follows. */
export const tail = command({
  usage: ['tail [TO…] [flags]'],
  description:
    "Prints messages and follows. TO is '#room' or '@user'; without one, all own conversations, each line with its " +
    'conversation. Lines are "2019-11-01 09:30:00 sam: text" in UTC; control characters are shown escaped. A lost ' +
    'connection is made again, without a gap or a repeat. Without --count, --timeout is no failure.',
  options,
  operands: { min: 0, max: Number.POSITIVE_INFINITY, names: '' },
  examples: [
    ["chat tail '#ops' -n 20", 'the last 20 messages, then live ones'],
    ['chat tail --since 2h --once', 'the last two hours of everything'],
    [
      "chat tail '@deploy' -n 0 --count 1 --timeout 60 -o json",
      'waits a minute for one new message; exit 10 without one',
    ],
  ],
  async run({ options: values, operands }, context) {
    const targets = parseTargets(operands);
    const from = parseFrom(values, targets, context.host.now());
    const limits = startLimits(context, values);
    const progress: Progress = { printed: 0, isAtEnd: false };
    try {
      await endingQuietly(limits, () =>
        values.once
          ? printOnce(context, targets, from, limits, progress)
          : printAndFollow(context, targets, from, limits, progress),
      );
      const hasEnd = values.once || values.count !== undefined;
      if (limits.isTimeOver() && hasEnd && !progress.isAtEnd) {
        const { printed } = progress;
        const messages = printed === 1 ? '1 message' : `${printed} messages`;
        throw new ChatError('timeout', `time is over after ${values.timeout} s: ${messages} printed`);
      }
      return exitOk;
    } finally {
      limits.stop();
    }
  },
});
