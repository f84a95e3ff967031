import { setTimeout as delay } from 'node:timers/promises';
import { placesToVanish } from './peers/doors.ts';
import { canMakeNetworks, type Errand, peersElsewhere } from './peers/elsewhere.ts';
import { followingDoors } from './peers/followers.ts';
import { closedMs } from './peers/peer.ts';
import { type Attack, mostMemory, peerCampaign, type Scene } from './peers/peer-campaign.ts';
import { sayings, sayMuch } from './peers/say-much.ts';
import { mebibyte, socketsOf } from './peers/watched.ts';

/** Peers of one attack. */
const crowd = 10;
/** As for followers that stop (slow-followers.ts): what may wait for each, here and in the system, and what is said meanwhile. */
const mostMemoryBytes = mostMemory + crowd * 4 * mebibyte + 2 * sayings.messages * sayings.size;

/** Brings peers to the server, takes their network away, and looks until the server has let them go; `meanwhile` is done when it is gone. */
async function goneWithout(
  { server, token }: Scene,
  where: Pick<Errand, 'place' | 'door' | 'isSecure'>,
  meanwhile: () => Promise<unknown> = async () => {},
): Promise<string[]> {
  const held = socketsOf(server.pid);
  const peers = await peersElsewhere({
    ...where,
    count: crowd,
    port: server.port,
    token,
    username: 'mallory',
  });
  try {
    peers.vanish();
    await meanwhile();
    let open = crowd;
    for (let waited = 0; open > 0 && waited < closedMs; waited += 50) {
      await delay(50);
      // They learn nothing of it: only the server's own sockets tell.
      open = Math.max(0, socketsOf(server.pid) - held);
    }
    return open === 0 ? [] : [`${open} of ${crowd} whose network is gone are kept`];
  } finally {
    await peers.end();
  }
}

/** By name: at each place of every door, and who follows and is told much afterwards; in clear text and over TLS. */
export const halfOpenAttacks: Readonly<Record<string, Attack>> = Object.fromEntries([
  ...Object.entries(placesToVanish).flatMap(([place, { isClearOnly }]) =>
    (isClearOnly ? [false] : [false, true]).map((isSecure) => [
      `a network that is gone, ${isSecure ? 'TLS, ' : ''}${place}`,
      { act: (scene: Scene) => goneWithout(scene, { place, isSecure }) },
    ]),
  ),
  ...Object.keys(followingDoors).flatMap((door) =>
    [false, true].map((isSecure) => [
      `a follower's network that is gone, ${isSecure ? 'TLS, ' : ''}${door}`,
      {
        mostMemoryBytes,
        act: (scene: Scene) => goneWithout(scene, { door, isSecure }, () => sayMuch(scene)),
      },
    ]),
  ),
]);

const attacking = peerCampaign(
  'peers whose network is gone: no FIN and no RST comes, at every door, in clear text and over TLS',
  Object.keys(halfOpenAttacks).length,
  halfOpenAttacks,
  // They come from another network; and are asked every second whether they are there.
  { host: '0.0.0.0', flags: ['--insecure-clear-text'], env: { CHAT_PING_INTERVAL: '1' } },
);

/** Half-open connections: the server finds out by itself that nobody is there any more, and keeps nothing of them. */
export const halfOpen: typeof attacking = {
  ...attacking,
  async run(course) {
    if (!canMakeNetworks()) {
      throw new Error(
        'this campaign makes a network of its own: it has to be root, on Linux, and needs ip (iproute2)',
      );
    }
    return await attacking.run(course);
  },
};
