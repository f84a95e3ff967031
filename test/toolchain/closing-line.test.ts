import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { closingLine } from '../../scripts/closing-line.ts';
import { compileCache } from '../support/compile-cache.ts';

let scratch: string;

beforeEach(() => {
  scratch = realpathSync(mkdtempSync(join(tmpdir(), 'chat-closing-')));
  symlinkSync(resolve('node_modules'), join(scratch, 'node_modules'));
});
afterEach(() => rmSync(scratch, { recursive: true }));

/** Runs vitest with our reporter over files of these texts; answers its exit code and its last line. */
function run(files: Readonly<Record<string, string>>, { config = '', env = {} } = {}) {
  const put = (name: string, text: string) => writeFileSync(join(scratch, name), text);
  put(
    'vitest.config.ts',
    `import { ClosingLine } from ${JSON.stringify(resolve('scripts/closing-line.ts'))};
     export default { test: { reporters: ['default', new ClosingLine()], ${config} } };`,
  );
  for (const [name, text] of Object.entries(files))
    put(name, `import { describe, test } from 'vitest';\n${text}`);
  const { status, stdout } = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run'], {
    cwd: scratch,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, CI: 'true', ...compileCache, ...env },
  });
  return { status, last: stdout.trimEnd().split('\n').at(-1) };
}

test('the closing line names what was skipped only when something was', () => {
  expect(closingLine({ passed: 3, failed: 0, skipped: 0 })).toBe('3 passed, 0 failed');
  expect(closingLine({ passed: 3, failed: 1, skipped: 2 })).toBe('3 passed, 1 failed, 2 skipped');
});

test('a run where all is well ends with the number that passed', () => {
  expect(run({ 'a.test.ts': "test('one', () => {}); describe('in', () => test('two', () => {}));" })).toEqual(
    {
      status: 0,
      last: '2 passed, 0 failed',
    },
  );
});

test('a failing test, a hook that throws and a file that does not load all count as failed', () => {
  const files = {
    'a.test.ts':
      "test('bad', () => { throw new Error('x'); }); test.skip('not now', () => {}); test('good', () => {});",
    'b.test.ts':
      "import { afterAll } from 'vitest'; afterAll(() => { throw new Error('x'); }); test('ok', () => {});",
    'c.test.ts': "import './gone.ts';",
  };
  expect(run(files)).toEqual({ status: 1, last: '2 passed, 3 failed, 1 skipped' });
});

test('an error outside every test counts as failed', () => {
  const text =
    "test('ok', async () => { void Promise.reject(new Error('x')); await new Promise((r) => setTimeout(r, 50)); });";
  expect(run({ 'a.test.ts': text })).toEqual({ status: 1, last: '1 passed, 1 failed' });
});

test('a run that finds no test, or whose global setup throws, is one failed', () => {
  expect(run({})).toEqual({ status: 1, last: '0 passed, 1 failed' });
  const files = {
    'a.test.ts': "test('ok', () => {});",
    'set-up.ts': "export const setup = () => { throw new Error('x'); };",
  };
  expect(run(files, { config: "globalSetup: ['set-up.ts']" })).toEqual({
    status: 1,
    last: '0 passed, 1 failed',
  });
});

test('the counts go to a file instead when one is named, with where each failure was and what it said', () => {
  const file = join(scratch, 'counts.json');
  const files = {
    'a.test.ts':
      "test('ok', () => {}); describe('in', () => test('bad', () => { throw new Error('no\\nmore'); }));",
    'b.test.ts': "import './gone.ts';",
    'c.test.ts':
      "test('fine', async () => { void Promise.reject(new Error('late')); await new Promise((r) => setTimeout(r, 50)); });",
  };
  const { last } = run(files, { env: { CHAT_TEST_COUNTS: file } });
  expect(last).not.toMatch(/^\d+ passed/);
  expect(existsSync(file) && JSON.parse(readFileSync(file, 'utf8'))).toEqual({
    passed: 2,
    failed: 3,
    skipped: 0,
    failures: [
      expect.stringMatching(/^outside of tests: late \| .*c\.test\.ts:2/),
      expect.stringMatching(/^b\.test\.ts: .*gone\.ts/),
      expect.stringMatching(/^a\.test\.ts > in > bad: no \| .*a\.test\.ts:2$/),
    ],
  });
});
