import { describe, expect, it } from 'vitest';
import { pointsOf } from '../../scripts/campaigns/crash-points.ts';
import { diskChoices } from '../../scripts/campaigns/disk-errors.ts';
import { roomOf } from '../../scripts/campaigns/full-disk.ts';
import { seededFor } from '../../scripts/campaigns/random.ts';
import { killMsOf } from '../../scripts/campaigns/sigkill.ts';

const trials = Array.from({ length: 20 }, (_, index) => index + 1);

describe('what the trials of a campaign choose', () => {
  it.each([
    ['sigkill', killMsOf],
    ['disk-errors', diskChoices],
    ['full-disk', roomOf],
  ])("is the seed's alone in %s, whatever a load has drawn meanwhile", (_name, choose) => {
    const chosen = trials.map((trial) => choose(7, trial));
    const again = trials.map((trial) => {
      const load = seededFor(7, `load ${trial}`);
      for (let n = 0; n < trial; n++) load();
      return choose(7, trial);
    });
    expect(again).toEqual(chosen);
    expect(trials.map((trial) => choose(8, trial))).not.toEqual(chosen);
    expect(new Set(chosen.map((choice) => JSON.stringify(choice))).size).toBe(trials.length);
  });

  it('is the order of the points in crash-points, which one more call does not change', () => {
    const counts = { fsync: 3, pwrite64: 20 };
    const points = pointsOf(7, 'commit', new Map(Object.entries(counts)));
    expect(points).toHaveLength(23);
    const more = pointsOf(7, 'commit', new Map(Object.entries({ ...counts, pwrite64: 21 })));
    expect(more.filter(({ n }) => n !== 21)).toEqual(points);
    expect(pointsOf(8, 'commit', new Map(Object.entries(counts)))).not.toEqual(points);
    expect(pointsOf(7, 'backup', new Map(Object.entries(counts)))).not.toEqual(points);
  });
});
