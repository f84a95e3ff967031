import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { brokenPromises, type Sent } from '../../scripts/campaigns/promises.ts';
import { sigkillCampaign } from '../../scripts/campaigns/sigkill.ts';

const hasty = fileURLToPath(new URL('./support/hasty-server.ts', import.meta.url));

describe('a server that is killed with SIGKILL under load', () => {
  it('has every acknowledged message exactly once and in order after each of 20 kills, in a file that sqlite3 finds sound', async () => {
    const { trials, acknowledged, broken } = await sigkillCampaign({
      trials: 20,
      seed: 20_261_121,
      command: [process.execPath, 'dist/chat.mjs', 'serve'],
    });
    expect(broken).toEqual([]);
    expect(trials).toBe(20);
    expect(acknowledged).toBeGreaterThan(20);
  }, 300_000);

  it('is caught when it acknowledges before its commit', async () => {
    const { broken } = await sigkillCampaign({
      trials: 3,
      seed: 1,
      command: [process.execPath, hasty],
    });
    expect(broken.join('\n')).toContain('was acknowledged as');
  }, 300_000);
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
