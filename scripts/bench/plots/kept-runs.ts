import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Outcome, Report } from '../report.ts';

/** A workload of a run that was kept, and the run's own facts. */
export interface KeptOutcome extends Outcome {
  readonly run: Pick<Report, 'machine' | 'rounds' | 'seconds'>;
}

/** The workloads of all runs kept as `*.json` in a directory: of one that several have, the newest. */
export function keptRuns(directory: string): KeptOutcome[] {
  const names = readdirSync(directory).filter((name) => name.endsWith('.json'));
  return newestOf(names.map((name) => reportIn(join(directory, name))));
}

/** The workloads of some runs, in the order of the runs' dates; of one that several have, the newest that did not fail. */
export function newestOf(reports: readonly Report[]): KeptOutcome[] {
  const newest = new Map<string, KeptOutcome>();
  const byDate = reports.toSorted((a, b) => a.machine.date.localeCompare(b.machine.date));
  for (const { workloads, ...run } of byDate) {
    for (const outcome of workloads) {
      if (outcome.failed === undefined || !newest.has(outcome.name))
        newest.set(outcome.name, { ...outcome, run });
    }
  }
  return [...newest.values()];
}

function reportIn(path: string): Report {
  let report: Partial<Report>;
  try {
    report = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new Error(`${path} is not JSON: ${error instanceof Error ? error.message : error}`);
  }
  if (!Array.isArray(report?.workloads) || typeof report.machine?.date !== 'string') {
    throw new Error(`${path} is not what npm run bench -- --json FILE keeps`);
  }
  return report as Report;
}
