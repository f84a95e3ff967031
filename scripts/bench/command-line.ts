import { parseArgs } from 'node:util';
import type { Workload } from './workload.ts';

/** What the command line asks for. */
export interface Wanted {
  readonly workloads: readonly Workload[];
  readonly rounds: number;
  readonly seconds: number | undefined;
  readonly json: string | undefined;
  readonly packaged: string | undefined;
}

/** A command line that does not fit; its message says what is wrong and what there is. */
export class UsageError extends Error {}

const defaultRounds = 3;
const maxRounds = 1_000;
const maxSeconds = 3_600;

/** What `--help` prints. */
export function usage(workloads: readonly Workload[]): string {
  const width = Math.max(...workloads.map(({ name }) => name.length));
  return `npm run bench -- [WORKLOAD …] [--rounds N] [--seconds S] [--json FILE] [--packaged FILE]

Measures the built server, each figure in some rounds taken in turn with its floor.

  --rounds N        so many rounds of each (${defaultRounds})
  --seconds S       so long for each measurement in a round, for short trials
  --json FILE       keeps every figure with all of its rounds, and what machine it was
  --packaged FILE   a packaged chat, to be measured beside the built one

Workloads, all of them when none is named:
${workloads.map(({ name, about }) => `  ${name.padEnd(width)}  ${about}`).join('\n')}

Ends with 0 when all were measured, 1 when one failed, 2 when the command line does not fit. A target that is missed is no failure.`;
}

/** Reads the command line; undefined asks for help. Throws {@link UsageError}. */
export function parseCommandLine(
  args: readonly string[],
  workloads: readonly Workload[],
): Wanted | undefined {
  const { values, positionals } = parsed(args);
  if (values.help) return undefined;
  const names = workloads.map(({ name }) => name);
  const unknown = positionals.filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    throw new UsageError(`no such workload: ${unknown.join(', ')}; there are ${names.join(', ')}`);
  }
  return {
    workloads: workloads.filter(({ name }) => positionals.length === 0 || positionals.includes(name)),
    rounds: wholeNumber('--rounds', values.rounds, maxRounds) ?? defaultRounds,
    seconds: seconds(values.seconds),
    json: notEmpty('--json', values.json),
    packaged: notEmpty('--packaged', values.packaged),
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        json: { type: 'string' },
        packaged: { type: 'string' },
      },
    });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    // What follows its first sentence is about words that begin with a dash.
    throw new UsageError(`${error.message.split('. ')[0]}; see npm run bench -- --help`);
  }
}

function wholeNumber(option: string, text: string | undefined, most: number): number | undefined {
  if (text === undefined) return undefined;
  const number = /^\d+$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > most) {
    throw new UsageError(`${option} takes a whole number from 1 to ${most}, not ${JSON.stringify(text)}`);
  }
  return number;
}

function seconds(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0;
  if (number <= 0 || number > maxSeconds) {
    throw new UsageError(
      `--seconds takes a number above 0, up to ${maxSeconds}, as in 0.5, not ${JSON.stringify(text)}`,
    );
  }
  return number;
}

function notEmpty(option: string, text: string | undefined): string | undefined {
  if (text === '') throw new UsageError(`${option} takes the name of a file`);
  return text;
}
