import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { reportLine } from '../../scripts/campaigns/campaign.ts';

const run = promisify(execFile);

/** What the program says of words with which it must not begin. */
async function said(words: readonly string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
  return await run(process.execPath, ['scripts/campaigns.ts', ...words]).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }: { code: unknown; stdout: string; stderr: string }) => ({
      code,
      stdout,
      stderr,
    }),
  );
}

describe('campaigns', () => {
  it('end with a line of trials, of what was done, of failures and of the seed', () => {
    const result = { trials: 20, counts: { 'messages acknowledged': 4_711 }, broken: ['one', 'two'] };
    expect(reportLine('sigkill', result, 7)).toBe(
      'sigkill: 20 trials, 4,711 messages acknowledged, 2 failures, seed 7',
    );
  });

  it('tell no seed where it decides nothing', () => {
    expect(reportLine('envelopes', { trials: 20, counts: {}, broken: [] }, undefined)).toBe(
      'envelopes: 20 trials, 0 failures',
    );
  });

  it('are listed with how they are called for --help, and none begins', async () => {
    const { code, stdout, stderr } = await said(['soak', '--help']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^usage: npm run campaigns \[-- NAME \.\.\.\]/);
    expect(stdout).toContain('\n  soak ');
    expect(stdout).not.toContain('trial 1');
  });

  it.concurrent.each([
    [['nope'], 'no such campaign: nope; there are\n  sigkill '],
    // What every object has is no campaign.
    [['toString'], 'no such campaign: toString; there are\n'],
    [['--bogus'], "unknown option '--bogus'; there are\n"],
    [['sigkill', '--trials'], "option '--trials <value>' argument missing; there are\n"],
    [['sigkill', '--seed='], '--seed is no whole number; there are\n'],
    [['sigkill', '--trials', '0'], '--trials is no whole number above 0; there are\n'],
    [['sigkill', '--seed', 'x'], '--seed is no whole number; there are\n'],
    [
      ['sigkill', 'soak', '--only', 'kill'],
      '--only: no kind of fault of sigkill has "kill" in its name; there are\n',
    ],
    [['sigkill', '--only', 'x'], '--only: no kind of fault has "x" in its name; there are\n'],
  ])('are refused with exit 2 and the list of them for %j', async (words, text) => {
    const { code, stdout, stderr } = await said(words);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr.startsWith(text)).toBe(true);
    expect(stderr).toContain('  soak ');
  });
});
