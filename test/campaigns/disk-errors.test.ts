import { describe, expect, it } from 'vitest';
import { diskErrors } from '../../scripts/campaigns/disk-errors.ts';
import { clearRefusal } from '../../scripts/campaigns/refusal.ts';
import { brokenServer, courseOf, firstCaught } from './support/campaign.ts';

describe('a server whose disk fails', () => {
  it('keeps what it has acknowledged, and refuses, ends or goes on as it should, whichever way it fails', async () => {
    const { trials, counts, broken } = await diskErrors.run(courseOf(9, 20_261_121));
    expect(broken).toEqual([]);
    expect(trials).toBe(9);
    expect(counts['messages acknowledged']).toBeGreaterThan(100);
  });

  it('is caught when it goes on after a sync that failed', async () => {
    const { broken } = await diskErrors.run(
      courseOf(1, 1, { server: brokenServer('deaf-to-syncs'), only: 'a failed sync' }),
    );
    expect(broken).toEqual(['trial 1, a failed sync: the server goes on after a failed sync']);
  });

  it('is caught when it acknowledges what it has no room for', async () => {
    // On a slow machine nothing may be sent while the disk is full.
    const course = courseOf(1, 1, { server: brokenServer('roomy'), only: 'a full disk' });
    const lost = /^trial 1, a full disk: .*is lost$/m;
    expect(await firstCaught(diskErrors, course, lost)).toMatch(lost);
  });

  it('is caught when it answers a backup whose renaming has failed', async () => {
    const { broken } = await diskErrors.run(
      courseOf(1, 1, { server: brokenServer('deaf-to-renames'), only: 'renamed' }),
    );
    expect(broken).toEqual([
      'trial 1, a backup that cannot be renamed: the backup was answered as if it were made',
      expect.stringContaining('left behind: chat-'),
    ]);
  });
});

describe('a refusal', () => {
  const refused = { code: 3, signal: null, errors: 'a line of the log\nchat: the disk is full: make room\n' };

  it('is clear when it has the right code and one sentence', () => {
    expect(clearRefusal(refused)).toEqual([]);
  });

  it.each([
    ['another code', { code: 1 }, 'it ended with 1 instead of 3'],
    ['a signal', { code: null, signal: 'SIGSEGV' as const }, 'it ended with SIGSEGV instead of 3'],
    ['no sentence', { errors: 'a line of the log\n' }, 'it has said 0 sentences of why'],
    ['two', { errors: 'chat: one\nchat: two\n' }, 'it has said 2 sentences of why'],
    ['a stack', { errors: 'chat: one\n    at start (chat.mjs:1:1)\n' }, 'it has shown its insides'],
  ])('is not with %s', (_what, end, sentence) => {
    expect(clearRefusal({ ...refused, ...end }).join()).toContain(sentence);
  });
});
