import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from '../../src/client/connection.ts';
import { ChatError } from '../../src/core/errors.ts';
import { acknowledgedOf, readAll } from './load.ts';
import { call, head, upgrade } from './peers/doors.ts';
import { clientFrame, opcodes } from './peers/frames.ts';
import { allClosed, type BadPeer, leave, pour, reach, reachAll, within } from './peers/peer.ts';
import { type Attack, mostMemory, peerCampaign, type Scene, shortWaits } from './peers/peer-campaign.ts';
import { mebibyte } from './peers/watched.ts';
import { logIn, open, password } from './people.ts';
import { brokenPromises, type Sent } from './promises.ts';

const mostOfAddress = Number(shortWaits.CHAT_MAX_CONNECTIONS_PER_ADDRESS);
/** How long a flood that is held back lasts, in milliseconds: longer than each wait of a request. */
const floodMs = 3_000;
/** How long a flood may take that goes on until it has been bounded, in milliseconds. */
const floodPatienceMs = 60_000;
const mostSessions = Number(shortWaits.CHAT_MAX_SESSIONS);
/** Messages of an account in a second; the first seconds' worth comes at once. The bystander, which sends all of its own twice, stays far below. */
const messagesPerSecond = 500;
/** A flood of messages: how many refusals are enough, how many messages must have been refused some of, and how many each connection keeps unanswered. */
const flood = { refusals: 500, mostMessages: 40_000, window: 32 } as const;
const to = '#flood';
/** Peers that ask for more than they read, each of whose connections may hold 1 MiB of answers and what the system holds for it. */
const deafPeers = 20;
const ping = `${call('ping')}\n`;

/** How long they may be served before nothing more fits on the way to them, in milliseconds: what the systems hold of 20 is 200 MB. */
const deafMs = 120_000;

/** Whoever is answered by one line. */
async function isAnswered(peer: BadPeer): Promise<string | undefined> {
  const said = new Promise<string>((resolve) => peer.socket.once('data', (data) => resolve(String(data))));
  await Promise.race([said, peer.closed]);
  return peer.isClosed() ? undefined : await said;
}

/** An address whose connections have all gone may come again. */
async function mayComeAgain({ server: { port } }: Scene): Promise<string[]> {
  const again = reach({ port });
  again.socket.write(ping);
  const said = await isAnswered(again);
  leave([again]);
  return said?.includes('"result"') ? [] : [`an address whose connections have gone is told: ${said}`];
}

/** Several times as many connections as an address may have. */
async function connections(scene: Scene): Promise<string[]> {
  const peers = reachAll(4 * mostOfAddress, { port: scene.server.port });
  let answered = 0;
  for (const { socket } of peers) {
    socket.write(ping);
    socket.once('data', (data) => {
      if (String(data).includes('"result"')) answered += 1;
    });
  }
  const broken = await allClosed(peers);
  if (answered > mostOfAddress) {
    broken.push(`${answered} connections of one address are served, and ${mostOfAddress} may be`);
  }
  return [...broken, ...(await mayComeAgain(scene))];
}

/** Comes and goes as fast as it can, with a reset or in order, a byte said or none. */
async function comingAndGoing({ server: { port }, random }: Scene): Promise<string[]> {
  const until = performance.now() + floodMs;
  const lane = async (): Promise<void> => {
    while (performance.now() < until) {
      const peer = reach({ port });
      if (random() < 0.5) peer.socket.write(random() < 0.5 ? '{' : '\u0016');
      await within(new Promise((resolve) => peer.socket.once('connect', resolve)), 1_000);
      if (random() < 0.5) peer.reset();
      else peer.socket.end();
      await within(peer.closed, 2_000);
      leave([peer]);
    }
  };
  await Promise.all(Array.from({ length: 50 }, lane));
  return [];
}

/**
 * Three addresses begin as many handshakes as they may have connections, more than the server does at a time, and again and again. They hold
 * up those of their own address, and nobody else's.
 */
async function handshakes({ server: { port } }: Scene): Promise<string[]> {
  const hello = Buffer.from('160301020001fc0303', 'hex');
  let isOver = false;
  const flooding = [2, 3, 4].map(async (last) => {
    while (!isOver) {
      const peers = reachAll(mostOfAddress, { port, from: `127.0.0.${last}` });
      for (const { socket } of peers) socket.write(hello);
      await Promise.all(peers.map(({ closed }) => within(closed, 10_000)));
      leave(peers);
    }
  });
  await delay(300);
  const broken: string[] = [];
  for (let n = 0; n < 10; n++) {
    let said: string | undefined;
    // On a slow machine a handshake may take longer than this server waits; whoever is kept out is so again and again.
    for (let tries = 0; tries < 3 && !said?.includes('"result"'); tries++) {
      const visitor = reach({ port, isSecure: true, from: '127.0.0.9' });
      visitor.socket.write(ping);
      said = await isAnswered(visitor);
      leave([visitor]);
    }
    if (!said?.includes('"result"')) {
      broken.push(`somebody else's handshake fails meanwhile, or is told: ${said}`);
    }
    await delay(200);
  }
  isOver = true;
  await Promise.all(flooding);
  return broken;
}

