import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { edited } from './copy.ts';
import type { Mutant } from './mutant.ts';
import type { TestProcess } from './test-process.ts';

/** The mutants of one test file: they are tried one after the other where that file is compiled already. */
export interface Group {
  readonly test: string;
  readonly mutants: readonly Mutant[];
}

/** The groups of the mutants, the largest first, so that those who share the work end together. */
export function groupsOf(mutants: readonly Mutant[]): Group[] {
  const byTest = Map.groupBy(mutants, ({ test }) => test);
  return [...byTest]
    .map(([test, mutants]) => ({ test, mutants }))
    .toSorted((one, other) => other.mutants.length - one.mutants.length);
}

/** One of so many shares of the groups, `which` from 1 on; the shares have every group once, and about as many mutants. */
export function shareOf(groups: readonly Group[], which: number, shares: number): Group[] {
  const dealt = Array.from({ length: shares }, () => ({ groups: [] as Group[], mutants: 0 }));
  for (const group of groups) {
    const [least] = dealt.toSorted((one, other) => one.mutants - other.mutants);
    if (!least) break;
    least.groups.push(group);
    least.mutants += group.mutants.length;
  }
  return dealt[which - 1]?.groups ?? [];
}

/** What is wrong with the tests before anything is taken away; nothing when each mutant has one and they pass. */
export async function problemOf({ test, mutants }: Group, tests: TestProcess): Promise<string | undefined> {
  const words = mutants.flatMap(({ titled }) => titled ?? []);
  const run = await tests.run({ test, titled: words.length === mutants.length ? words : undefined });
  if (!run) return `${test} does not end`;
  const wrong = [...run.failed, ...run.errors];
  if (wrong.length > 0) return `${test} fails before anything was taken away: ${wrong.join(', ')}`;
  const unused = words.filter((one) => !run.passed.some((title) => title.includes(one)));
  if (run.passed.length === 0 || unused.length > 0) return `${test} has no test titled: ${unused.join(', ')}`;
  return undefined;
}

/** How a trial ended: `broken` when something else than a test failed, or nothing ended, which shows nothing. */
export type Verdict = 'caught' | 'SURVIVED' | 'BROKEN';

/** Takes the mutant's rule away in the copy, runs its test, and puts the rule back. */
export async function verdictOn(mutant: Mutant, directory: string, tests: TestProcess): Promise<Verdict> {
  const { file, test, titled } = mutant;
  const path = join(directory, file);
  const text = await readFile(path, 'utf8');
  await writeFile(path, edited(text, mutant));
  try {
    const run = await tests.run({ test, titled: titled === undefined ? undefined : [titled], edited: file });
    if (run && run.failed.length > 0) return 'caught';
    return run && run.passed.length > 0 && run.errors.length === 0 ? 'SURVIVED' : 'BROKEN';
  } finally {
    await writeFile(path, text);
  }
}
