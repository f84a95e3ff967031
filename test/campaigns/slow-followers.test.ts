import { describe, expect, it } from 'vitest';
import { slowFollowers } from '../../scripts/campaigns/slow-followers.ts';
import { courseOf } from './support/campaign.ts';

describe('followers that stop reading', () => {
  it.concurrent('for a while have everything in the end, and those that stop for ever are let go', async () => {
    const { counts, broken } = await slowFollowers.run(courseOf(2, 20_261_121, { only: ', pipe' }));
    expect(broken).toEqual([]);
    expect(counts['messages acknowledged']).toBeGreaterThan(1);
  });

  it.concurrent('are found out when they may take nothing for ever', async () => {
    const server = [process.execPath, 'dist/chat.mjs', 'serve', '--line-wait-logged-in', '0'] as const;
    const course = courseOf(1, 1, { server, only: 'followers that stop, slash' });
    const { broken } = await slowFollowers.run(course);
    expect(broken).toEqual(['trial 1, followers that stop, slash: 10 of 10 who take nothing are kept']);
  });
});
