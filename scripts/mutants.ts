/**
 * `npm run mutants [WORDS]`: takes each rule of security away in turn, in a copy of the checkout, and sees that a test fails. Only the
 * rules with WORDS in them when there are any. Ends with 1 when one survives; the list is in `scripts/mutants/`.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { mutants } from './mutants/list.ts';
import { copyOf, edited, isCaught, runTests } from './mutants/run.ts';

/** Copies in which mutants are tried at a time. */
const atOnce = 2;

const root = resolve(import.meta.dirname, '..');
const words = process.argv.slice(2).join(' ').toLowerCase();
const chosen = mutants.filter(({ rule }) => rule.toLowerCase().includes(words));
if (chosen.length === 0) throw new Error(`no rule has these words in it: ${words}`);

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
try {
  const copies = Array.from({ length: atOnce }, (_, index) => join(scratch, String(index)));
  for (const copy of copies) await copyOf(root, copy);

  const files = [...new Set(chosen.flatMap(({ tests }) => tests))];
  const started = performance.now();
  const baseline = await runTests(copies[0] ?? scratch, files, { threads: atOnce, untilFirst: false });
  const { failed } = baseline;
  if (baseline.passed) console.log(`${files.length} test files pass as they are (${seconds(started)} s)`);
  else {
    console.error(`${baseline.output}\nfails before anything was taken away: ${[...failed].join(', ')}`);
    if (failed.size === 0) throw new Error('the tests did not run');
    process.exitCode = 1;
  }

  // What fails anyway shows nothing.
  const waiting = chosen.filter(({ tests }) => !tests.some((test) => failed.has(test)));
  const tried = waiting.length;
  const survivors: string[] = [];
  await Promise.all(
    copies.map(async (copy) => {
      for (let mutant = waiting.shift(); mutant; mutant = waiting.shift()) {
        const since = performance.now();
        const caught = await isCaught(copy, mutant);
        if (!caught) survivors.push(mutant.rule);
        console.log(`${caught ? 'caught  ' : 'SURVIVED'}  ${mutant.rule} (${seconds(since)} s)`);
      }
    }),
  );
  console.log(`${tried - survivors.length} of ${chosen.length} caught in ${seconds(started)} s`);
  if (survivors.length > 0) {
    console.error(`no test notices that these no longer hold:\n${survivors.join('\n')}`);
    process.exitCode = 1;
  }
} finally {
  await rm(scratch, { recursive: true, force: true });
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1_000).toFixed(1);
}
