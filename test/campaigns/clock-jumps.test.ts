import { describe, expect, it } from 'vitest';
import { clockJumps } from '../../scripts/campaigns/clock-jumps.ts';
import { brokenServer, courseOf } from './support/campaign.ts';

/** Its jumps are by -2, 30, 400 and -30 hours: back, beyond a session's idle end, and beyond both of its ends. */
const seed = 4_691;

describe('a server whose clock jumps under load', () => {
  it('keeps the order of messages, gives no id twice, and ends sessions when it is time', async () => {
    const { counts, broken } = await clockJumps.run(courseOf(4, seed));
    expect(broken).toEqual([]);
    expect(counts['messages acknowledged']).toBeGreaterThan(100);
    expect(counts['sessions ended']).toBe(2);
  });

  it('is caught when it keeps a session that nobody has used', async () => {
    // Unused for a week and more. The first jump of this seed is by 30 hours.
    const server = [process.execPath, 'dist/chat.mjs', 'serve', '--session-idle', '1000000'] as const;
    const { broken } = await clockJumps.run(courseOf(1, 11_033, { server }));
    expect(broken).toEqual(['trial 1, by 30 hours: a session lives on that was unused for 30 hours']);
  });

  it('is caught when it goes by the clock for the order', async () => {
    const { broken } = await clockJumps.run(courseOf(1, seed, { server: brokenServer('by-time') }));
    expect(broken.join('\n')).toMatch(
      /by -2 hours: looking at what is stored fails: .* a page without message \d+/,
    );
  });
});
