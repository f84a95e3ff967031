import { describe, expect, it } from 'vitest';
import { crashPoints } from '../../scripts/campaigns/crash-points.ts';
import { brokenServer, courseOf, firstCaught } from './support/campaign.ts';

describe('a server that is killed at a system call', () => {
  it('keeps its promises: in a start, a migration, a commit, a checkpoint, a backup and its end', async () => {
    const { trials, counts, broken } = await crashPoints.run(courseOf(6, 20_261_121));
    expect(broken).toEqual([]);
    expect(trials).toBe(6);
    expect(counts['messages acknowledged']).toBeGreaterThan(0);
    expect(counts.kills).toBeGreaterThan(0);
  });

  it('is caught when it acknowledges before its commit', async () => {
    const course = courseOf(2, 1, { server: brokenServer('hasty'), only: 'commit' });
    const lost = /commit, killed at \w+ \d+: .* was acknowledged as \d+ and is lost/;
    expect(await firstCaught(crashPoints, course, lost)).toMatch(lost);
  });
});
