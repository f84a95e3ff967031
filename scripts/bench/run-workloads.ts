import { setTimeout as sleep } from 'node:timers/promises';
import type { Wanted } from './command-line.ts';
import { clearLeftOvers } from './left-overs.ts';
import type { Outcome } from './report.ts';
import type { Course, Workload } from './workload.ts';

const defaultPatienceMs = 30_000;

/** What the command line asks for, and how long a workload that failed may take to come to its end, in milliseconds. */
export interface RunOptions extends Omit<Wanted, 'json'> {
  readonly patienceMs?: number;
}

/** Runs workloads one after another; one that fails is said and kept, and the others run. Nothing of any is left behind. */
export async function runWorkloads(
  { workloads, rounds, seconds, packaged, patienceMs = defaultPatienceMs }: RunOptions,
  onOutcome: (outcome: Outcome) => void,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const workload of workloads) {
    const leftOut: Array<Outcome['leftOut'][number]> = [];
    const leaveOut: Course['leaveOut'] = (what, why) => void leftOut.push({ what, why });
    const outcome = {
      leftOut,
      ...(await outcomeOf(workload, { rounds, seconds, packaged, leaveOut }, patienceMs)),
    };
    outcomes.push(outcome);
    onOutcome(outcome);
  }
  return outcomes;
}

async function outcomeOf(
  workload: Workload,
  course: Course,
  patienceMs: number,
): Promise<Omit<Outcome, 'leftOut'>> {
  const { name } = workload;
  const lost = lostErrors();
  const running = workload.run(course);
  try {
    return { name, figures: await Promise.race([running, lost.first]) };
  } catch (error) {
    await clearLeftOvers();
    // What it had begun comes to an end too, so that it does not disturb the next one.
    const patience = new AbortController();
    const { signal } = patience;
    await Promise.race([running, sleep(patienceMs, undefined, { signal })]).catch(() => {});
    patience.abort();
    return { name, figures: [], failed: error instanceof Error ? error.message : String(error) };
  } finally {
    await clearLeftOvers();
    lost.stop();
  }
}

/** Errors that nobody waits for, as of a socket that is cut or a server that ends by itself: they are the running workload's. */
function lostErrors() {
  const { promise: first, reject } = Promise.withResolvers<never>();
  // After the workload has answered, nobody races for it.
  first.catch(() => {});
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  for (const event of events) process.on(event, reject);
  return {
    first,
    stop() {
      for (const event of events) process.off(event, reject);
    },
  };
}
