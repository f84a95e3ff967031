import type { CampaignResult, Course } from '../campaign.ts';
import { seededFor, shuffled } from '../random.ts';
import { clusterKinds } from './faults.ts';
import { type TrialChoice, type TrialResult, timesOf } from './trial.ts';

/** The kind of fault of a trial: the seed's choice alone, each kind once before one comes again. */
export function clusterKindOf(seed: number, trial: number, kinds: readonly string[] = clusterKinds): string {
  const round = Math.floor((trial - 1) / kinds.length);
  const order = shuffled(kinds, seededFor(seed, `kinds ${round}`));
  return order[(trial - 1) % kinds.length] as string;
}

/** Runs the trials of a course with these kinds of faults, one after the other; each promise that one breaks is told with its trial. */
export async function runTrials(
  { trials, seed, onTrial }: Course,
  kinds: readonly string[],
  run: (choice: TrialChoice) => Promise<TrialResult>,
): Promise<CampaignResult> {
  const broken: string[] = [];
  let acknowledged = 0;
  for (let trial = 1; trial <= trials; trial++) {
    const kind = clusterKindOf(seed, trial, kinds);
    const result = await run({ kind, seed, trial });
    acknowledged += result.acknowledged;
    const where = `trial ${trial}, ${kind} (${result.words})`;
    broken.push(...result.broken.map((sentence) => `${where}: ${sentence}`));
    onTrial?.(
      `${where}: ${result.acknowledged} acknowledged, ${timesOf(result)}, ${result.broken.length} failures`,
    );
  }
  return { trials, counts: { 'messages acknowledged': acknowledged }, broken };
}
