import { describe, expect, it } from 'vitest';
import { brokenPromises, type Sent } from '../../scripts/campaigns/promises.ts';
import { sigkill } from '../../scripts/campaigns/sigkill.ts';
import { brokenServer, courseOf, firstCaught } from './support/campaign.ts';

describe('a server that is killed with SIGKILL under load', () => {
  it('has every acknowledged message exactly once and in order after each kill, in a file that sqlite3 finds sound', async () => {
    const { trials, counts, broken } = await sigkill.run(courseOf(5, 20_261_121));
    expect(broken).toEqual([]);
    expect(trials).toBe(5);
    expect(counts['messages acknowledged']).toBeGreaterThan(20);
  });

  it('is caught when it acknowledges before its commit', async () => {
    const lost = /was acknowledged as \d+ and is lost/;
    expect(await firstCaught(sigkill, courseOf(1, 1, { server: brokenServer('hasty') }), lost)).toMatch(lost);
  });
});

describe('the check of promises', () => {
  const sent = (count: number, acknowledged: boolean): Sent => ({
    to: '#lobby',
    text: `m${count}`,
    sender: 1,
    count,
    acknowledged: acknowledged ? { seq: count, id: `id${count}` } : undefined,
  });
  const found = (seq: number, count = seq) => ({ seq, id: `id${count}`, text: `m${count}` });

  it('finds nothing when all is kept, also when an unanswered message was stored or was not', () => {
    const all = [sent(1, true), sent(2, false), sent(3, false)];
    expect(brokenPromises('#lobby', 0, [found(1), found(2)], all)).toEqual([]);
  });

  it.each([
    [
      'a lost message',
      [found(1)],
      [sent(1, true), sent(2, true)],
      '#lobby: m2 was acknowledged as 2 and is lost',
    ],
    ['a doubled one', [found(1), found(2, 1)], [sent(1, true)], '#lobby: m1 stands at 1 and at 2'],
    ['a gap', [found(1), found(3)], [sent(1, true), sent(3, true)], '#lobby: after 1 comes 3'],
    [
      'a moved one',
      [found(1, 2), found(2, 1)],
      [sent(1, false), sent(2, false)],
      '#lobby: m2 stands before m1',
    ],
    [
      'an answer that was not true',
      [found(1, 2)],
      [sent(2, true)],
      '#lobby: m2 was acknowledged as 2 and stands at 1',
    ],
    ['a message that nobody sent', [found(1)], [], '#lobby: nobody sent what stands at 1'],
  ])('finds %s', (_what, stored, messages, sentence) => {
    expect(brokenPromises('#lobby', 0, stored, messages)).toContain(sentence);
  });
});
