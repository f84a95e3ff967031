import { describe, expect, it } from 'vitest';
import { Deliveries } from '../../scripts/campaigns/deliveries.ts';
import { durableTail } from '../../scripts/campaigns/durable-tail.ts';
import { courseOf, firstCaught, hastyClient } from './support/campaign.ts';

describe('a durable tail that is killed with SIGKILL under load, and its server too', () => {
  it('hands over every message at least once, in order, and once when repeated ids are dropped', async () => {
    const { counts, broken } = await durableTail.run(courseOf(2, 20_261_121));
    expect(broken).toEqual([]);
    expect(counts['tails killed']).toBeGreaterThan(0);
    expect(counts.lines).toBeGreaterThan(20);
  });

  it('is caught when its cursor moves before the line is written', async () => {
    const missing = /goes on at \d+, and \d+ has never come/;
    const course = courseOf(1, 3, { client: hastyClient() });
    expect(await firstCaught(durableTail, course, missing)).toMatch(missing);
  });
});

describe('the check of deliveries', () => {
  const at = (...seqs: number[]) => seqs.map((seq) => ({ to: '#ops', seq, id: `id${seq}` }));
  const stored = at(1, 2, 3);

  it('finds nothing when all came in order, with repeats at the seams', () => {
    const deliveries = new Deliveries();
    expect(deliveries.take('run 1', at(1, 2))).toEqual([]);
    expect(deliveries.take('run 2', at(2, 3))).toEqual([]);
    expect(deliveries.check('#ops', stored)).toEqual([]);
    expect([deliveries.lines, deliveries.repeats]).toEqual([4, 1]);
  });

  it.each([
    ['a message that was skipped', [at(1), at(3)], 'run 2: #ops goes on at 3, and 2 has never come'],
    ['one that is never made up for', [at(1), at(3)], '#ops 2 has never come'],
    ['the last ones missing', [at(1, 2)], '#ops 3 has never come'],
    ['a repeat within a run', [at(1, 2, 2, 3)], 'run 1: after 2 of #ops comes 2'],
    ['a step back within a run', [at(1, 2, 1, 2, 3)], 'run 1: after 2 of #ops comes 1'],
    [
      'a repeat that is another',
      [at(1, 2, 3), [{ to: '#ops', seq: 3, id: 'x' }]],
      'run 2: #ops 3 was id3 and is x',
    ],
    [
      'one that is not what is stored',
      [[{ to: '#ops', seq: 1, id: 'x' }, ...at(2, 3)]],
      '#ops 1 is id1 and came as x',
    ],
    ['one that nobody stored', [at(1, 2, 3, 4)], '#ops: 4 came, and 3 are stored'],
  ])('finds %s', (_what, runs, sentence) => {
    const deliveries = new Deliveries();
    const broken = runs.flatMap((run, index) => deliveries.take(`run ${index + 1}`, run));
    broken.push(...deliveries.check('#ops', stored));
    expect(broken).toContain(sentence);
  });
});
