import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** Longest run of one file's tests; one that takes longer has shown nothing. */
const longestRunMs = 60_000;

/** What to run in the copy. */
export interface TestRequest {
  /** The test file, from the root. */
  readonly test: string;
  /** Its tests with any of these in their titles; all of it without. */
  readonly titled: readonly string[] | undefined;
  /** The file, from the root, that is another one for this run. */
  readonly edited?: string;
}

/** How a run ended: up to its first test that fails. */
export interface TestRun {
  /** Titles, each with those of the blocks around. */
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  /** What went wrong outside of the tests, as with a file that cannot be read. */
  readonly errors: readonly string[];
}

/** Runs tests in one copy, in a process that stays: to begin anew for each mutant took longer than the tests. */
export class TestProcess {
  readonly #directory: string;
  #child: ChildProcess | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Undefined when it did not end in time; the next run then begins with a new process. */
  async run(request: TestRequest): Promise<TestRun | undefined> {
    this.#child ??= await begun(this.#directory);
    const child = this.#child;
    const ended = new AbortController();
    const timer = setTimeout(() => child.kill('SIGKILL'), longestRunMs);
    try {
      child.send(request);
      const run = await Promise.race([
        once(child, 'message', { signal: ended.signal }).then(([answer]) => answer as TestRun),
        once(child, 'exit', { signal: ended.signal }).then(() => undefined),
      ]);
      if (!run) this.#child = undefined;
      return run;
    } finally {
      clearTimeout(timer);
      ended.abort();
    }
  }

  /** Ends the process. */
  close(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }
}

async function begun(directory: string): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, 'tester.ts'), [directory], {
    cwd: directory,
    env: { ...process.env, CHAT_TEST_COUNTS: '', CHAT_TEST_BUNDLES_PACKAGES: '1', CI: '1' },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const failed = once(child, 'exit').then(() => {
    throw new Error('the process for the tests did not begin');
  });
  await Promise.race([once(child, 'message'), failed]);
  return child;
}
