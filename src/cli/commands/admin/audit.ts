import {
  type FetchPage,
  fetchOn,
  followTrail,
  pageRows,
  printLast,
  printNew,
  type TrailFilter,
  type Walk,
} from '../../audit/read-trail.ts';
import type { KnownPlace, WireAuditRow } from '../../audit/verify-trail.ts';
import { type CommandContext, command, noOperands } from '../../command.ts';
import { escapeForTerminal } from '../../escape.ts';
import { exitOk } from '../../exit-codes.ts';
import { lineTime } from '../../message-text.ts';
import { type OptionTable, type OptionValues, refuseBoth, usageError } from '../../options.ts';
import { withSession } from '../../session.ts';
import { parseSinceTime } from '../../since.ts';

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

const defaultLast = 50;

function filterOf({ since: given, user, operation }: Values, now: number): TrailFilter {
  const since = given === undefined ? undefined : parseSinceTime(given, now);
  return {
    ...(since?.kind === 'time' && { since: since.at }),
    ...(user !== undefined && { user: user.replace(/^@/, '') }),
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

async function show(values: Values, context: CommandContext): Promise<number> {
  const { output, host } = context;
  const walk: Walk = {
    filter: filterOf(values, host.now()),
    seq: 0,
    async print(row) {
      await output.result(record(row), line(row, host.stdout.isTerminal));
    },
  };
  const begin = async (fetch: FetchPage): Promise<void> => {
    if (values.since === undefined) return await printLast(fetch, walk, values.last ?? defaultLast);
    await printNew(fetch, walk);
    // What is new is wanted whatever the server's clock says.
    const { since: _, ...filter } = walk.filter;
    walk.filter = filter;
  };
  if (values.follow) await followTrail(context, walk, begin);
  else await withSession(context, ({ connection }) => begin(fetchOn(connection)));
  return exitOk;
}

async function verify(values: Values, fetch: FetchPage, { output }: CommandContext): Promise<number> {
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
    '--follow ends with Ctrl-C. A lost connection is made again, without a gap or a repeat.\n\n' +
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
    if (!values.verify) return await show(values, context);
    return await withSession(context, ({ connection }) => verify(values, fetchOn(connection), context));
  },
});
