/**
 * `npm run mutants [-- [--share K/N] [WORDS]]`: takes each rule of security away in turn, in a copy of the checkout, and sees that a test
 * fails. Only the rules with WORDS in them when there are any; only the K-th of N shares of them. Ends with 1 when one survives; the list is
 * in `scripts/mutants/`.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { copyOf, edited } from './mutants/copy.ts';
import { groupsOf, problemOf, shareOf, verdictOn } from './mutants/group.ts';
import { mutants } from './mutants/list.ts';
import { TestProcess } from './mutants/test-process.ts';

/** Copies in which mutants are tried at a time. */
const atOnce = 2;

const root = resolve(import.meta.dirname, '..');
const { values, positionals } = parseArgs({ allowPositionals: true, options: { share: { type: 'string' } } });
const words = positionals.join(' ').toLowerCase();
const meant = mutants.filter(({ rule }) => rule.toLowerCase().includes(words));
if (meant.length === 0) refuse(`no rule has these words in it: ${words}`);
const share = values.share ?? '1/1';
const [which = 0, shares = 0] = /^\d+\/\d+$/.test(share) ? share.split('/').map(Number) : [];
if (which < 1 || which > shares) refuse(`--share is K/N, such as 2/4, not ${share}`);
const waiting = shareOf(groupsOf(meant), which, shares);
const chosen = waiting.flatMap((group) => group.mutants);

// A list that has fallen behind the code is told at once, and all of it.
const problems: string[] = [];
for (const mutant of chosen) {
  try {
    edited(await readFile(join(root, mutant.file), 'utf8'), mutant);
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
}
if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exit(1);
}

const scratch = await mkdtemp(join(tmpdir(), 'chat-mutants-'));
const copies = Array.from({ length: atOnce }, (_, index) => join(scratch, String(index)));
const testers = copies.map((copy) => new TestProcess(copy));
try {
  for (const copy of copies) await copyOf(root, copy);
  const started = performance.now();
  let caught = 0;
  await Promise.all(
    copies.map(async (copy, index) => {
      const tests = testers[index] as TestProcess;
      for (let group = waiting.shift(); group; group = waiting.shift()) {
        // What fails anyway shows nothing.
        const problem = await problemOf(group, tests);
        if (problem !== undefined) problems.push(problem);
        for (const mutant of problem === undefined ? group.mutants : []) {
          const since = performance.now();
          const verdict = await verdictOn(mutant, copy, tests);
          if (verdict === 'caught') caught += 1;
          else problems.push(`${verdict}: ${mutant.rule} (${mutant.test})`);
          console.log(`${verdict.padEnd(8)}  ${mutant.rule} (${seconds(since)} s)`);
        }
      }
    }),
  );
  console.log(`${caught} of ${chosen.length} caught in ${seconds(started)} s`);
  if (problems.length > 0) {
    console.error(problems.join('\n'));
    process.exitCode = 1;
  }
} finally {
  for (const tests of testers) tests.close();
  await rm(scratch, { recursive: true, force: true });
}

function refuse(why: string): never {
  console.error(`mutants: ${why}`);
  process.exit(2);
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1_000).toFixed(1);
}
