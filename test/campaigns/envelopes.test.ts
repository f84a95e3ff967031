import { afterEach, describe, expect, it } from 'vitest';
import { envelopes, envelopesCampaign } from '../../scripts/campaigns/envelopes.ts';
import { scriptRandomness } from '../../src/core/random.ts';
import { courseOf } from './support/campaign.ts';

let restore: (() => void) | undefined;
afterEach(() => restore?.());

describe('many envelopes around one text', () => {
  it('11.3.4: have no key and no nonce in common', async () => {
    expect(await envelopesCampaign(200)).toEqual({});
  });

  it('are told of a thousand at a time, and of no seed', async () => {
    const told: [string, number | undefined][] = [];
    await envelopes.run(courseOf(1_001, 1, { onTrial: (line, trials) => told.push([line, trials]) }));
    expect(told).toEqual([['1,000 sealed', 1_000]]);
    expect(envelopes.isSeedless).toBe(true);
  });

  it('are seen to have when chance repeats itself', async () => {
    let drawn = 0;
    // Sixteen different bytes in turn: soon each content key has been there before.
    restore = scriptRandomness((length) => new Uint8Array(length).fill(drawn++ % 16));
    const { commitment = 0, nonce = 0 } = await envelopesCampaign(40);
    expect([commitment, nonce].map((times) => times > 0)).toEqual([true, true]);
  });
});
