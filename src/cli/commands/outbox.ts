import type { Stored } from '../../client/send.ts';
import { ChatError } from '../../core/errors.ts';
import { type CommandContext, command, noOperands } from '../command.ts';
import { exitOk } from '../exit-codes.ts';
import { lineTime } from '../message-text.ts';
import { refuseBoth, timeoutOption, usageError } from '../options.ts';
import { lockWithin } from '../outbox/keep-unsent.ts';
import { countOthers, type KeptEntry, KeptMessages } from '../outbox/kept-messages.ts';
import { messagesText, type SendKeptOutcome, type Staying, sendKept } from '../outbox/send-kept.ts';
import { grouped } from '../pace.ts';
import { createSealer } from '../sealer.ts';
import { type Account, savedAccount, timeoutAsUnavailable } from '../session.ts';
import { tableLines } from '../table.ts';

const defaultTimeoutMs = 30_000;
/** As long as a timer can be: with `--wait` every failure that may pass is tried again within it, and after it anew. */
const waitingMs = 2 ** 31 - 1;
/** How much of a text a list shows, in characters. */
const shownCharacters = 40;

const emptyText = 'the outbox is empty';
const entriesText = (count: number): string => (count === 1 ? '1 entry' : `${grouped(count)} entries`);

/** What process stands in the way; nothing is wrong with it. */
const busy = (who: string): ChatError =>
  new ChatError('conflict', `${who} is sending from the outbox; wait for it, or end it`);

/** An entry in a list; one that cannot be used has an id and the reason only. */
type Row =
  | { readonly id: string; readonly damaged: string }
  | { readonly id: string; readonly entry: KeptEntry };

async function rowsOf(kept: KeptMessages): Promise<Row[]> {
  const rows: Row[] = [];
  for (const id of await kept.ids()) {
    try {
      const entry = await kept.read(id);
      if (entry !== undefined) rows.push({ id, entry });
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      rows.push({ id, damaged: error.message });
    }
  }
  return rows;
}

/** The beginning of a text, on one line. */
function beginning(text: string): string {
  const characters = [...text];
  const shown = characters.slice(0, shownCharacters).join('');
  return characters.length > shownCharacters ? `${shown}…` : shown;
}

function cellsOf(row: Row): string[] {
  if ('damaged' in row) return [row.id, '', '', '', '', '', row.damaged];
  const { head, first, count, stored, refused } = row.entry;
  const left = stored === 0 ? grouped(count) : `${grouped(count - stored)} of ${grouped(count)}`;
  return [
    row.id,
    lineTime(head.kept_at),
    head.username,
    head.to,
    head.kind === 'message' ? '' : `${left} lines`,
    beginning(first.text),
    refused === undefined ? '' : `refused: ${refused.message}`,
  ];
}

function recordOf(row: Row): object {
  if ('damaged' in row) return row;
  const { head, first, count, stored, refused } = row.entry;
  const { server, context, username, to, key, kind, kept_at } = head;
  return {
    id: row.id,
    kept_at,
    server,
    context,
    username,
    to,
    kind,
    key,
    count,
    stored,
    first: first.text,
    first_line: kind === 'lines' ? first.n : null,
    refused: refused ?? null,
  };
}

async function list(context: CommandContext): Promise<number> {
  const { host, output } = context;
  const kept = new KeptMessages(context);
  const rows = await rowsOf(kept);
  const lines = tableLines(rows.map(cellsOf), host.stdout);
  for (const [index, row] of rows.entries()) await output.result(recordOf(row), lines[index] ?? '');
  const others = await countOthers(context, kept);
  if (others > 0)
    await output.note(`${entriesText(others)} of other servers or contexts: see chat context, and --context`);
  return exitOk;
}

async function printSent({ output, host }: CommandContext, entry: KeptEntry, last: Stored): Promise<void> {
  const { id, head, first, count } = entry;
  const record = { id, to: head.to, kind: head.kind, count, last };
  const what = head.kind === 'message' ? beginning(first.text) : `${grouped(count)} lines`;
  await output.result(record, tableLines([[id, head.to, what]], host.stdout));
}

/** One pass over what is kept for this account. */
async function pass(
  context: CommandContext,
  account: Account,
  { timeoutMs, wait, retriesRefused }: { timeoutMs: number; wait: boolean; retriesRefused: boolean },
): Promise<SendKeptOutcome | undefined> {
  const { output, signal } = context;
  const kept = new KeptMessages(context);
  const lock = await lockWithin(kept, timeoutMs, busy, signal);
  if (lock === undefined) return undefined;
  let said = '';
  try {
    return await sendKept({
      context,
      kept,
      account,
      timeoutMs,
      sealer: createSealer(context, 'refused-in-outbox'),
      retriesRefused,
      onSent: (entry, last) => printSent(context, entry, last),
      onRetry({ message }) {
        // A server that is away for hours is told of once.
        if (wait && message !== said) void output.note(`${message}; trying again`);
        else void output.detail(`trying again: ${message}`);
        said = message;
      },
    });
  } finally {
    await lock.release();
  }
}

