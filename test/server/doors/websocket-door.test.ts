import { afterEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { ChatError } from '../../../src/core/errors.ts';
import type { Session } from '../../../src/core/model/session.ts';
import { FakeCalls } from '../support/calls.ts';
import { connectClear } from '../support/client.ts';
import { listening } from '../support/listening.ts';
import { turn, until } from '../support/until.ts';
import {
  closeFrame,
  connectWebSocket,
  frame,
  opcodes,
  type RawWebSocket,
  upgradeRequest,
} from '../support/websocket.ts';

afterEach(() => void vi.useRealTimers());

const call = (id: number, method = 'echo', params: unknown = {}): string =>
  JSON.stringify({ jsonrpc: '2.0', id, method, params });
const result = (id: number, value: unknown = {}): unknown => ({ jsonrpc: '2.0', id, result: value });
const failed = (code: number, message: string, data: object, id: number | null = null): unknown => ({
  jsonrpc: '2.0',
  id,
  error: { code, message, data },
});
const ids = (socket: RawWebSocket): unknown[] => socket.messages.map((one) => (one as { id: unknown }).id);
const session = { username: 'alice' } as Session;

/** Lets the server read everything so far. */
async function quiet(socket: RawWebSocket): Promise<void> {
  let seen = -1;
  for (let still = 0; still < 30; still++) {
    await turn();
    if (socket.client.receivedBytes !== seen) still = 0;
    seen = socket.client.receivedBytes;
  }
}

describe('the WebSocket door shakes hands', () => {
  /** Sends a request and answers what came until the server closed. */
  async function answerTo(
    request: Parameters<typeof upgradeRequest>[1],
    options: Parameters<typeof listening>[0] = {},
  ) {
    const { port, calls } = await listening(options);
    const client = await connectClear(port);
    client.write(upgradeRequest(port, request));
    await until(() => client.text.includes('\r\n\r\n'));
    const [head = '', body = ''] = client.text.split('\r\n\r\n');
    const [status = ''] = head.split('\r\n');
    if (!status.includes('101')) await client.ended();
    expect(calls.seen).toEqual([]);
    return { status: status.slice(9), head, body, isOpen: status.includes('101') };
  }

  it('by RFC 6455, without an extension or a subprotocol', async () => {
    const { head, isOpen } = await answerTo({
      headers: {
        'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits',
        'Sec-WebSocket-Protocol': 'cs1_secret, chat,, "',
      },
    });
    expect([head, isOpen]).toEqual([
      [
        'HTTP/1.1 101 Switching Protocols',
        'Upgrade: websocket',
        'Connection: Upgrade',
        'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
      ].join('\r\n'),
      true,
    ]);
  });

  it.each([
    ['no origin, as programs', undefined, []],
    ['an allowed origin', 'https://chat.example', ['https://chat.example']],
    ['an allowed origin in another spelling', 'HTTPS://CHAT.example:443', ['https://chat.example']],
  ])('with %s', async (_, origin, allowedOrigins) => {
    const { isOpen } = await answerTo({ headers: { Origin: origin } }, { allowedOrigins });
    expect(isOpen).toBe(true);
  });

  it("with the server's own origin, in any letters", async () => {
    const headers = { Host: 'Chat.Example:8080', Origin: 'http://chat.example:8080' };
    expect((await answerTo({ headers })).isOpen).toBe(true);
  });

  it.each([
    ['a foreign origin', 'http://evil.example', {}],
    ['a foreign origin with a cookie', 'http://evil.example', { Cookie: 'session_token=cs1_x' }],
    ['the origin null', 'null', {}],
    ['the origin null with a cookie', 'null', { Cookie: 'session_token=cs1_x' }],
    ['an empty origin', '', {}],
    ['two origins', 'http://evil.example, http://127.0.0.1', {}],
    ['its own host by another scheme', 'https://chat.example:8080', {}],
    ['its own host at another port', 'http://chat.example:8081', {}],
    ['its own host with a name and password', 'http://a:b@chat.example:8080', {}],
    ['a host that begins as its own', 'http://chat.example:8080.evil.example', {}],
  ])('not with %s', async (_, origin, more) => {
    const headers = { Host: 'chat.example:8080', Origin: origin, ...more };
    const { status, head, body, isOpen } = await answerTo({ headers });
    expect([status, isOpen, JSON.parse(body)]).toEqual([
      '403 Forbidden',
      false,
      {
        type: 'about:blank',
        title: 'Forbidden',
        status: 403,
        detail: 'pages of this origin may not connect: the server has to be told of it with --allow-origin',
        code: 'forbidden',
      },
    ]);
    expect(head).toContain('Content-Type: application/problem+json');
  });

  it.each([
    ['session_token=cs1_abc', 'session_token'],
    ['token=x', 'token'],
    ['a=1&access_token=x', 'access_token'],
    ['PASSWORD=x', 'PASSWORD'],
    ['x=cs1_abc', 'x'],
    ['x=cr1_abc', 'x'],
    ['cs1_abc', 'the query'],
    ['cs1_token=1', 'the query'],
    ['a%0Atoken=1', 'a?token'],
    ['x=cs1_abc&x=b', 'x'],
  ])('not with a secret in the URL: ?%s', async (query, named) => {
    const { status, body } = await answerTo({ path: `/ws?${query}` });
    expect([status, JSON.parse(body).detail, body.includes('cs1_')]).toEqual([
      '400 Bad Request',
      `${named}: secrets never stand in a URL; send it in the first message`,
      false,
    ]);
  });

  it('with any other query', async () => {
    expect((await answerTo({ path: '/ws?v=1&lang=de' })).isOpen).toBe(true);
  });

  it.each([
    ['without a version', { headers: { 'Sec-WebSocket-Version': undefined } }, '426 Upgrade Required'],
    ['with version 8', { headers: { 'Sec-WebSocket-Version': '8' } }, '426 Upgrade Required'],
    ['without a host', { headers: { Host: undefined } }, '400 Bad Request'],
    ['with two hosts', { headers: { host: 'other.example' } }, '400 Bad Request'],
    ['without a key', { headers: { 'Sec-WebSocket-Key': undefined } }, '400 Bad Request'],
    ['with a key that is too short', { headers: { 'Sec-WebSocket-Key': 'AAAA' } }, '400 Bad Request'],
  ])('not %s', async (_, request, expected) => {
    const { status, head, body, isOpen } = await answerTo(request);
    expect([status, isOpen, JSON.parse(body).status]).toEqual([
      expected,
      false,
      Number(expected.slice(0, 3)),
    ]);
    expect(head).toContain('Content-Type: application/problem+json');
    if (expected.startsWith('426')) expect(head).toContain('Sec-WebSocket-Version: 13');
  });

  it.each([
    ['at its path without a wish for an upgrade', '/ws', { Upgrade: undefined, Connection: 'close' }, 426],
    ['at its path with a wish for HTTP/2', '/ws', { Upgrade: 'h2c' }, 426],
    ['at its path with a wish for two things', '/ws', { Upgrade: 'websocket, h2c' }, 426],
    ['at another path', '/healthz', {}, 200],
    ['at a path that begins as its own', '/wss', {}, 404],
  ])('and answers a request %s in HTTP', async (_, path, headers, status) => {
    const { port } = await listening();
    const client = await connectClear(port);
    client.write(upgradeRequest(port, { path, headers }));
    await until(() => client.text.includes('\r\n\r\n') && client.text.endsWith('}'));
    expect(client.text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(client.text.includes('\r\nupgrade: websocket\r\n')).toBe(status === 426);
  });

  it('and answers HTTP/1.0 in HTTP', async () => {
    const { port } = await listening();
    const client = await connectClear(port);
    client.write(upgradeRequest(port).replace('HTTP/1.1', 'HTTP/1.0'));
    await until(() => client.text.endsWith('}'));
    expect(client.text).toMatch(/^HTTP\/1.1 426 /);
  });

  it('and answers another method at its path with those that it has', async () => {
    const { port } = await listening();
    const client = await connectClear(port);
    client.write(upgradeRequest(port, { method: 'DELETE' }));
    await until(() => client.text.endsWith('}'));
    expect(client.text).toMatch(/^HTTP\/1.1 405 .*\r\n(?:.*\r\n)*allow: GET, HEAD, OPTIONS\r\n/i);
  });

  it('after the answers to the requests before it on the connection', async () => {
    const asked = Promise.withResolvers<void>();
    const { port } = await listening({
      calls: Object.assign(new FakeCalls(), { ready: () => asked.promise }),
    });
    const client = await connectClear(port);
    client.write(`GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n${upgradeRequest(port)}`);
    client.write(frame(call(1)));
    for (let turns = 0; turns < 30; turns++) await turn();
    expect(client.text).toBe('');
    asked.resolve();
    await until(() => client.text.includes('"id":1'));
    expect(client.text).toMatch(/^HTTP\/1.1 200 [\s\S]*"ready"\}HTTP\/1.1 101 /);
  });

  it('not when the server has begun to drain meanwhile', async () => {
    const asked = Promise.withResolvers<void>();
    const { port, listener } = await listening({
      calls: Object.assign(new FakeCalls(), { ready: () => asked.promise }),
    });
    const client = await connectClear(port);
    client.write(`GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n${upgradeRequest(port)}`);
    for (let turns = 0; turns < 30; turns++) await turn();
    const drained = listener.drain('shutting-down', 60_000);
    asked.resolve();
    await client.ended();
    await drained;
    expect(client.text).toMatch(/^HTTP\/1.1 200 /);
    expect(client.text).not.toContain(' 101 ');
  });

  it('byte by byte, with the first message in the same piece as the end of the request', async () => {
    const { port } = await listening();
    const client = await connectClear(port);
    const request = upgradeRequest(port);
    for (const byte of Buffer.from(request.slice(0, -1))) {
      client.write(Uint8Array.of(byte));
      await turn();
    }
    client.write(Buffer.concat([Buffer.from('\n'), frame(call(1)), frame(call(2)).subarray(0, 9)]));
    await until(() => client.text.includes('"id":1'));
    client.write(frame(call(2)).subarray(9));
    await until(() => client.text.includes('"id":2'));
  });

  it('and leaves nothing behind when the peer goes amid it, or at once after it', async () => {
    const { port, failures, calls } = await listening();
    const half = await connectClear(port);
    half.write(upgradeRequest(port).slice(0, 60));
    await turn();
    half.socket.destroy();
    const gone = await connectClear(port);
    gone.write(upgradeRequest(port));
    gone.socket.resetAndDestroy();
    const socket = await connectWebSocket(port);
    socket.call(1, 'echo');
    await socket.messageCount(1);
    expect([failures, calls.seen]).toEqual([[], ['echo']]);
  });
});

describe('the WebSocket door reads', () => {
  it('calls of a client of ws, and answers them under their ids', async () => {
    const { port } = await listening();
    const client = new WebSocket(`ws://127.0.0.1:${port}/ws`);
    const messages: unknown[] = [];
    client.on('message', (data) => messages.push(JSON.parse(String(data))));
    await new Promise((resolve) => client.once('open', resolve));
    client.send(call(1, 'echo', { text: 'é🙂' }));
    client.send(call(2, 'echo', { long: 'x'.repeat(70_000) }));
    client.send(call(3, 'echo', { medium: 'x'.repeat(300) }));
    await until(() => messages.length === 3);
    expect(messages).toEqual([
      result(1, { text: 'é🙂' }),
      result(2, { long: 'x'.repeat(70_000) }),
      result(3, { medium: 'x'.repeat(300) }),
    ]);
    const closed = new Promise((resolve) => client.once('close', (code) => resolve(code)));
    client.close(1000, 'done');
    expect(await closed).toBe(1000);
  });

  it('the same over TLS, byte by byte', async () => {
    const { port } = await listening();
    const socket = await connectWebSocket(port, {
      tls: true,
      headers: { Origin: `https://127.0.0.1:${port}` },
    });
    for (const byte of frame(call(1))) {
      socket.write(Uint8Array.of(byte));
      await turn();
    }
    await socket.messageCount(1);
    socket.write(closeFrame(1000));
    expect([socket.messages, await socket.closing()]).toEqual([[result(1)], { code: 1000, reason: '' }]);
  });

  it('thousands of messages in one piece, and answers each once', async () => {
    const { port } = await listening();
    const socket = await connectWebSocket(port);
    const count = 5_000;
    socket.write(Buffer.concat(Array.from({ length: count }, (_, id) => frame(call(id)))));
    await until(() => socket.client.text.includes(`"id":${count - 1},`));
    await quiet(socket);
    expect(ids(socket)).toEqual(Array.from({ length: count }, (_, id) => id));
  });

  it('one message in 64 fragments, with a ping among them, and not in 65', async () => {
    const { port } = await listening();
    const socket = await connectWebSocket(port);
    const fragments = (count: number): Buffer[] => {
      const text = call(1, 'echo', { text: 'x'.repeat(100) });
      return Array.from({ length: count }, (_, at) =>
        frame(at === count - 1 ? text.slice(at) : (text[at] ?? ''), {
          opcode: at === 0 ? opcodes.text : opcodes.continuation,
          isFinal: at === count - 1,
        }),
      );
    };
    socket.write(
      Buffer.concat([
        ...fragments(64).slice(0, 30),
        frame('are you there?', { opcode: opcodes.ping }),
        ...fragments(64).slice(30),
      ]),
    );
    await socket.messageCount(1);
    await until(() => socket.frames.some(({ opcode }) => opcode === opcodes.pong));
    socket.write(Buffer.concat(fragments(65)));
    expect([socket.messages, await socket.closing()]).toEqual([
      [result(1, { text: 'x'.repeat(100) })],
      { code: 1008, reason: 'a message has at most 64 fragments, and comes in pieces that are not tiny' },
    ]);
  });

  it('a message of exactly 128 KiB in small pieces, and not one of a byte more', async () => {
    const { port } = await listening();
    const socket = await connectWebSocket(port);
    const start = call(1, 'echo');
    const largest = frame(start.padEnd(131_072));
    for (let at = 0; at < largest.length; at += 64) {
      socket.write(largest.subarray(at, at + 64));
      await turn();
    }
    await socket.messageCount(1);
    socket.write(frame('', { announced: 131_073 }));
    expect([socket.messages, await socket.closing()]).toEqual([
      [result(1)],
      { code: 1009, reason: 'a message has at most 131072 bytes' },
    ]);
  });

  it('not a message whose fragments are too large together', async () => {
    const { port } = await listening();
    const socket = await connectWebSocket(port);
    socket.write(frame('x'.repeat(131_000), { isFinal: false }));
    socket.write(frame('x'.repeat(73), { opcode: opcodes.continuation }));
    expect((await socket.closing()).code).toBe(1009);
  });

  it('notifications and answers without answering them', async () => {
    const { port, calls } = await listening();
    const socket = await connectWebSocket(port);
    socket.say('{"jsonrpc":"2.0","method":"echo"}');
    socket.say('{"jsonrpc":"2.0","id":"ping-1","result":{}}');
    socket.call(1, 'echo');
    await socket.messageCount(1);
    expect([socket.messages, calls.seen]).toEqual([[result(1)], ['echo', 'echo']]);
  });

  it("a JSON-RPC ping, and a ping of WebSocket's own with what it carried", async () => {
    const { port } = await listening();
    const socket = await connectWebSocket(port);
    socket.call(1, 'ping');
    await socket.messageCount(1);
    socket.write(frame('x'.repeat(125), { opcode: opcodes.ping }));
    await until(() => socket.frames.length === 2);
    socket.write(frame('', { opcode: opcodes.ping }));
    await until(() => socket.frames.length === 3);
    expect(socket.frames.slice(1)).toEqual([
      { opcode: opcodes.pong, isFinal: true, payload: Buffer.from('x'.repeat(125)) },
      { opcode: opcodes.pong, isFinal: true, payload: Buffer.alloc(0) },
    ]);
  });

  it('a flood of pings, answering the last of those that came together', async () => {
    const { port } = await listening();
    const socket = await connectWebSocket(port);
    socket.write(
      Buffer.concat(Array.from({ length: 1_000 }, (_, n) => frame(`ping ${n}`, { opcode: opcodes.ping }))),
    );
    await until(() => socket.client.text.includes('ping 999'));
    expect(socket.frames.length).toBeLessThan(100);
    socket.call(1, 'echo');
    await socket.messageCount(1);
  });

  it('pongs without a word', async () => {
    const { port } = await listening();
    const socket = await connectWebSocket(port);
    socket.write(frame('unasked', { opcode: opcodes.pong }));
    socket.call(1, 'echo');
    await socket.messageCount(1);
    expect(socket.frames.length).toBe(1);
  });
});

describe('the WebSocket door refuses', () => {
  const notUtf8 = Buffer.from('{"\xff"}', 'latin1');
  const wrong = 'not a frame of RFC 6455';

  it.each(
    [
      ['a frame that is not masked', frame(call(9), { isMasked: false }), 1002, wrong],
      ['the first reserved bit: nothing is compressed', frame(call(9), { reserved: 4 }), 1002, wrong],
      ['the second reserved bit', frame(call(9), { reserved: 2 }), 1002, wrong],
      ['the third reserved bit', frame(call(9), { reserved: 1 }), 1002, wrong],
      ['opcode 3', frame(call(9), { opcode: 3 }), 1002, wrong],
      ['opcode 11', frame('', { opcode: 11 }), 1002, wrong],
      ['the rest of a message without its beginning', frame('x', { opcode: 0 }), 1002, wrong],
      [
        'a message amid another',
        Buffer.concat([frame('x', { isFinal: false }), frame(call(9))]),
        1002,
        wrong,
      ],
      ['a ping of 126 bytes', frame('x'.repeat(126), { opcode: opcodes.ping }), 1002, wrong],
      ['a ping in fragments', frame('x', { opcode: opcodes.ping, isFinal: false }), 1002, wrong],
      ['a Close of one byte', frame('x', { opcode: opcodes.close }), 1002, wrong],
      ['a Close with a code that nobody may send', closeFrame(1006), 1002, wrong],
      ['a Close with a reason that is not UTF-8', closeFrame(1000, '').subarray(0, 0), 0, ''],
      ['text that is not UTF-8', frame(notUtf8), 1007, 'the message is not UTF-8'],
      [
        'UTF-8 cut in two halves that never meet',
        Buffer.concat([frame(Buffer.of(0xc3), { isFinal: false }), frame('x', { opcode: 0 })]),
        1007,
        'the message is not UTF-8',
      ],
      [
        'binary messages',
        frame(call(9), { opcode: opcodes.binary }),
        1003,
        'messages are text: binary ones are not served',
      ],
      [
        'an announced length of 2^63',
        Buffer.from([0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]),
        1009,
        'a message has at most 131072 bytes',
      ],
    ].filter(([, , code]) => code !== 0) as Array<[string, Buffer, number, string]>,
  )('%s, after what came before it was answered', async (_, bytes, code, reason) => {
    const { port, calls, failures } = await listening();
    const socket = await connectWebSocket(port);
    socket.write(Buffer.concat([frame(call(1, 'slow')), frame(call(2)), bytes]));
    await until(() => calls.pending.length === 1);
    await quiet(socket);
    expect(socket.closed).toBeUndefined();
    calls.pending[0]?.answer({});
    expect([await socket.closing(), socket.messages]).toEqual([{ code, reason }, [result(1), result(2)]]);
    socket.write(Buffer.concat([frame(call(3)), closeFrame(1000)]));
    await socket.client.ended();
    expect([calls.seen, failures]).toEqual([['slow', 'echo'], []]);
  });

  it('UTF-8 cut between fragments is whole again', async () => {
    const { port } = await listening();
    const socket = await connectWebSocket(port);
    const bytes = Buffer.from(call(1, 'echo', { text: 'é' }));
    const half = bytes.indexOf(0xc3) + 1;
    socket.write(frame(bytes.subarray(0, half), { isFinal: false }));
    socket.write(frame(bytes.subarray(half), { opcode: 0 }));
    await socket.messageCount(1);
    expect(socket.messages).toEqual([result(1, { text: 'é' })]);
  });

  const notJson = failed(-32_700, 'not JSON', { code: 'invalid' });

  it.each([
    ['what is no JSON', '{', notJson],
    ['an empty message', '', notJson],
    [
      'a batch',
      '[]',
      failed(-32_600, 'batches are not served: send one request per message', { code: 'invalid' }),
    ],
    ['another version', '{"id":1}', failed(-32_600, 'jsonrpc must be "2.0"', { code: 'invalid' })],
    [
      'another type',
      '{"type":"authenticate","user_id":"u","session_token":"t"}',
      failed(-32_600, 'jsonrpc must be "2.0"', { code: 'invalid' }),
    ],
  ])('%s, and serves on', async (_, text, error) => {
    const { port } = await listening();
    const socket = await connectWebSocket(port);
    socket.say(text);
    socket.say(call(1));
    await socket.messageCount(2);
    expect(socket.messages).toEqual([error, result(1)]);
  });

  it('ten messages in a row that are no request, not nine', async () => {
    const { port } = await listening();
    const socket = await connectWebSocket(port);
    for (let count = 0; count < 9; count++) socket.say('bad');
    socket.say(call(1));
    for (let count = 0; count < 11; count++) socket.say('bad');
    expect(await socket.closing()).toEqual({ code: 1008, reason: 'ten messages in a row were no request' });
    expect(socket.messages.length).toBe(20);
  });

  it('a frame in thousands of tiny pieces, which would cost more than it is long', async () => {
    const { port } = await listening();
    const socket = await connectWebSocket(port);
    const bytes = frame('x'.repeat(131_072));
    for (let at = 0; at < 2_500 && socket.closed === undefined; at++) {
      socket.write(bytes.subarray(at, at + 1));
      await turn();
      await turn();
    }
    expect((await socket.closing()).code).toBe(1008);
  });
});

describe('Authenticate', () => {
  const message = (change: object = {}): string =>
    JSON.stringify({ type: 'Authenticate', user_id: 'u-1', session_token: 'cs1_x', ...change });
  const resumed = {
    user_id: 'u-1',
    username: 'alice',
    session_id: 's-1',
    expires_at: '2026-01-01T00:00:00.000Z',
    device_id: 'd-1',
  };

  it('is answered with AuthSuccess', async () => {
    const { port, calls } = await listening();
    const socket = await connectWebSocket(port);
    socket.say(message());
    socket.call(1, 'echo');
    await until(() => calls.pending.length === 1);
    const [pending] = calls.pending;
    expect([pending?.name, pending?.params, pending?.peer.door]).toEqual([
      'login.resume',
      { user_id: 'u-1', session_token: 'cs1_x' },
      'websocket',
    ]);
    pending?.answer(resumed);
    await socket.messageCount(2);
    expect(socket.texts).toEqual([
      '{"type":"AuthSuccess","user_id":"u-1","username":"alice","expires_at":"2026-01-01T00:00:00.000Z"}',
      '{"jsonrpc":"2.0","id":1,"result":{}}',
    ]);
  });

  it.each([
    ['unauthenticated', 'the session is unknown, expired or revoked', 4401, 'authentication failed'],
    ['invalid', 'user_id: too long', 4401, 'authentication failed'],
    ['second-factor-required', 'x', 4401, 'authentication failed'],
    ['rate-limited', 'too many attempts', 1013, 'try again later'],
    ['unavailable', 'the store is busy', 1013, 'try again later'],
    ['internal', 'something went wrong on the server (id)', 1011, 'something went wrong on the server'],
  ] as const)(
    'that is refused as %s is told why, and closed when what was asked with it is answered',
    async (code, reason, status, closing) => {
      const { port, calls } = await listening();
      const socket = await connectWebSocket(port);
      socket.say(message());
      socket.call(1, 'echo');
      await until(() => calls.pending.length === 1);
      calls.pending[0]?.refuse(new ChatError(code, reason));
      expect([await socket.closing(), socket.messages]).toEqual([
        { code: status, reason: closing },
        [{ type: 'AuthFailure', reason }, result(1)],
      ]);
    },
  );

  it.each([
    ['without a user', { user_id: undefined }, 'user_id: must be a string'],
    ['with a number as user', { user_id: 7 }, 'user_id: must be a string'],
    ['without a token', { session_token: undefined }, 'session_token: must be a string'],
    ['with more', { device: 'x' }, 'Authenticate has the fields type, user_id and session_token'],
  ])('%s is refused without a look at the token', async (_, change, reason) => {
    const { port, calls } = await listening();
    const socket = await connectWebSocket(port);
    socket.say(message(change));
    expect([await socket.closing(), socket.messages, calls.seen]).toEqual([
      { code: 4401, reason: 'authentication failed' },
      [{ type: 'AuthFailure', reason }],
      [],
    ]);
  });

  it('on a connection that is logged in is refused, and the connection stays', async () => {
    const { port, calls } = await listening();
    const socket = await connectWebSocket(port);
    socket.call(1, 'echo');
    await socket.messageCount(1);
    for (const peer of calls.peers) peer.session = session;
    socket.say(message());
    socket.call(2, 'echo');
    await socket.messageCount(3);
    expect(socket.messages).toEqual([
      result(1),
      { type: 'AuthFailure', reason: 'this connection is logged in already' },
      result(2),
    ]);
    expect(calls.seen).toEqual(['echo', 'echo']);
  });

  it('counts as a request: nine bad messages before it do not make ten with one after it', async () => {
    const { port, calls } = await listening();
    const socket = await connectWebSocket(port);
    for (let count = 0; count < 9; count++) socket.say('bad');
    socket.say(message());
    await until(() => calls.pending.length === 1);
    calls.pending[0]?.answer(resumed);
    socket.say('bad');
    socket.call(1, 'echo');
    await until(() => ids(socket).includes(1));
  });
});

describe('the WebSocket door closes', () => {
  it.each([
    ['with a code and a reason', closeFrame(1001, 'bye'), { code: 1001, reason: 'bye' }],
    ['with a code of its own', closeFrame(4999), { code: 4999, reason: '' }],
    ['without a code', closeFrame(), { code: undefined, reason: '' }],
  ])('when the peer does, %s, and says the same', async (_, bytes, said) => {
    const { port, calls } = await listening();
    const socket = await connectWebSocket(port);
    socket.call(1, 'echo');
    await socket.messageCount(1);
    socket.write(bytes);
    expect(await socket.closing()).toEqual(said);
    await socket.client.ended();
    expect([[...calls.peers][0]?.isGone, socket.frames.length]).toEqual([true, 2]);
    socket.client.socket.end();
    await until(() => socket.client.isClosed);
  });

  it("when the peer does, after the answers to what came before; what comes after the peer's Close is not read", async () => {
    const { port, calls } = await listening();
    const socket = await connectWebSocket(port);
    socket.write(
      Buffer.concat([frame(call(1, 'slow')), frame(call(2, 'slow')), closeFrame(1000), frame(call(3))]),
    );
    for (let done = 0; done < 2; done++) {
      await until(() => calls.pending.length > done);
      await quiet(socket);
      expect(socket.closed).toBeUndefined();
      calls.pending[done]?.answer({});
    }
    expect([await socket.closing(), ids(socket), calls.seen]).toEqual([
      { code: 1000, reason: '' },
      [1, 2],
      ['slow', 'slow'],
    ]);
  });

  it('when its session ends: the event, Close 4401, and nothing after it', async () => {
    const { port, calls } = await listening();
    const socket = await connectWebSocket(port);
    socket.call(1, 'slow');
    await until(() => calls.pending.length === 1);
    const [pending] = calls.pending;
    pending?.peer.end('revoked');
    pending?.answer({});
    const status = await socket.closing();
    await quiet(socket);
    expect([status, socket.messages, socket.frames.length]).toEqual([
      { code: 4401, reason: 'the session has ended: it was revoked' },
      [{ jsonrpc: '2.0', method: 'session-ended', params: { reason: 'revoked' } }],
      2,
    ]);
    expect(socket.client.hasEnded).toBe(false);
    socket.write(closeFrame(4401));
    await socket.client.ended();
  });

  it.each([
    ['logged-out', 4401, 'the session has ended: it was logged out'],
    ['expired', 4401, 'the session has ended: it has expired'],
    ['replaced', 4401, 'the session has ended: another login took its place'],
    ['refresh-reused', 4401, 'the session has ended: one of its refresh tokens was used twice'],
    [
      'credentials-changed',
      4401,
      'the session has ended: the password or second factor of its account was changed',
    ],
    ['disabled', 4401, 'the session has ended: its account is disabled'],
    ['unavailable', 1013, 'the server cannot serve now'],
    ['shutting-down', 1001, 'the server is shutting down'],
  ] as const)('when it was ended as %s, with %i', async (reason, code, text) => {
    const { port, calls } = await listening();
    const socket = await connectWebSocket(port);
    socket.call(1, 'echo');
    await socket.messageCount(1);
    for (const peer of calls.peers) peer.end(reason);
    expect([await socket.closing(), socket.messages]).toEqual([
      { code, reason: text },
      [result(1), { jsonrpc: '2.0', method: 'session-ended', params: { reason } }],
    ]);
  });

  it('in order when the server drains: calls under way are answered, later ones are not taken', async () => {
    const { port, listener, calls } = await listening();
    const socket = await connectWebSocket(port);
    socket.call(1, 'slow');
    await until(() => calls.pending.length === 1);
    const drained = listener.drain('shutting-down', 60_000);
    socket.call(2, 'echo');
    await quiet(socket);
    expect(socket.closed).toBeUndefined();
    calls.pending[0]?.answer({});
    expect([(await socket.closing()).code, ids(socket), calls.seen]).toEqual([
      1001,
      [1, undefined],
      ['slow'],
    ]);
    socket.write(closeFrame(1001));
    await socket.client.ended();
    socket.client.socket.end();
    await drained;
  });

  it('a peer that does not answer Close after 5 seconds, not before', async () => {
    vi.useFakeTimers();
    const { port, calls } = await listening();
    const socket = await connectWebSocket(port);
    socket.call(1, 'echo');
    await socket.messageCount(1);
    for (const peer of calls.peers) peer.end('revoked');
    await socket.closing();
    vi.advanceTimersByTime(4_999);
    await quiet(socket);
    expect(socket.client.hasEnded || socket.client.isClosed).toBe(false);
    vi.advanceTimersByTime(1);
    await socket.client.ended();
  });

  it('when the peer ends its side without a Close, and when it vanishes', async () => {
    const { port, calls, failures } = await listening();
    const ended = await connectWebSocket(port);
    ended.call(1, 'slow');
    await until(() => calls.pending.length === 1);
    ended.client.socket.end();
    await ended.client.ended();
    const reset = await connectWebSocket(port);
    reset.call(2, 'slow');
    await until(() => calls.pending.length === 2);
    reset.client.socket.resetAndDestroy();
    await until(() => [...calls.peers].every((peer) => peer.isGone));
    for (const pending of calls.pending) pending.answer({});
    await turn();
    expect([failures, ended.frames]).toEqual([[], []]);
  });

  it('a connection whose call throws outright, and no other', async () => {
    const bug = new Error('thrown');
    const { port, failures } = await listening({
      calls: {
        identify: async () => {},
        ready: async () => {},
        told: async () => {},
        call: () => {
          throw bug;
        },
        overlaps: () => {
          throw bug;
        },
      },
    });
    const socket = await connectWebSocket(port);
    socket.call(1, 'x');
    await socket.client.ended();
    const other = await connectWebSocket(port);
    other.call(1, 'ping');
    await other.messageCount(1);
    expect(failures).toEqual([bug]);
  });
});

describe('the WebSocket door bounds', () => {
  it('calls in flight: beyond the limit nothing is read, and room lets it read on', async () => {
    const { port, calls } = await listening({ limits: { maxPipelined: 3 } });
    const socket = await connectWebSocket(port);
    socket.write(Buffer.concat(Array.from({ length: 5 }, (_, id) => frame(call(id, 'overlapping')))));
    await until(() => calls.pending.length === 3);
    await quiet(socket);
    expect(calls.pending.length).toBe(3);
    calls.pending[0]?.answer({});
    await until(() => calls.pending.length === 4);
    for (const pending of calls.pending) pending.answer({});
    await until(() => calls.pending.length === 5);
    calls.pending[4]?.answer({});
    await socket.messageCount(5);
  });

  it('what a slow reader lets pile up, without slowing others, and loses nothing', async () => {
    const { port, calls } = await listening({ limits: { maxQueuedBytes: 1_000_000 } });
    const slow = await connectWebSocket(port);
    slow.client.socket.pause();
    const count = 400;
    let answered = 0;
    const answerAll = (): number => {
      for (const pending of calls.pending.slice(answered)) pending.answer({ text: 'x'.repeat(100_000) });
      answered = calls.pending.length;
      return answered;
    };
    const settled = async (): Promise<number> => {
      let before = -1;
      for (let still = 0; still < 50; still++) {
        await turn();
        if (answerAll() !== before) still = 0;
        before = answered;
      }
      return before;
    };
    for (let id = 0; id < count; id++) slow.call(id, 'overlapping');
    const before = await settled();
    for (let id = 0; id < 100; id++) slow.call(count + id, 'overlapping');
    const [peer] = calls.peers;
    expect([await settled(), (peer?.queuedBytes ?? 0) > 1_000_000]).toEqual([before, true]);
    const other = await connectWebSocket(port);
    other.call(1, 'echo');
    await other.messageCount(1);
    slow.client.socket.resume();
    await until(() => {
      answerAll();
      return slow.client.receivedBytes >= 500 * 100_000;
    });
    await quiet(slow);
    expect(new Set(ids(slow)).size).toBe(500);
  });

  it('a flood of pings from a peer that reads nothing', async () => {
    const { port, listener } = await listening({ limits: { maxQueuedBytes: 100_000 } });
    const socket = await connectWebSocket(port);
    socket.client.socket.pause();
    const ping = Buffer.concat(
      Array.from({ length: 100 }, () => frame('x'.repeat(125), { opcode: opcodes.ping })),
    );
    for (let count = 0; count < 200; count++) {
      socket.write(ping);
      await turn();
    }
    expect(listener.connections).toBe(1);
    socket.call(1, 'echo');
    socket.client.socket.resume();
    await socket.messageCount(1);
  });
});

describe('the WebSocket door waits', () => {
  async function waiting(limits: Parameters<typeof listening>[0] = {}) {
    vi.useFakeTimers();
    const server = await listening(limits);
    const socket = await connectWebSocket(server.port);
    return { ...server, socket };
  }

  async function loggedIn() {
    const open = await waiting();
    open.socket.call(1, 'echo');
    await open.socket.messageCount(1);
    for (const peer of open.calls.peers) peer.session = session;
    return open;
  }

  const isOpen = (socket: RawWebSocket): boolean =>
    socket.closed === undefined && !socket.client.hasEnded && !socket.client.isClosed;

  it('10 seconds for the first message', async () => {
    const { socket } = await waiting();
    vi.advanceTimersByTime(9_999);
    await quiet(socket);
    expect(isOpen(socket)).toBe(true);
    vi.advanceTimersByTime(1);
    expect([await socket.closing(), socket.messages]).toEqual([
      { code: 1008, reason: 'there was no first message within 10 seconds' },
      [failed(-32_010, 'there was no first message within 10 seconds', { code: 'timeout' })],
    ]);
  });

  it('10 seconds for the rest of a message before login, in however many bytes or fragments it comes', async () => {
    const { socket } = await waiting();
    const bytes = frame('the rest', { opcode: opcodes.continuation });
    socket.write(frame('{', { isFinal: false }));
    for (let second = 0; second < 9; second++) {
      await quiet(socket);
      vi.advanceTimersByTime(1_000);
      if (second < 4) socket.write(frame(' ', { opcode: 0, isFinal: false }));
      else if (second < 6) socket.write(frame('', { opcode: opcodes.ping }));
      else socket.write(bytes.subarray(second - 6, second - 5));
    }
    await quiet(socket);
    vi.advanceTimersByTime(999);
    await quiet(socket);
    expect(isOpen(socket)).toBe(true);
    vi.advanceTimersByTime(1);
    expect(await socket.closing()).toEqual({
      code: 1008,
      reason: 'a message was not finished within 10 seconds',
    });
  });

  it('120 seconds for the rest of a message after login', async () => {
    const { socket } = await loggedIn();
    socket.write(frame(call(2)).subarray(0, 5));
    for (let step = 0; step < 4; step++) {
      await quiet(socket);
      vi.advanceTimersByTime(29_999);
      socket.write(frame(call(2)).subarray(5 + step, 6 + step));
    }
    await quiet(socket);
    vi.advanceTimersByTime(3);
    await quiet(socket);
    expect(isOpen(socket)).toBe(true);
    vi.advanceTimersByTime(1);
    expect((await socket.closing()).reason).toBe('a message was not finished within 120 seconds');
  });

  it('120 seconds for a call before login, counted from the last one; pings are no calls', async () => {
    const { socket } = await waiting();
    socket.call(1, 'echo');
    await socket.messageCount(1);
    for (let step = 0; step < 4; step++) {
      socket.write(frame('', { opcode: opcodes.ping }));
      await quiet(socket);
      vi.advanceTimersByTime(step < 3 ? 30_000 : 29_999);
    }
    await quiet(socket);
    expect(isOpen(socket)).toBe(true);
    vi.advanceTimersByTime(1);
    expect(await socket.closing()).toEqual({
      code: 1008,
      reason: 'there was no call and no login within 120 seconds',
    });
  });

  it('for ever after login, as long as pings are answered', async () => {
    const { socket } = await loggedIn();
    for (let step = 0; step < 100; step++) {
      const frames = socket.frames.length;
      vi.advanceTimersByTime(30_000);
      await until(() => socket.frames.length > frames);
      socket.write(frame('', { opcode: opcodes.pong }));
      await quiet(socket);
    }
    socket.call(2, 'echo');
    await socket.messageCount(2);
    expect(socket.frames.slice(1, 3)).toEqual(
      Array.from({ length: 2 }, () => ({ opcode: opcodes.ping, isFinal: true, payload: Buffer.alloc(0) })),
    );
  });

  it('for two missed pings, and closes exactly then', async () => {
    const { socket } = await loggedIn();
    for (let count = 1; count <= 2; count++) {
      vi.advanceTimersByTime(30_000);
      await until(() => socket.frames.length === 1 + count);
    }
    vi.advanceTimersByTime(29_999);
    await quiet(socket);
    expect(isOpen(socket)).toBe(true);
    vi.advanceTimersByTime(1);
    await socket.client.ended();
    expect(socket.closed).toBeUndefined();
  });

  it('for nothing where a wait is switched off', async () => {
    const { socket } = await waiting({ limits: { firstByteMs: 0, startedLineMs: 0, idleBeforeLoginMs: 0 } });
    vi.advanceTimersByTime(50_000);
    socket.write(frame(call(1)).subarray(0, 3));
    await quiet(socket);
    vi.advanceTimersByTime(50_000);
    await quiet(socket);
    socket.write(frame(call(1)).subarray(3));
    await socket.messageCount(1);
  });
});
