import { spawn } from 'node:child_process';
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Mutant } from './mutant.ts';

/** Longest run of one mutant's tests; one that takes longer has shown nothing. */
const longestRunMs = 120_000;

/** What the tests need of a checkout; the packages are shared. */
const copied = ['src', 'test', 'scripts', 'docs', 'package.json', 'vitest.config.ts', 'tsconfig.json'];

/** Makes a copy of the checkout at `root`, in which files may be edited. */
export async function copyOf(root: string, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const name of copied) await cp(join(root, name), join(directory, name), { recursive: true });
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
}

/** The text with the mutant's edit; throws when what it edits is not there exactly once. */
export function edited(text: string, { file, find, replace, rule }: Mutant): string {
  const count = text.split(find).length - 1;
  if (count !== 1) {
    throw new Error(`${rule}: ${file} has ${count} times, not once: ${JSON.stringify(find)}`);
  }
  return text.replace(find, () => replace);
}

/** How a run of tests ended. */
export interface TestRun {
  readonly passed: boolean;
  readonly timedOut: boolean;
  /** The test files in which something failed. */
  readonly failed: ReadonlySet<string>;
  /** What it said; for who wants to know why. */
  readonly output: string;
}

/** Runs test files in a copy; with `untilFirst` up to the first test that fails. */
export function runTests(
  directory: string,
  files: readonly string[],
  { threads, untilFirst }: { readonly threads: number; readonly untilFirst: boolean },
): Promise<TestRun> {
  const vitest = join(directory, 'node_modules', 'vitest', 'vitest.mjs');
  const bail = untilFirst ? ['--bail', '1'] : [];
  const flags = ['run', '--project', 'unit', ...bail, '--maxWorkers', String(threads), '--no-color'];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [vitest, ...flags, ...files], {
      cwd: directory,
      env: { ...process.env, CHAT_TEST_COUNTS: '', CI: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: untilFirst ? longestRunMs : 5 * longestRunMs,
      killSignal: 'SIGKILL',
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
    }
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const failed = new Set([...output.matchAll(/^ FAIL {2}\|unit\| (\S+)/gm)].map(([, file = '']) => file));
      resolve({ passed: code === 0, timedOut: signal !== null, failed, output });
    });
  });
}

/** True when a test of the mutant's fails, in time. The copy is as it was before, when this has ended. */
export async function isCaught(directory: string, mutant: Mutant): Promise<boolean> {
  const path = join(directory, mutant.file);
  const text = await readFile(path, 'utf8');
  await writeFile(path, edited(text, mutant));
  try {
    const { passed, timedOut } = await runTests(directory, mutant.tests, { threads: 1, untilFirst: true });
    return !passed && !timedOut;
  } finally {
    await writeFile(path, text);
  }
}
