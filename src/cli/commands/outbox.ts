import { pause } from '../../client/backoff.ts';
import { ChatError } from '../../core/errors.ts';
import { type CommandContext, command, noOperands } from '../command.ts';
import { exitOk } from '../exit-codes.ts';
import { type KeptEntry, type KeptMessages, openKeptMessages, summary } from '../kept-messages.ts';
import { lineTime } from '../message-text.ts';
import { refuseBoth, timeoutOption, usageError } from '../options.ts';
import { isWorthKeeping, sendKept } from '../outbox-run.ts';
import { savedUsername, timeoutAsUnavailable } from '../session.ts';
import { tableLines } from '../table.ts';

const defaultTimeoutMs = 30_000;
/** How long one try of `--wait` lasts, and how long it is until the next, in milliseconds. */
const waitBetweenMs = 2_000;
/** How much of a message a list shows, in characters. */
const shownCharacters = 40;

const messagesOf = (count: number): string => (count === 1 ? '1 message' : `${count} messages`);
const entriesOf = (count: number): string => (count === 1 ? '1 entry' : `${count} entries`);

/** What is kept for the account that is logged in; entries of another one stay where they are. */
async function ownEntries(context: CommandContext, kept: KeptMessages): Promise<readonly KeptEntry[]> {
  const username = await savedUsername(context);
  const { entries, damaged } = await kept.list();
  for (const { problem } of damaged) await context.output.note(`warning: ${problem.message}`);
  const others = entries.filter((entry) => entry.username !== username);
  if (others.length > 0) {
    const names = [...new Set(others.map((entry) => entry.username))].join(', ');
    await context.output.note(
      `${entriesOf(others.length)} of ${names} left alone: log in as that account to send`,
    );
  }
  return entries.filter((entry) => entry.username === username);
}

async function sendAll(context: CommandContext, kept: KeptMessages, timeoutMs: number): Promise<void> {
  await kept.sending(async () => {
    const entries = await ownEntries(context, kept);
    const { output } = context;
    let told: Promise<void> | undefined;
    let sent = 0;
    try {
      const outcome = await sendKept(
        {
          context,
          kept,
          timeoutMs,
          onStored: ({ id: entry, to }, stored) => {
            sent += 1;
            output.progress(`${sent} sent`);
            if (output.format === 'json') told = output.result({ entry, to, ...stored }, []) ?? told;
          },
        },
        entries,
      );
      await told;
      output.progress(undefined);
      for (const { entry, error } of outcome.refused)
        await output.note(`${entry.id} to ${entry.to} stays: ${error.message}`);
      await output.note(`sent ${messagesOf(outcome.sent)}`);
      const [first] = outcome.refused;
      if (first !== undefined) {
        throw new ChatError(
          first.error.code,
          `${entriesOf(outcome.refused.length)} refused; see chat outbox, remove with chat outbox rm ID`,
        );
      }
    } finally {
      output.progress(undefined);
    }
  });
}

const send = command({
  usage: ['outbox send [--wait] [--timeout S]'],
  description:
    'Sends what is kept, in the order in which it was kept and under the keys it was kept with, so that nothing is stored twice. ' +
    'What the server refuses for good stays, with its reason, and does not hold up the rest.',
  options: {
    wait: { type: 'flag', describe: 'try until everything is sent, however long the server is away' },
    timeout: timeoutOption('how long to keep trying without progress, in seconds; default 30'),
  },
  operands: noOperands,
  examples: [
    ['chat outbox send', 'once, for example from cron'],
    ['chat outbox send --wait', 'until the server is back'],
  ],
  async run({ options }, context) {
    refuseBoth(options, 'wait', 'timeout', 'one waits for ever, the other does not');
    const kept = openKeptMessages(context);
    const defaultMs = options.wait ? waitBetweenMs : defaultTimeoutMs;
    const timeoutMs = options.timeout === undefined ? defaultMs : options.timeout * 1000;
    await timeoutAsUnavailable(async () => {
      for (;;) {
        try {
          await sendAll(context, kept, timeoutMs);
          return;
        } catch (error) {
          const passes =
            isWorthKeeping(error) && ['unavailable', 'rate-limited', 'timeout'].includes(error.code);
          if (!options.wait || !passes || context.signal.aborted) throw error;
          await context.output.note(`${error.message}; trying again`);
          await pause(waitBetweenMs, context.signal);
        }
      }
    });
    return exitOk;
  },
});

const remove = command({
  usage: ['outbox rm ID…', 'outbox rm --all'],
  description: 'Drops kept messages without sending them.',
  options: { all: { type: 'flag', describe: 'everything that is kept for this server and context' } },
  operands: { min: 0, max: Number.POSITIVE_INFINITY, names: 'ID' },
  examples: [['chat outbox rm --all', 'drops everything']],
  async run({ options, operands }, context) {
    if (options.all === operands.length > 0)
      throw usageError('chat outbox rm needs ID… or --all, one of them');
    const kept = openKeptMessages(context);
    await kept.sending(async () => {
      const { entries, damaged } = await kept.list();
      const known = [...entries, ...damaged].map(({ id }) => id);
      const missing = operands.find((id) => !known.includes(id));
      if (missing !== undefined)
        throw new ChatError(
          'not-found',
          `there is no ${JSON.stringify(missing)} in the outbox (see chat outbox)`,
        );
      const ids = options.all ? known : operands;
      for (const id of ids) await kept.remove(id);
      await context.output.note(`dropped ${entriesOf(ids.length)}`);
    });
    return exitOk;
  },
});

/** Lists, sends and drops what `chat send --outbox` has kept. */
export const outbox = command({
  usage: ['outbox', 'outbox send [--wait]', 'outbox rm ID…|--all'],
  description:
    'Lists what chat send --outbox could not send and has kept on this machine for this server and context: id, when (UTC), account, ' +
    'target, number of messages, how the first begins, and why the server refused it if it did.',
  options: {},
  operands: noOperands,
  examples: [
    ['chat outbox -o json', 'one object an entry'],
    ['chat outbox send --wait', 'sends it, until all is sent'],
  ],
  subcommands: [
    { name: 'send', summary: 'send what is kept', load: async () => send },
    { name: 'rm', summary: 'drop kept messages', load: async () => remove },
  ],
  async run(_args, context) {
    const kept = openKeptMessages(context);
    const { entries, damaged } = await kept.list();
    const rows: string[][] = [];
    const records: object[] = [];
    for (const entry of entries) {
      const { count, first } = await summary(kept, entry.id);
      const { id, kept_at, username, to, refused } = entry;
      const begin = [...first].slice(0, shownCharacters).join('');
      rows.push([id, lineTime(kept_at), username, to, String(count), begin, refused?.message ?? '']);
      records.push({ id, kept_at, username, to, count, first, refused: refused ?? null });
    }
    const lines = tableLines(rows, context.host.stdout);
    for (const [index, record] of records.entries()) await context.output.result(record, lines[index] ?? '');
    for (const { problem } of damaged) await context.output.note(`warning: ${problem.message}`);
    return exitOk;
  },
});
