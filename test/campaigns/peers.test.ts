import { describe, expect, it } from 'vitest';
import type { Campaign } from '../../scripts/campaigns/campaign.ts';
import { floods } from '../../scripts/campaigns/floods.ts';
import { nonsense } from '../../scripts/campaigns/nonsense.ts';
import { oversize } from '../../scripts/campaigns/oversize.ts';
import { slowPeers } from '../../scripts/campaigns/slow-peers.ts';
import { brokenServer, courseOf } from './support/campaign.ts';

/** The server without some of its limits. */
const without = (...limits: readonly string[]) => ({
  server: [process.execPath, 'dist/chat.mjs', 'serve', ...limits.flatMap((limit) => [limit, '0'])] as const,
});

describe('peers that are slow, endless, many or nonsensical', () => {
  // `npm run campaigns` has each of them at every door.
  it.concurrent.each<[string, Campaign, string, number]>([
    ['slow', slowPeers, 'a slow peer, HTTP', 2],
    ['gone', slowPeers, 'a peer that is gone, TLS, ', 2],
    ['endless', oversize, 'endless: ', 3],
    ['nonsensical', nonsense, 'WebSocket', 2],
    ['many', floods, 'a flood of TLS', 1],
  ])(
    'are closed in time and leave nothing behind, and everybody else is served: %s',
    async (_how, campaign, only, trials) => {
      const { counts, broken } = await campaign.run(courseOf(trials, 20_261_121, { only }));
      expect(broken).toEqual([]);
      expect(counts['messages acknowledged']).toBeGreaterThanOrEqual(trials);
    },
  );

  it.concurrent.each<[string, Campaign, string, ReturnType<typeof courseOf>, RegExp]>([
    [
      'a line may be of any length',
      oversize,
      'an endless line',
      courseOf(1, 1, without('--max-line', '--line-wait')),
      /it takes \d+ MiB of memory/,
    ],
    [
      'who begins a line may take any time for it',
      slowPeers,
      'a slow peer, line',
      courseOf(1, 1, without('--line-wait', '--login-wait')),
      /20 of 20 connections stay open/,
    ],
    [
      'an address may have any number',
      floods,
      'a flood of connections',
      courseOf(1, 1, without('--max-connections-per-address')),
      /400 connections of one address are served/,
    ],
    [
      'an account may have any number of sessions',
      floods,
      'a flood of sessions',
      courseOf(1, 1, {
        server: [process.execPath, 'dist/chat.mjs', 'serve', '--max-sessions', '1000'],
      }),
      /an account has \d+ sessions, and 10 may be\n.*unused longest lives on/,
    ],
    [
      'the reader of lines falls over what is no text',
      nonsense,
      'nonsense, pipe',
      courseOf(1, 1, { server: brokenServer('brittle') }),
      / error .*this is no text/,
    ],
  ])('are found out when %s', async (_what, campaign, only, course, sentence) => {
    const { broken } = await campaign.run({ ...course, only });
    expect(broken.join('\n')).toMatch(sentence);
  });
});
