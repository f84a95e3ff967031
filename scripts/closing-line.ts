import { writeFileSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule, TestRunEndReason } from 'vitest/node';

/** How many tests ended how. A module that did not load, or an error outside any test, counts as one failed. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export function countTests(
  modules: readonly TestModule[],
  unhandledErrors: readonly SerializedError[],
): Counts {
  const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
  for (const module of modules) {
    // Hooks and imports that throw leave errors on the module or a suite, and no test that says so.
    counts.failed += module.errors().length;
    for (const suite of module.children.allSuites()) counts.failed += suite.errors().length;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state !== 'pending') counts[state]++;
    }
  }
  return counts;
}

/** `3 passed, 0 failed`, and `, 1 skipped` only when there is one: what other programs read a run's outcome from. */
export function closingLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/**
 * Prints the closing line, alone on a line, after everything else of a run. With `CHAT_TEST_COUNTS` naming a file the
 * counts go there as JSON instead: .ci/run adds its own checks to them and prints one line for all.
 */
export class ClosingLine implements Reporter {
  /** What is said of a run that never came to its end. */
  #counts: Counts = { passed: 0, failed: 1, skipped: 0 };

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
    this.#counts = reason === 'failed' && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
  }
}
