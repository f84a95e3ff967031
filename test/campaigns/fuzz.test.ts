import { describe, expect, it } from 'vitest';
import { fuzz, fuzzAttacks } from '../../scripts/campaigns/fuzz.ts';
import { brokenServer, courseOf } from './support/campaign.ts';

// One after the other: both keep this process busy, and each waits for answers only so long.
describe('requests of sense and nonsense at every door', () => {
  it('are answered once each, in order and where they were asked, and everybody else is served', async () => {
    const doors = Object.keys(fuzzAttacks).length;
    const { counts, broken } = await fuzz.run(courseOf(doors, 20_261_122));
    expect(broken).toEqual([]);
    expect(counts['messages acknowledged']).toBeGreaterThanOrEqual(doors);
  });

  it('are found out to be answered twice', async () => {
    const course = courseOf(1, 1, { server: brokenServer('stammering'), only: 'pipe' });
    const { broken } = await fuzz.run(course);
    expect(broken.join('\n')).toMatch(/^trial 1, fuzz of the pipe door: \d+ answers to \d+ lines/);
  });
});
