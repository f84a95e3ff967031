import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { targets } from '../../../scripts/package/targets.ts';

const run = (...words: string[]) =>
  spawnSync(process.execPath, ['--import', 'tsx', 'scripts/package.ts', ...words], { encoding: 'utf8' });

it('refuses a target that there is none of, with the list of them', () => {
  const { status, stdout, stderr } = run('linux-x64', 'plan9-x64');
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toContain('there is no target plan9-x64');
  for (const { name } of targets) expect(stderr).toContain(name);
});

it('refuses a flag that it does not know, and tells of those that it does', () => {
  const { status, stderr } = run('--everything');
  expect(status).toBe(2);
  expect(stderr).toMatch(/^package: .*--everything/);
  expect(run('--help')).toMatchObject({ status: 0, stderr: '', stdout: expect.stringContaining('--all') });
});
