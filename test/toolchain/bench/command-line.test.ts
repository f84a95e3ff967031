import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { parseCommandLine, UsageError, usage } from '../../../scripts/bench/command-line.ts';
import type { Workload } from '../../../scripts/bench/workload.ts';

const workloads: readonly Workload[] = ['sends', 'fan-out'].map((name) => ({
  name,
  about: `what ${name} is`,
  run: async () => [],
}));
const [sends, fanOut] = workloads;
const parse = (...args: string[]) => parseCommandLine(args, workloads);

test('without a word all workloads run, three rounds each, as long as they like', () => {
  expect(parse()).toEqual({ workloads, rounds: 3, seconds: undefined, json: undefined, packaged: undefined });
});

test('words choose workloads, which keep their order; options may stand anywhere', () => {
  expect(parse('fan-out', '--rounds', '5', 'sends', '--seconds', '0.5', '--json', 'a.json')).toEqual({
    workloads: [sends, fanOut],
    rounds: 5,
    seconds: 0.5,
    json: 'a.json',
    packaged: undefined,
  });
  expect(parse('fan-out', '--packaged=dist/chat')).toMatchObject({
    workloads: [fanOut],
    packaged: 'dist/chat',
  });
});

test('a word that is no workload is named, with all that there are', () => {
  expect(() => parse('sends', 'nope', 'neither')).toThrow(
    new UsageError('no such workload: nope, neither; there are sends, fan-out'),
  );
});

test.each(['0', '-1', '1.5', 'three', '1001', ''])('--rounds=%s is refused', (text) => {
  expect(() => parse(`--rounds=${text}`)).toThrow(
    new UsageError(`--rounds takes a whole number from 1 to 1000, not ${JSON.stringify(text)}`),
  );
});

test.each(['1', '1000'])('--rounds=%s is taken', (text) => {
  expect(parse(`--rounds=${text}`)?.rounds).toBe(Number(text));
});

test.each(['0', '0.0', '-1', '3601', '1s', 'Infinity', ''])('--seconds=%s is refused', (text) => {
  expect(() => parse(`--seconds=${text}`)).toThrow(
    new UsageError(`--seconds takes a number above 0, up to 3600, as in 0.5, not ${JSON.stringify(text)}`),
  );
});

test.each(['0.1', '3600'])('--seconds=%s is taken', (text) => {
  expect(parse(`--seconds=${text}`)?.seconds).toBe(Number(text));
});

test('an option that there is not, one without its value and one with an empty name are refused', () => {
  expect(() => parse('--round', '3')).toThrow(
    new UsageError("Unknown option '--round'; see npm run bench -- --help"),
  );
  expect(() => parse('--rounds')).toThrow(UsageError);
  expect(() => parse('--json=')).toThrow(new UsageError('--json takes the name of a file'));
  expect(() => parse('--packaged=')).toThrow(new UsageError('--packaged takes the name of a file'));
});

test('help is asked for by --help, whatever else stands there, and names every workload', () => {
  expect(parse('--help')).toBeUndefined();
  expect(parse('-h', 'sends')).toBeUndefined();
  expect(usage(workloads)).toContain('  sends    what sends is\n  fan-out  what fan-out is\n');
});

test('the command ends with 2 before anything is measured', async () => {
  const run = promisify(execFile)(process.execPath, ['scripts/bench.ts', '--packaged', 'docs']);
  const { code, stdout, stderr } = await run.catch((error) => error);
  const text = '--packaged takes a program that can be run, and docs is none\n';
  expect([code, stdout, stderr]).toEqual([2, '', text]);
});