/** What stays is told, and decides the exit code; the first failure that is no entry's own goes before it. */
async function tellOutcome(
  { output, signal }: CommandContext,
  { sent, staying, others, failure }: SendKeptOutcome,
): Promise<void> {
  // The first one is the error's.
  for (const { id, error } of staying.slice(failure === undefined ? 1 : 0))
    await output.note(`${id} stays: ${error.message}`);
  for (const [username, count] of others)
    await output.note(`${entriesText(count)} of ${username} left alone: log in as that account to send`);
  const isEmpty = sent === 0 && staying.length === 0 && others.size === 0 && failure === undefined;
  await output.note(isEmpty ? emptyText : `sent ${messagesText(sent)}`);
  if (failure !== undefined) throw signal.aborted ? signal.reason : failure.reason;
  throwFirst(staying);
}

function throwFirst(staying: readonly Staying[]): void {
  const [first] = staying;
  if (first === undefined) return;
  const { code, message } = first.error;
  const others = staying.length === 1 ? '' : ` (and ${staying.length - 1} more)`;
  throw new ChatError(
    code,
    `${first.id} stays: ${message}${others}; chat outbox lists it, chat outbox rm drops it`,
  );
}

const passing: readonly string[] = ['unavailable', 'rate-limited', 'timeout'];

const send = command({
  usage: ['outbox send [--wait | --timeout S]'],
  description:
    'Sends what is kept for this server, context and account, in the order in which it was kept and under the keys that it has: nothing ' +
    'is stored twice, whatever was killed where. It prints what it has sent: id, target, text. What the server does not take stays, ' +
    'with the reason, and does not hold up the others; the exit code is then that of the first. A server that is away is tried again until --timeout.',
  options: {
    wait: { type: 'flag', describe: 'keep trying until all is sent, however long the server is away' },
    timeout: timeoutOption('how long to keep trying without progress, in seconds; default 30'),
  },
  operands: noOperands,
  examples: [
    ['chat outbox send -q', 'from cron: an error only when something stays'],
    ['chat outbox send --wait', 'until the server is back and has all'],
  ],
  handlesSignals: true,
  async run({ options }, context) {
    refuseBoth(options, 'wait', 'timeout', 'the one never gives up, the other does');
    const { wait, timeout } = options;
    const timeoutMs = timeout === undefined ? (wait ? waitingMs : defaultTimeoutMs) : timeout * 1000;
    const account = await savedAccount(context);
    await timeoutAsUnavailable(async () => {
      let outcome: SendKeptOutcome | undefined;
      do {
        const before = outcome;
        // What was refused in a pass before is not tried once more.
        const retriesRefused = before === undefined;
        const next = await pass(context, account, { timeoutMs, wait, retriesRefused });
        outcome = next === undefined ? before : joined(before, next);
      } while (wait && outcome !== undefined && mayPass(outcome) && !context.signal.aborted);
      if (outcome === undefined) await context.output.note(emptyText);
      else await tellOutcome(context, outcome);
    });
    return exitOk;
  },
});

/** Two passes as one. */
function joined(before: SendKeptOutcome | undefined, next: SendKeptOutcome): SendKeptOutcome {
  if (before === undefined) return next;
  return { ...next, sent: before.sent + next.sent, staying: [...before.staying, ...next.staying] };
}

function mayPass({ failure }: SendKeptOutcome): boolean {
  return failure?.reason instanceof ChatError && passing.includes(failure.reason.code);
}

const remove = command({
  usage: ['outbox rm ID…', 'outbox rm --all'],
  description: 'Drops what is kept, without sending it.',
  options: { all: { type: 'flag', describe: 'everything that is kept for this server and context' } },
  operands: { min: 0, max: Number.POSITIVE_INFINITY, names: 'ID' },
  examples: [['chat outbox rm --all', 'drops everything']],
  async run({ options, operands }, context) {
    if (options.all === operands.length > 0)
      throw usageError('chat outbox rm needs the ID of an entry (see chat outbox), or --all, not both');
    const kept = new KeptMessages(context);
    const lock = await kept.lock(busy);
    try {
      const ids = await kept.ids();
      const unknown = operands.find((id) => !ids.includes(id));
      if (unknown !== undefined)
        throw new ChatError(
          'not-found',
          `there is no ${JSON.stringify(unknown)} in the outbox (see chat outbox); nothing was dropped`,
        );
      const dropped = options.all ? ids : [...new Set(operands)];
      for (const id of dropped) await kept.remove(id);
      await context.output.note(`dropped ${entriesText(dropped.length)}`);
      if (context.output.format === 'json') await context.output.result({ dropped }, []);
    } finally {
      await lock?.release();
    }
    return exitOk;
  },
});

/** Lists, sends and drops what `chat send --outbox` has kept. */
export const outbox = command({
  usage: ['outbox', 'outbox send [--wait | --timeout S]', 'outbox rm ID…|--all'],
  description:
    'Lists what chat send --outbox could not send and has kept on this machine, for this server and context: id, when (UTC), account, ' +
    'target, number of lines, how the text begins, and why the server did not take it if it was asked. Columns are separated by a tab in a script.',
  options: {},
  operands: noOperands,
  examples: [
    ['chat outbox -o json', 'one object an entry'],
    ['chat outbox send --wait', 'sends it, until all is sent'],
  ],
  subcommands: [
    { name: 'ls', summary: 'list it', load: async () => ls },
    { name: 'send', summary: 'send what is kept', load: async () => send },
    { name: 'rm', summary: 'drop what is kept', load: async () => remove },
  ],
  run: (_args, context) => list(context),
});

const ls = command({
  usage: ['outbox ls'],
  description: 'Lists what is kept, as chat outbox does.',
  options: {},
  operands: noOperands,
  examples: [['chat outbox ls -o json', 'one object an entry']],
  run: (_args, context) => list(context),
});
