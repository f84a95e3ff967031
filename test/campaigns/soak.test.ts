import { describe, expect, it } from 'vitest';
import { soak } from '../../scripts/campaigns/soak.ts';
import { brokenServer, courseOf, firstCaught } from './support/campaign.ts';

describe('a server that goes through everything at once', () => {
  it('keeps its promises to senders and to a reader that connect again', async () => {
    const { counts, broken } = await soak.run(courseOf(2, 20_261_121));
    expect(broken).toEqual([]);
    expect(counts['messages acknowledged']).toBeGreaterThan(100);
  });

  it('is caught when it forgets which keys it has seen', async () => {
    const course = courseOf(1, 1, { server: brokenServer('keyless'), only: 'kill' });
    const doubled = /was acknowledged as \d+ and stands at \d+|sent again was answered \d+ instead of/;
    expect(await firstCaught(soak, course, doubled)).toMatch(doubled);
  });
});
