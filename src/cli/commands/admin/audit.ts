import { setTimeout as sleep } from 'node:timers/promises';
import type { InputOf } from '../../../core/operations/index.ts';
import type { AuditAnswer, KnownPlace, WireAuditRow } from '../../audit/verify-trail.ts';
import { type CommandContext, command, noOperands } from '../../command.ts';
import { escapeForTerminal } from '../../escape.ts';
import { exitOk } from '../../exit-codes.ts';
import { lineTime } from '../../message-text.ts';
import { type OptionTable, type OptionValues, refuseBoth, usageError } from '../../options.ts';
import { callTimeoutMs, withSession } from '../../session.ts';
import { parseSince } from '../../since.ts';

const options = {
  last: {
    type: 'number',
    alias: 'n',
    value: 'N',
    min: 0,
    max: 1_000_000,
    whole: true,
    describe: 'the last N entries; default 50',
  },
  since: {
    type: 'text',
    value: 'WHEN',
    describe:
      'all entries since a time (UTC unless it has a zone), a duration ago (90s, 10m, 2h, 1d), or all',
  },
  user: { type: 'text', value: 'NAME', describe: 'only what this account did, or was tried in its name' },
  operation: { type: 'text', value: 'NAME', describe: 'only entries of this operation, like login.finish' },
  follow: { type: 'flag', describe: 'go on with new entries as they are written' },
  verify: {
    type: 'flag',
    describe:
      'check the whole trail instead: exit 9 and the row when one was edited, taken away or exchanged',
  },
  expect: {
    type: 'text',
    value: 'SEQ:HASH',
    describe: 'with --verify: the trail must go through this place, which the log told as audit-head',
  },
} as const satisfies OptionTable;

type Values = OptionValues<typeof options>;
type Filter = Pick<InputOf<'admin.audit'>, 'since' | 'user' | 'operation'>;
type Fetch = (input: InputOf<'admin.audit'>) => Promise<AuditAnswer>;

const defaultLast = 50;
const pageRows = 1_000;
/** How often `--follow` asks for what is new. */
const followMs = 1_000;

function filterOf({ since: given, user, operation }: Values, now: number): Filter {
  const since = given === undefined ? undefined : parseSince(given, now);
  if (since?.kind === 'message')
    throw usageError('--since takes a time, a duration or all here, no message id', '--since');
  return {
    ...(since?.kind === 'time' && { since: since.at }),
    ...(user !== undefined && { user }),
    ...(operation !== undefined && { operation }),
  };
}

function knownPlace(given: string): KnownPlace {
  const match = /^(\d{1,15}):([0-9a-f]{64})$/.exec(given.toLowerCase());
  if (match?.[1] === undefined || match[2] === undefined)
    throw usageError('--expect takes SEQ:HASH, a row’s number and its 64 hexadecimal digits', '--expect');
  return { seq: Number(match[1]), hash: match[2] };
}

function refuseContradictions(values: Values): void {
  refuseBoth(values, 'last', 'since', 'both say where to begin');
  if (values.verify) {
    for (const name of ['last', 'since', 'user', 'operation', 'follow'] as const)
      refuseBoth(values, 'verify', name, '--verify reads the whole trail');
  } else if (values.expect !== undefined) throw usageError('--expect goes with --verify', '--expect');
}

/** The last rows that fit, in their order. */
async function lastRows(fetch: Fetch, filter: Filter, count: number): Promise<WireAuditRow[]> {
  const found: WireAuditRow[] = [];
  let before: number | null | undefined;
  while (found.length < count && before !== null) {
    const limit = Math.min(count - found.length, pageRows);
    const page: AuditAnswer = await fetch({
      ...filter,
      newest: true,
      limit,
      ...(before !== undefined && { before }),
    });
    found.unshift(...page.rows);
    before = page.next;
  }
  return found;
}

/** Every row after a place, page by page; answers the place that it came to. */
async function rowsAfter(
  fetch: Fetch,
  filter: Filter,
  after: number,
  print: (row: WireAuditRow) => Promise<void>,
): Promise<number> {
  let from = after;
  for (;;) {
    const page = await fetch({ ...filter, after: from, limit: pageRows });
    for (const row of page.rows) await print(row);
    if (page.next === null) return Math.max(from, page.rows.at(-1)?.seq ?? 0, page.ends.head.seq);
    from = page.next;
  }
}

