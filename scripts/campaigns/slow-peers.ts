import { arrive, type Place, places } from './peers/doors.ts';
import { allClosed, type BadPeer, reachAll } from './peers/peer.ts';
import { type Attack, peerCampaign, type Scene } from './peers/peer-campaign.ts';

/** Peers of one attack. */
const crowd = 20;
/** Between two bytes of a slow peer, in milliseconds: many of them within each wait. */
const dripMs = 100;

/** What peers do that have got to a place. */
type Behaviour = (peers: readonly BadPeer[], place: Place, scene: Scene) => void;

const behaviours: Readonly<Record<string, Behaviour>> = {
  /** Goes on by a little now and then, and never comes to an end. */
  'a slow peer'(peers, { more }, { random }) {
    const timer = setInterval(() => {
      const open = peers.filter(({ isClosed }) => !isClosed());
      if (open.length === 0) clearInterval(timer);
      for (const { socket } of open) if (more.length > 0 && random() < 0.5) socket.write(more);
    }, dripMs);
  },
  /** Says no more; before a login every other one has said a whole thing. */
  'a silent peer'(peers, { end, isLoggedIn }) {
    if (isLoggedIn) return;
    for (const [index, { socket }] of peers.entries())
      if (index % 2 === 0 && end.length > 0) socket.write(end);
  },
  /** Is reset, or ends its side, somewhere in the middle. */
  'a peer that is gone'(peers, { end }, { random }) {
    for (const { socket, reset } of peers) {
      const length = Math.floor(random() * end.length);
      if (length > 0) socket.write(end.subarray(0, length));
      if (random() < 0.5) socket.end();
      else setTimeout(reset, random() * 50);
    }
  },
};

/** By name: each behaviour at each place, in clear text and over TLS. */
export const slowAttacks: Readonly<Record<string, Attack>> = Object.fromEntries(
  Object.entries(behaviours).flatMap(([what, behave]) =>
    Object.entries(places).flatMap(([where, place]) =>
      (place.isClearOnly ? [false] : [false, true]).map((isSecure) => [
        `${what}, ${isSecure ? 'TLS, ' : ''}${where}`,
        { act: (scene: Scene) => come(scene, { place, behave, isSecure }) },
      ]),
    ),
  ),
);

async function come(
  scene: Scene,
  { place, behave, isSecure }: { place: Place; behave: Behaviour; isSecure: boolean },
): Promise<string[]> {
  const peers = reachAll(crowd, { port: scene.server.port, isSecure });
  await Promise.all(peers.map((peer) => arrive(peer, place, scene.token)));
  behave(peers, place, scene);
  return await allClosed(peers);
}

/** Peers that begin and do not end, at every door: they are closed in time, and nothing of them stays behind. */
export const slowPeers = peerCampaign(
  'peers that are slow, silent, or gone in the middle, at every door, in clear text and over TLS',
  2 * Object.keys(slowAttacks).length,
  slowAttacks,
);
