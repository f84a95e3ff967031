import { describe, expect, it } from 'vitest';
import { slowReaders } from '../../scripts/campaigns/slow-readers.ts';
import { brokenServer, courseOf } from './support/campaign.ts';

describe('readers that stop taking what comes', () => {
  it('are told that they lag behind, have everything in the end, and hold up nobody', async () => {
    const { counts, broken } = await slowReaders.run(courseOf(1, 20_261_121));
    expect(broken).toEqual([]);
    expect(counts['messages acknowledged']).toBe(1_200);
  });

  it('are found out when the server lets any amount wait for them', async () => {
    const { broken } = await slowReaders.run(courseOf(1, 1, { server: brokenServer('boundless') }));
    expect(broken).toContain('trial 1: slow reader 1: was never told that it lags behind');
  });
});
