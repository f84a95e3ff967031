import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import { halfOpen } from '../../scripts/campaigns/half-open.ts';
import { canMakeNetworks } from '../../scripts/campaigns/peers/elsewhere.ts';
import { courseOf } from './support/campaign.ts';

/** The cables of a campaign's process that are there now. */
function cablesOf(pid = 0): string[] {
  const names = Object.keys(networkInterfaces());
  return names.filter((name) => name.startsWith(`peers${pid % 100_000}.`));
}

const waiting = { timeout: 60_000 } as const;

// Skipped, and counted so, where nobody may make a network.
describe.runIf(canMakeNetworks())('peers whose network is gone without FIN or RST', () => {
  // `npm run campaigns` has each of them at every door.
  it.concurrent.each([
    ['at the line door, by its pings', 'gone, line, silent after login', 1],
    ['at the pipe door, by TCP', 'gone, TLS, pipe, silent after login', 1],
    ['while they are told much, by what they do not take', "a follower's network that is gone, slash", 1],
  ])('are let go %s, and nobody else notices', async (_how, only, trials) => {
    const { counts, broken } = await halfOpen.run(courseOf(trials, 20_261_122, { only }));
    expect(broken).toEqual([]);
    expect(counts['messages acknowledged']).toBeGreaterThanOrEqual(trials);
  });

  it.concurrent('are found out when the server never asks whether they are there', async () => {
    const server = [process.execPath, 'dist/chat.mjs', 'serve', '--ping-interval', '0'] as const;
    const only = 'gone, line, silent after login';
    const { broken } = await halfOpen.run(courseOf(1, 1, { server, only }));
    expect(broken[0]).toContain('10 of 10 whose network is gone are kept');
  });

  it.concurrent('leave no network behind when the campaign is interrupted', async () => {
    const program = spawn(process.execPath, ['scripts/campaigns.ts', 'half-open'], { stdio: 'ignore' });
    const closed = once(program, 'close');
    await expect.poll(() => cablesOf(program.pid), waiting).toHaveLength(1);
    program.kill('SIGINT');
    expect(await closed).toEqual([130, null]);
    // The system takes it away by itself, soon.
    await expect.poll(() => cablesOf(program.pid), waiting).toEqual([]);
  });
});
