import { describe, expect, it } from 'vitest';
import { canMount, fullDisk } from '../../scripts/campaigns/full-disk.ts';
import { brokenServer, courseOf } from './support/campaign.ts';

// Skipped, and counted so, where nobody may mount a file system.
describe.runIf(canMount())('a server on a file system that is full', () => {
  it('refuses what it has no room for, keeps the rest, and goes on when there is room', async () => {
    const { counts, broken } = await fullDisk.run(courseOf(4, 20_261_121));
    expect(broken).toEqual([]);
    expect(counts['messages acknowledged']).toBeGreaterThan(300);
  });

  it('is caught when it acknowledges what it has no room for', async () => {
    const { broken } = await fullDisk.run(courseOf(1, 1, { server: brokenServer('roomy') }));
    expect(broken.join('\n')).toMatch(/nobody was refused/);
    expect(broken.join('\n')).toMatch(/was acknowledged as 1 and/);
  });
});
