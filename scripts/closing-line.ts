import { writeFileSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule, TestRunEndReason } from 'vitest/node';

/** How many tests ended how, and what failed. A module that did not load, or an error outside any test, counts as one failed. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** A line for each that failed: where, and the error's first two lines. */
  readonly failures: readonly string[];
}

/** An error's message and where it was thrown, as far as two lines tell. */
function inShort({ message, stacks, stack = '' }: SerializedError): string {
  const [place] = stacks ?? [];
  const at = place
    ? `${place.file}:${place.line}`
    : stack.split('\n').find((line: string) => /^\s+at /.test(line));
  return [message.split('\n', 1)[0], ...(at ? [at.trim()] : [])].join(' | ');
}

export function countTests(
  modules: readonly TestModule[],
  unhandledErrors: readonly SerializedError[],
): Counts {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const failures = unhandledErrors.map((error) => `outside of tests: ${inShort(error)}`);
  for (const module of modules) {
    const tell = (where: string, errors: readonly SerializedError[]): void => {
      for (const error of errors) failures.push(`${module.relativeModuleId}${where}: ${inShort(error)}`);
    };
    // Hooks and imports that throw leave errors on the module or a suite, and no test that says so.
    tell('', module.errors());
    for (const suite of module.children.allSuites()) tell(` > ${suite.fullName}`, suite.errors());
  }
  counts.failed = failures.length;
  for (const module of modules) {
    for (const test of module.children.allTests()) {
      const { state, errors } = test.result();
      if (state !== 'pending') counts[state]++;
      if (state === 'failed') {
        const [error] = errors;
        failures.push(`${module.relativeModuleId} > ${test.fullName}${error ? `: ${inShort(error)}` : ''}`);
      }
    }
  }
  return { ...counts, failures };
}

/** `3 passed, 0 failed`, and `, 1 skipped` only when there is one: what other programs read a run's outcome from. */
export function closingLine({ passed, failed, skipped }: Omit<Counts, 'failures'>): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/**
 * Prints the closing line, alone on a line, after everything else of a run. With `CHAT_TEST_COUNTS` naming a file the
 * counts go there as JSON instead, with what failed: .ci/run adds its own checks to them, says at its end what failed, and prints one
 * line for all.
 */
export class ClosingLine implements Reporter {
  /** What is said of a run that never came to its end. */
  #counts: Counts = { passed: 0, failed: 1, skipped: 0, failures: ['the run never came to its end'] };

  onInit(): void {
    // Only then is all else printed: vitest tells of a failed global setup (the build, say) after the run's end.
    process.once('exit', () => {
      const file = process.env.CHAT_TEST_COUNTS;
      if (file) writeFileSync(file, JSON.stringify(this.#counts));
      else process.stdout.write(`${closingLine(this.#counts)}\n`);
    });
  }

  onTestRunEnd(
    modules: readonly TestModule[],
    unhandledErrors: readonly SerializedError[],
    reason: TestRunEndReason,
  ): void {
    const counts = countTests(modules, unhandledErrors);
    // A filter that fits no file fails a run in which nothing else did.
    const isUntold = reason === 'failed' && counts.failed === 0;
    this.#counts = isUntold ? { ...counts, failed: 1, failures: ['no test ran'] } : counts;
  }
}
