import { arrive, places } from './peers/doors.ts';
import { clientFrame } from './peers/frames.ts';
import { allClosed, reachAll } from './peers/peer.ts';
import { type Attack, peerCampaign } from './peers/peer-campaign.ts';
import { pick } from './random.ts';

/** Peers of one attack, and what each says. */
const crowd = 20;
const sayings = 5;

/**
 * What is no UTF-8 (Unicode, table 3-7): a continuation without a beginning, a beginning without its continuation, too long spellings, a
 * surrogate, a code point beyond the last, bytes that never occur.
 */
const malformed = [
  'a0a1',
  'c328',
  'e228a1',
  'f0288cbc',
  'c0af',
  'e080af',
  'f08080af',
  'eda080',
  'f4908080',
  'fffe',
];

function bytesOf(random: () => number): Buffer {
  if (random() < 0.7) return Buffer.from(pick(malformed, random), 'hex');
  return Buffer.from(
    Array.from({ length: 1 + Math.floor(random() * 300) }, () => Math.floor(random() * 256)),
  );
}

/** By name: bytes that are no text, or of chance, where text should be. */
export const nonsenseAttacks: Readonly<Record<string, Attack>> = Object.fromEntries(
  Object.entries(places).map(([name, place]) => [
    `nonsense, ${name}`,
    {
      async act({ server: { port }, token, random }) {
        const peers = reachAll(crowd, { port });
        await Promise.all(peers.map((peer) => arrive(peer, { ...place, begun: Buffer.alloc(0) }, token)));
        for (const { socket } of peers) {
          for (let n = 0; n < sayings && socket.writable; n++) {
            const bytes = bytesOf(random);
            socket.write(Buffer.concat([place.begun, bytes, place.end]));
            // A whole message of it, where messages are spoken.
            if (name.startsWith('WebSocket') && random() < 0.5) socket.write(clientFrame(bytes));
          }
          // Who has logged in and says what can be understood may stay.
          if (place.isLoggedIn) socket.end();
        }
        return await allClosed(peers);
      },
    } satisfies Attack,
  ]),
);

/** Malformed UTF-8, and bytes of chance, at every door: answered or not, the connection ends, and nobody else minds. */
export const nonsense = peerCampaign(
  'malformed UTF-8 and bytes of chance at every door',
  10 * Object.keys(nonsenseAttacks).length,
  nonsenseAttacks,
);