/** All that an address may have, each asking a little again and again, so that it stays. */
async function hoard(scene: Scene): Promise<string[]> {
  const { port } = scene.server;
  const peers = reachAll(mostOfAddress, { port });
  const request = `${head('GET /healthz')}\r\n`;
  const timer = setInterval(() => {
    for (const { socket } of peers) if (!socket.destroyed) socket.write(request);
  }, 200);
  for (const { socket } of peers) socket.write(request);
  await delay(floodMs);
  clearInterval(timer);
  const gone = peers.filter(({ isClosed }) => isClosed()).length;
  leave(peers);
  const broken =
    gone === 0 ? [] : [`${gone} of ${mostOfAddress} connections were closed amid their requests`];
  await delay(100);
  return [...broken, ...(await mayComeAgain(scene))];
}

/** Asks and asks, and reads none of the answers. */
function deaf(bytesBefore: (token: string) => string, asked: string | ((token: string) => string)): Attack {
  return {
    // Of each connection the answers that may wait and what was read of its requests, and the requests that HTTP holds of all together.
    mostMemoryBytes: mostMemory + deafPeers * 6 * mebibyte + 64 * mebibyte,
    async act({ server: { port }, token }) {
      const peers = Array.from({ length: deafPeers }, () => reach({ port, reads: false }));
      const request = typeof asked === 'string' ? asked : asked(token);
      const piece = Buffer.from(request.repeat(Math.ceil(65_536 / request.length)));
      for (const peer of peers) {
        peer.socket.write(bytesBefore(token));
        pour(peer, () => piece);
      }
      return await allClosed(peers, deafMs);
    },
  };
}

/** Pours frames for a while, and goes. */
function poured(frame: Buffer): Attack {
  return {
    async act({ server: { port } }) {
      const peers = reachAll(5, { port });
      const piece = Buffer.concat(Array.from({ length: Math.ceil(65_536 / frame.length) }, () => frame));
      for (const peer of peers) {
        peer.socket.write(upgrade);
        pour(peer, () => piece);
      }
      await delay(floodMs);
      leave(peers);
      return [];
    },
  };
}

/** Logs in again and again, each time on a new device, three times as often as an account may have sessions: so many it has then, and no more. */
async function sessions({ server: { port } }: Scene): Promise<string[]> {
  // Not an account of another attack's: each new session takes the place of one before.
  const username = 'hoarder';
  const first = await sessionOverHttp(port, username);
  const body = JSON.stringify({ username, password });
  const request = `${head('POST /api/auth/login', 'Content-Type: application/json', `Content-Length: ${body.length}`)}\r\n${body}`;
  const peers = reachAll(20, { port });
  const enough = Promise.withResolvers<void>();
  let opened = 0;
  for (const { socket } of peers) {
    const ask = (): void => {
      if (opened < 3 * mostSessions && !socket.destroyed) socket.write(request);
    };
    socket.on('data', (data) => {
      if (String(data).includes('"session_token"')) opened += 1;
      if (opened >= 3 * mostSessions) enough.resolve();
      ask();
    });
    ask();
  }
  const broken: string[] = [];
  // Whoever is no part of it logs in meanwhile.
  const connection = await open(port);
  try {
    await logIn(connection, 'peer');
  } catch (error) {
    broken.push(`somebody else cannot log in meanwhile: ${String(error)}`);
  }
  await connection.close();
  await within(enough.promise, floodPatienceMs);
  leave(peers);
  if (opened < 3 * mostSessions) broken.push(`only ${opened} logins were answered`);
  return [...broken, ...(await tooManySessions(port, username, first))];
}

/** Looks at the sessions of an account with one more of them; the one that it had first is over. */
async function tooManySessions(port: number, username: string, first: string): Promise<string[]> {
  const broken: string[] = [];
  const last = await open(port, await sessionOverHttp(port, username));
  const { sessions } = await last.call('session.list', {});
  await last.close();
  if (sessions.length > mostSessions)
    broken.push(`an account has ${sessions.length} sessions, and ${mostSessions} may be`);
  try {
    const before = await open(port, first);
    await before.close();
    broken.push('the session that was unused longest lives on');
  } catch (error) {
    if (!(error instanceof ChatError && error.code === 'unauthenticated')) throw error;
  }
  return broken;
}

