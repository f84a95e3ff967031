import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { arrive, head, type Place, places, upgrade } from './peers/doors.ts';
import { clientFrame, opcodes } from './peers/frames.ts';
import { allClosed, pour, reachAll } from './peers/peer.ts';
import { type Attack, peerCampaign } from './peers/peer-campaign.ts';

/** Peers of one attack: each may have the server hold one line. */
const crowd = 10;
const piece = 65_536;

const isJson = 'Content-Type: application/json';

/** What has no end, besides the places of every door where something is begun: how it begins, and what comes again and again. */
const endless: Readonly<Record<string, Pick<Place, 'before' | 'begun' | 'more'>>> = {
  'a path': { begun: Buffer.from('GET /'), more: Buffer.from('x') },
  'header fields': { begun: Buffer.from(head('GET /healthz')), more: Buffer.from('X-Y: z\r\n') },
  'a name of a header': { begun: Buffer.from(head('GET /healthz')), more: Buffer.from('X') },
  'a body with a length': {
    begun: Buffer.from(`${head('POST /api/auth/login', isJson, 'Content-Length: 9007199254740991')}\r\n`),
    more: Buffer.from('['),
  },
  'the extension of a chunk': {
    begun: Buffer.from(`${head('POST /api/auth/login', isJson, 'Transfer-Encoding: chunked')}\r\n1;`),
    more: Buffer.from('x'),
  },
  'a number of a chunk': {
    begun: Buffer.from(`${head('POST /api/auth/login', isJson, 'Transfer-Encoding: chunked')}\r\n`),
    more: Buffer.from('0'),
  },
  'what follows the last chunk': {
    begun: Buffer.from(`${head('POST /api/auth/login', isJson, 'Transfer-Encoding: chunked')}\r\n0\r\n`),
    more: Buffer.from('X-Y: z\r\n'),
  },
  'a form in parts': {
    begun: Buffer.from(
      `${head('POST /register', 'Content-Type: multipart/form-data; boundary=x', 'Transfer-Encoding: chunked')}\r\n`,
    ),
    more: Buffer.from('29\r\n--x\r\nContent-Disposition: form-data; name=\r\n'),
  },
  'a compressed body': {
    begun: Buffer.from(
      `${head('POST /api/auth/login', isJson, 'Content-Encoding: gzip', 'Transfer-Encoding: chunked')}\r\n`,
    ),
    // A bomb: a MiB of blanks in a KiB.
    more: chunk(gzipSync(Buffer.alloc(1_048_576, ' '))),
  },
  'a compressed message': {
    before: () => upgrade,
    begun: Buffer.alloc(0),
    more: clientFrame(randomBytes(1_000), { opcode: opcodes.text, isCompressed: true }),
  },
  'a message of 2^53 bytes': {
    before: () => upgrade,
    begun: clientFrame('', { opcode: opcodes.text, announced: 2 ** 53 - 1 }),
    more: Buffer.from('x'),
  },
  'a message in great fragments': {
    before: () => upgrade,
    begun: clientFrame('', { opcode: opcodes.text, isFinal: false }),
    more: clientFrame('x'.repeat(60_000), { opcode: opcodes.continuation, isFinal: false }),
  },
  'records of TLS': { begun: Buffer.alloc(0), more: Buffer.from('160301ffff', 'hex') },
  zeros: { begun: Buffer.alloc(0), more: Buffer.from([0]) },
};

function chunk(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
}

function attackOf(
  { before, begun, more }: Pick<Place, 'before' | 'begun' | 'more'>,
  isSecure: boolean,
): Attack {
  const place = { begun, more, end: Buffer.alloc(0), ...(before && { before }) };
  const pieces = Buffer.concat(Array.from({ length: Math.ceil(piece / more.length) }, () => more));
  return {
    async act({ server: { port }, token }) {
      const peers = reachAll(crowd, { port, isSecure });
      await Promise.all(peers.map((peer) => arrive(peer, place, token)));
      for (const peer of peers) pour(peer, () => pieces);
      return await allClosed(peers);
    },
  };
}

/** Pings are whole messages: as many as one likes, which is a flood. */
const withoutEnd = Object.entries(places).filter(
  ([name, { more, begun }]) => more.length > 0 && begun.length > 0 && name !== 'WebSocket of pings',
);

/** By name: what comes without an end, in clear text, and for each door over TLS. */
export const oversizeAttacks: Readonly<Record<string, Attack>> = Object.fromEntries([
  ...withoutEnd.flatMap(([name, place]) => [
    [`an endless ${name}`, attackOf(place, false)],
    ...(place.isClearOnly ? [] : [[`an endless ${name}, TLS`, attackOf(place, true)]]),
  ]),
  ...Object.entries(endless).map(([name, begins]) => [`endless: ${name}`, attackOf(begins, false)]),
]);

/** Peers that never stop: a line, a header, a body, a message without an end. Each is closed, and takes no more memory than its limit. */
export const oversize = peerCampaign(
  'lines, headers, bodies, chunks and messages without an end, at every door',
  2 * Object.keys(oversizeAttacks).length,
  oversizeAttacks,
);
