/**
 * The program of a `TestProcess`: keeps one Vitest for the copy that its argument names, and runs a file in it for each message. What a
 * file imports is compiled once, and again only when it is said to have changed: that is most of what a run of one test takes.
 */
import { join } from 'node:path';
import { createVitest, type TestCase } from 'vitest/node';
import type { TestRequest, TestRun } from './test-process.ts';

const root = process.argv[2];
if (root === undefined) throw new Error('which copy?');

// Writes nothing: what ran is told to who asked.
const vitest = await createVitest({
  root,
  watch: false,
  project: ['unit'],
  reporters: [{}],
  bail: 1,
  maxWorkers: 1,
});
const project = vitest.getProjectByName('unit');
const { testTimeout } = project.config;
/** Longest of one test of a mutant, in milliseconds: where a rule is missing, many a test waits for what never comes. */
const hopelessMs = 8_000;

process.on('message', async ({ test, titled, edited }: TestRequest) => {
  if (edited !== undefined) vitest.invalidateFile(join(root, edited));
  project.config.testTimeout = edited === undefined ? testTimeout : hopelessMs;
  const testNamePattern = titled && new RegExp(titled.map(quoted).join('|'));
  const specification = project.createSpecification(join(root, test), testNamePattern && { testNamePattern });
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications([specification]);
  if (edited !== undefined) vitest.invalidateFile(join(root, edited));

  // Vitest remembers the files that ran before, too.
  const module = testModules.find(({ moduleId }) => moduleId === specification.moduleId);
  const tests = [...(module?.children.allTests() ?? [])];
  const titles = (state: string) => tests.filter((one) => one.result().state === state).map(titleOf);
  const errors = [...(module?.errors() ?? []), ...unhandledErrors].map(String);
  process.send?.({ passed: titles('passed'), failed: titles('failed'), errors } satisfies TestRun);
});
process.send?.('ready');

function quoted(words: string): string {
  return words.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

/** As Vitest's patterns see it: with those of the blocks around. */
function titleOf({ fullName }: TestCase): string {
  return fullName.replaceAll(' > ', ' ');
}