/** A session of an account that was made over HTTP, as an earlier trial may have: one made by `chat register` has no password that HTTP could take. */
async function sessionOverHttp(port: number, username: string): Promise<string> {
  const ask = async (what: 'register' | 'login') =>
    await fetch(`http://127.0.0.1:${port}/api/auth/${what}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username, password }),
    });
  await (await ask('register')).body?.cancel();
  const answer = (await (await ask('login')).json()) as { session_token?: string; detail?: string };
  if (answer.session_token === undefined) throw new Error(`a login over HTTP is told: ${answer.detail}`);
  return answer.session_token;
}

/**
 * Sends messages with a session as fast as they are answered, until many were refused for their rate. Each is acknowledged, and stands where
 * the answer says, or refused with `rate-limited`, and stands nowhere; and the sender's order is kept.
 */
async function messages({ server: { port }, token }: Scene): Promise<string[]> {
  const connections = await Promise.all(Array.from({ length: 4 }, () => open(port, token)));
  try {
    const [reader] = connections as [Connection];
    await reader.call('room.create', { room: 'flood' }).catch((error: unknown) => {
      // Of an earlier trial.
      if (!(error instanceof ChatError && error.code === 'conflict')) throw error;
    });
    const { last_seq } = await reader.call('message.history', { to, newest: true, limit: 1 });
    const sent: Sent[] = [];
    const others: string[] = [];
    let refused = 0;
    const lane = async (connection: Connection, sender: number): Promise<void> => {
      while (refused < flood.refusals && sent.length < flood.mostMessages && others.length === 0) {
        const count = sent.length;
        const text = `${last_seq}.${count}`;
        const index = sent.push({ to, text, sender, count, acknowledged: undefined }) - 1;
        try {
          const { seq, id } = await connection.call('message.send', { to, text });
          sent[index] = { to, text, sender, count, acknowledged: { seq, id } };
        } catch (error) {
          if (error instanceof ChatError && error.code === 'rate-limited') refused += 1;
          else others.push(`a message of a flood was answered with ${String(error)}`);
        }
      }
    };
    const lanes = connections.flatMap((connection, sender) =>
      Array.from({ length: flood.window }, () => lane(connection, sender)),
    );
    await Promise.all(lanes);
    const found = await readAll(reader, to, last_seq);
    const broken = [...others.slice(0, 1), ...brokenPromises(to, last_seq, found, sent)];
    if (found.length > acknowledgedOf(sent))
      broken.push(`${found.length} messages stand there, and ${acknowledgedOf(sent)} were acknowledged`);
    if (refused < flood.refusals) broken.push(`only ${refused} of ${sent.length} messages were refused`);
    return broken;
  } finally {
    await Promise.all(connections.map((connection) => connection.close()));
  }
}

const history = call('message.history', { to: '#lobby', limit: 1_000 });

/** By name: what comes in great numbers. */
export const floodAttacks: Readonly<Record<string, Attack>> = {
  'a flood of connections': { act: connections },
  'peers that come and go': { act: comingAndGoing },
  'a flood of TLS handshakes': { act: handshakes },
  'connections that are kept': { act: hoard },
  'deaf to HTTP': deaf(() => '', `${head('GET /openapi.json')}\r\n`),
  'deaf to HTTP with a session': deaf(
    () => '',
    (token) => `${head('GET /api/conversations/%23lobby/messages', `Authorization: Bearer ${token}`)}\r\n`,
  ),
  'deaf to lines': deaf(() => '', ping),
  'deaf to lines after login': deaf(
    (token) => `${call('login.resume', { session_token: token })}\n`,
    `${history}\n`,
  ),
  'deaf to pipes': deaf(() => '', 'SALT|somebody\n'),
  'deaf to pipes after login': deaf((token) => `TOKEN|${token}\n`, 'USERS\n'),
  'deaf to slashes': deaf(() => '', '/help\n'),
  'deaf to slashes after login': deaf((token) => `/login mallory ${token}\n`, '/users\n'),
  'a flood of pings': poured(clientFrame('x'.repeat(125), { opcode: opcodes.ping })),
  'a flood of calls': poured(clientFrame(call('ping'))),
  'a flood of messages': { act: messages },
  'a flood of sessions': { act: sessions },
};

/** Great numbers: of connections, handshakes, requests whose answers nobody reads, pings, messages and logins. Each has its bound, and others are served. */
export const floods = peerCampaign(
  'floods of connections, handshakes, requests without a reader, pings, messages and logins',
  5 * Object.keys(floodAttacks).length,
  floodAttacks,
  { flags: ['--messages-per-second', `${messagesPerSecond}`] },
);
