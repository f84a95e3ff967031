/**
 * `npm run bench [-- NAME …]`: measures the built server, each figure beside its floor of the same rounds; `--help` lists the
 * workloads. Absolute figures drift with the machine and the hour; the ratios are what counts.
 */
import { accessSync, constants, renameSync, statSync, writeFileSync } from 'node:fs';
import { exitBySignal } from '../src/cli/exit-codes.ts';
import { parseCommandLine, UsageError, usage, type Wanted } from './bench/command-line.ts';
import { clearForGood } from './bench/left-overs.ts';
import { type Outcome, type Report, thisMachine } from './bench/report.ts';
import { runWorkloads } from './bench/run-workloads.ts';
import { tableRows } from './bench/table.ts';
import { workloads } from './bench/workloads.ts';

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => clearForGood().finally(() => process.exit(exitBySignal[signal])));
}

/** Throws {@link UsageError} for a file that cannot be run. */
function mustRun(option: string, file: string | undefined): void {
  if (file === undefined) return;
  try {
    accessSync(file, constants.X_OK);
    if (statSync(file).isFile()) return;
  } catch {
    // The same as for a directory.
  }
  throw new UsageError(`${option} takes a program that can be run, and ${file} is none`);
}

async function bench({ json, ...wanted }: Wanted): Promise<void> {
  const { rounds, seconds } = wanted;
  mustRun('--packaged', wanted.packaged);
  const machine = thisMachine();
  const outcomes: Outcome[] = [];
  // A run that breaks off keeps what it had, and a kept one stays until there is something in its place.
  const keep = (): void => {
    if (json === undefined) return;
    const report: Report = { machine, rounds, seconds, workloads: outcomes };
    writeFileSync(`${json}.part`, `${JSON.stringify(report, undefined, 1)}\n`);
    if (outcomes.length > 0) renameSync(`${json}.part`, json);
  };
  // A file that cannot be written is told before anything is measured.
  keep();
  console.log(
    `${machine.cores} cores, Node ${machine.node}, ${machine.kernel}, ${machine.date}; ${rounds} rounds`,
  );
  await runWorkloads(wanted, (outcome) => {
    const { name, figures, leftOut, failed } = outcome;
    outcomes.push(outcome);
    keep();
    console.log(`\n${name}`);
    for (const row of tableRows(figures)) console.log(`  ${row}`);
    for (const { what, why } of leftOut) console.error(`  left out: ${what}: ${why}`);
    if (failed !== undefined) console.error(`  ${name} failed: ${failed}`);
  });
  const failed = outcomes.filter((outcome) => outcome.failed !== undefined).map(({ name }) => name);
  if (failed.length > 0) {
    console.error(`\nfailed: ${failed.join(', ')}`);
    process.exitCode = 1;
  }
}

try {
  const wanted = parseCommandLine(process.argv.slice(2), workloads);
  if (wanted) await bench(wanted);
  else console.log(usage(workloads));
} catch (error) {
  if (!(error instanceof Error)) throw error;
  console.error(error.message);
  process.exitCode = error instanceof UsageError || 'syscall' in error ? 2 : 1;
}
