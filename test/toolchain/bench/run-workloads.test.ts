import { execFile, spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { figureOf } from '../../../scripts/bench/figure.ts';
import { needed, scratchDirectory } from '../../../scripts/bench/left-overs.ts';
import type { Outcome } from '../../../scripts/bench/report.ts';
import { runWorkloads } from '../../../scripts/bench/run-workloads.ts';
import type { Course } from '../../../scripts/bench/workload.ts';

const figure = figureOf({ name: 'one', unit: 'ms', values: [1] });
const course = { rounds: 2, seconds: 0.5, packaged: undefined };

async function outcomesOf(...runs: Array<(course: Course) => Promise<Outcome['figures']>>) {
  const seen: Outcome[] = [];
  const workloads = runs.map((run, index) => ({
    name: `workload ${index}`,
    about: '',
    run: async (given: Course) => [...(await run(given))],
  }));
  const outcomes = await runWorkloads({ ...course, workloads }, (outcome) => seen.push(outcome));
  expect(seen).toEqual(outcomes);
  return outcomes;
}

test('a workload is told how to run, and says what it left out', async () => {
  let told: Course | undefined;
  const outcomes = await outcomesOf(async (given) => {
    told = given;
    given.leaveOut('10,000 followers', 'too few files');
    return [figure];
  });
  expect(told).toMatchObject(course);
  expect(outcomes).toEqual([
    {
      name: 'workload 0',
      figures: [figure],
      leftOut: [{ what: '10,000 followers', why: 'too few files' }],
    },
  ]);
});

test('one that fails is kept with what went wrong, and the others run', async () => {
  const outcomes = await outcomesOf(
    () => Promise.reject(new Error('the server said no')),
    async () => [figure],
  );
  expect(outcomes).toEqual([
    { name: 'workload 0', figures: [], leftOut: [], failed: 'the server said no' },
    { name: 'workload 1', figures: [figure], leftOut: [] },
  ]);
});

test('an error that nobody waits for is that of the workload that runs, which need not come to an end by itself', async () => {
  // In a process of its own: vitest has its own opinion of such errors.
  const text = `
    import { runWorkloads } from ${JSON.stringify(resolve('scripts/bench/run-workloads.ts'))};
    const cut = () => Promise.reject(new Error('aside')) && new Promise(() => {});
    const thrown = () => new Promise(() => setTimeout(() => { throw new Error('thrown'); }));
    const next = async () => [];
    const workloads = Object.entries({ cut, thrown, next }).map(([name, run]) => ({ name, run }));
    const outcomes = await runWorkloads({ workloads, rounds: 1, patienceMs: 1 }, () => {});
    console.log(outcomes.map(({ name, failed }) => name + ': ' + failed).join(', '));
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', text]);
  expect(stdout).toBe('cut: aside, thrown: thrown, next: undefined\n');
});

test('after each nothing is left running or lying about, whether it failed or not', async () => {
  const left: Array<{ directory: string; child: ReturnType<typeof spawn> }> = [];
  function leave(): void {
    const directory = scratchDirectory();
    writeFileSync(join(directory, 'file'), '');
    left.push({
      directory,
      child: needed(spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)']), 'it'),
    });
  }
  await outcomesOf(
    async () => {
      leave();
      return [];
    },
    async () => {
      leave();
      expect(existsSync(left[0]?.directory ?? '')).toBe(false);
      expect(left[0]?.child.signalCode).toBe('SIGKILL');
      throw new Error('failed');
    },
  );
  expect(left.map(({ directory, child }) => [existsSync(directory), child.signalCode])).toEqual([
    [false, 'SIGKILL'],
    [false, 'SIGKILL'],
  ]);
});
