import { once } from 'node:events';
import { clientFrame, opcodes } from './frames.ts';
import type { BadPeer } from './peer.ts';

/** A place in what is spoken at a door, where a peer can stop, slow down or go. */
export interface Place {
  /** Bytes before it; what they are answered is waited for. Left out: nothing. */
  readonly before?: (token: string) => Buffer;
  /** What begins something that has no end yet. */
  readonly begun: Buffer;
  /** What goes on with it and does not end it. */
  readonly more: Buffer;
  /** What ends it. */
  readonly end: Buffer;
  /** TLS itself is the door: there is none over it. */
  readonly isClearOnly?: boolean;
  /** Who gets here has logged in, and may stay once it has ended what it began. */
  readonly isLoggedIn?: boolean;
}

const text = (value: string): Buffer => Buffer.from(value);
const nothing = Buffer.alloc(0);

/** A request of HTTP, without what ends its headers. */
export function head(line: string, ...headers: readonly string[]): string {
  return [`${line} HTTP/1.1`, 'Host: 127.0.0.1', ...headers].map((each) => `${each}\r\n`).join('');
}

const isJson = 'Content-Type: application/json';

/** An upgrade to a WebSocket that is right. */
export const upgrade = text(
  `${head(
    'GET /ws',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    // Compression may be asked for; what is compressed is refused all the same.
    'Sec-WebSocket-Extensions: permessage-deflate',
  )}\r\n`,
);

/** A call of JSON-RPC. */
export function call(method: string, params: object = {}): string {
  return JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
}

/** Each place by its name; where a door takes a login, once before it and once after. */
export const places: Readonly<Record<string, Place>> = {
  nothing: { begun: nothing, more: nothing, end: nothing },
  line: { begun: text('{"jsonrpc":"2.0","id":1,"method":"ping","x":"'), more: text('x'), end: text('"}\n') },
  'line after login': {
    isLoggedIn: true,
    before: (token) => text(`${call('login.resume', { session_token: token })}\n`),
    begun: text('{"jsonrpc":"2.0","id":2,"method":"ping","x":"'),
    more: text('x'),
    end: text('"}\n'),
  },
  pipe: { begun: text('AUTH|somebody|'), more: text('x'), end: text('\n') },
  'pipe after login': {
    isLoggedIn: true,
    before: (token) => text(`TOKEN|${token}\n`),
    begun: text('SEND|#lobby|'),
    more: text('x'),
    end: text('\nPING|x\n'),
  },
  slash: { begun: text('/login somebody '), more: text('x'), end: text('\n') },
  'slash after login': {
    isLoggedIn: true,
    before: (token) => text(`/login mallory ${token}\n`),
    begun: text('/who is '),
    more: text('x'),
    end: text('\n'),
  },
  'HTTP headers': { begun: text(`${head('GET /api/me')}X-Long: `), more: text('x'), end: text('\r\n\r\n') },
  'HTTP body': {
    begun: text(`${head('POST /api/auth/login', isJson, 'Content-Length: 100000')}\r\n{"`),
    more: text('x'),
    end: text('"}'),
  },
  'HTTP body in chunks': {
    begun: text(`${head('POST /api/auth/login', isJson, 'Transfer-Encoding: chunked')}\r\n1\r\n{\r\n`),
    more: text('1\r\n \r\n'),
    end: text('1\r\n}\r\n0\r\n\r\n'),
  },
  'HTTP body that is waited for': {
    begun: text(
      `${head('POST /api/auth/login', isJson, 'Content-Length: 100000', 'Expect: 100-continue')}\r\n`,
    ),
    more: text(' '),
    end: text('{}'),
  },
  'cookies page': {
    begun: text(
      `${head('POST /login', 'Content-Type: application/x-www-form-urlencoded', 'Content-Length: 100000')}\r\nusername=`,
    ),
    more: text('x'),
    end: text('&password=secret'),
  },
  'WebSocket handshake': {
    begun: text(`${head('GET /ws', 'Connection: Upgrade', 'Upgrade: websocket')}Sec-WebSocket-Key: `),
    more: text('x'),
    end: text('\r\n\r\n'),
  },
  'WebSocket without a message': { before: () => upgrade, begun: nothing, more: nothing, end: nothing },
  'WebSocket of pings': {
    before: () => upgrade,
    begun: clientFrame('still here', { opcode: opcodes.ping }),
    more: clientFrame('still here', { opcode: opcodes.ping }),
    end: nothing,
  },
  'WebSocket frame': {
    before: () => upgrade,
    begun: clientFrame('{"', { opcode: opcodes.text, announced: 100_000 }),
    more: text('x'),
    end: text('"}'),
  },
  'WebSocket fragments': {
    before: () => upgrade,
    begun: clientFrame('{"', { opcode: opcodes.text, isFinal: false }),
    more: clientFrame('x', { opcode: opcodes.continuation, isFinal: false }),
    end: clientFrame('"}', { opcode: opcodes.continuation }),
  },
  'TLS handshake': {
    begun: Buffer.from('160301020001fc0303', 'hex'),
    more: text('x'),
    end: nothing,
    isClearOnly: true,
  },
};

/** The same, and others where who has a network would stay: whose is gone is found out there by being asked. */
export const placesToVanish: Readonly<Record<string, Place>> = {
  ...places,
  'line, silent after login': {
    before: (token) => text(`${call('login.resume', { session_token: token })}\n`),
    begun: nothing,
    more: nothing,
    end: nothing,
  },
  'pipe, silent after login': {
    before: (token) => text(`TOKEN|${token}\n`),
    begun: nothing,
    more: nothing,
    end: nothing,
  },
  'HTTP between two requests': {
    before: () => text(`${head('GET /healthz')}\r\n`),
    begun: nothing,
    more: nothing,
    end: nothing,
  },
};

/** Brings a peer to a place, and one step further. Resolves when it has got there, or is closed. */
export async function arrive(
  { socket, closed }: BadPeer,
  { before, begun }: Place,
  token: string,
): Promise<void> {
  if (before) {
    const answered = once(socket, 'data').catch(() => {});
    socket.write(before(token));
    await Promise.race([answered, closed]);
  }
  if (begun.length > 0 && !socket.destroyed) socket.write(begun);
}
