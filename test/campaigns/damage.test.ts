import { describe, expect, it } from 'vitest';
import { damage } from '../../scripts/campaigns/damage.ts';
import { brokenServer, courseOf, firstCaught } from './support/campaign.ts';

describe('a server on damaged files', () => {
  it('has everything that was acknowledged, or says what is wrong and does not start', async () => {
    const { counts, broken } = await damage.run(courseOf(9, 20_261_121));
    expect(broken).toEqual([]);
    expect(counts['starts refused']).toBeGreaterThan(0);
  });

  it('is caught when it begins anew', async () => {
    const course = courseOf(2, 1, { server: brokenServer('forgetful'), only: 'chat.db-wal: flipped' });
    // A bit of the last commit looks like a power cut.
    const missing = /flipped bit at byte \d+ of \d+: reading fails with|is lost/;
    expect(await firstCaught(damage, course, missing)).toMatch(missing);
  });
});