/** A row as `-o json` prints it. */
function record({ details, ...row }: WireAuditRow): object {
  return { ...row, details: details === null ? null : parsed(details) };
}

function parsed(details: string): unknown {
  try {
    return JSON.parse(details);
  } catch {
    return details;
  }
}

const widths = [6, 19, 22, 12, 9, 15, 16];

/** A row as one line: aligned on a terminal, separated by one tab for `cut`; all of it is escaped (ASVS 16.4.1). */
function line(row: WireAuditRow, isTerminal: boolean): string {
  const { seq, at, operation, user, door, address, outcome, factor, details } = row;
  const cells = [String(seq), lineTime(at), operation, user, door, address, outcome, factor, details].map(
    (cell) => escapeForTerminal(cell ?? '-'),
  );
  if (!isTerminal) return cells.join('\t');
  return cells
    .map((cell, column) => cell.padEnd(widths[column] ?? 0))
    .join('  ')
    .trimEnd();
}

async function show(values: Values, fetch: Fetch, context: CommandContext): Promise<number> {
  const { output, host, signal } = context;
  const filter = filterOf(values, host.now());
  const print = async (row: WireAuditRow): Promise<void> => {
    await output.result(record(row), line(row, host.stdout.isTerminal));
  };
  let end = 0;
  if (values.since === undefined) {
    // Asked first, so that nothing is missed between the last rows and the new ones.
    const { ends } = await fetch({ after: Number.MAX_SAFE_INTEGER, limit: 1 });
    end = ends.head.seq;
    const rows = await lastRows(
      (input) => fetch({ before: end + 1, ...input }),
      filter,
      values.last ?? defaultLast,
    );
    for (const row of rows) await print(row);
  } else end = await rowsAfter(fetch, filter, 0, print);
  while (values.follow) {
    await sleep(followMs, undefined, { signal });
    const { since: _since, ...rest } = filter;
    end = await rowsAfter(fetch, rest, end, print);
  }
  return exitOk;
}

async function verify(values: Values, fetch: Fetch, { output }: CommandContext): Promise<number> {
  const known = values.expect === undefined ? undefined : knownPlace(values.expect);
  const { verifyTrail } = await import('../../audit/verify-trail.ts');
  try {
    const { rows, start, head } = await verifyTrail(
      (after) => fetch({ after, limit: pageRows }),
      known,
      (seq) => output.progress(() => `row ${seq}`),
    );
    output.progress(undefined);
    const text = `intact: ${rows} rows, to ${head.seq}:${head.hash}`;
    await output.result({ intact: true, rows, start, head }, text);
    return exitOk;
  } finally {
    output.progress(undefined);
  }
}

/** Shows the audit trail, follows it, and checks that it is whole. */
export const audit = command({
  usage: ['admin audit [flags]', 'admin audit --verify [--expect SEQ:HASH]'],
  description:
    'Prints the audit trail: row, time (UTC), operation, account, door, address, outcome, how the login was proven, ' +
    'and details. Columns are separated by a tab in a script. Nothing in it is a secret or a message.\n\n' +
    'Each row is chained to the one before it, and the ends of the trail are sealed: --verify reads it whole and names the ' +
    'first row that does not fit.',
  options,
  operands: noOperands,
  examples: [
    ['chat admin audit --follow', 'the last 50 entries, then new ones'],
    ['chat admin audit --since 1d --user alice -o json', 'what alice did in a day, one object a line'],
    ['chat admin audit --verify', 'tells whether the trail is as it was written'],
  ],
  async run({ options: values }, context) {
    refuseContradictions(values);
    return await withSession(context, async ({ connection }) => {
      const fetch: Fetch = (input) => connection.call('admin.audit', input, { timeoutMs: callTimeoutMs });
      return await (values.verify ? verify(values, fetch, context) : show(values, fetch, context));
    });
  },
});
