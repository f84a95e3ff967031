import { describe, expect, it } from 'vitest';
import type { DoorLimits } from '../../../src/server/doors/door.ts';
import { maxPieces } from '../../../src/server/doors/websocket-limits.ts';
import type { FakeCalls, PendingCall } from '../support/calls.ts';
import { connectClear, connectSecure } from '../support/client.ts';
import { listening } from '../support/listening.ts';
import { turn, until } from '../support/until.ts';
import {
  good,
  type HttpAnswer,
  HttpClient,
  httpClient,
  problems,
  refusedWith,
  request,
} from './support/http.ts';

const { invalid, unauthenticated } = problems;
const health = request('GET', '/healthz');
const healthy = good(200, { status: 'ok' });
const get = (path: string, asking = {}): string => request('GET', path, { token: 'x', ...asking });
/** The answer to the one request that a connection closes after. */
const last = (answer: HttpAnswer): HttpAnswer => {
  const { 'keep-alive': _, ...headers } = answer.headers;
  return { ...answer, headers: { ...headers, connection: 'close' } };
};
const refusedLast = (
  ...[problem, detail]: [
    (typeof problems)['invalid' | 'slow' | 'headersTooLarge' | 'version'] | readonly [number, string, string],
    string,
  ]
) => refusedWith(problem, detail, { isLast: true });

/** A listener whose calls the test answers, and a connection to it. */
async function opened(limits: Partial<DoorLimits> = {}, way: 'clear' | 'tls' = 'clear') {
  const open = await listening({ limits });
  return { ...open, http: await httpClient(open.port, way) };
}

/** Everything that is answered to some bytes until the server closes; the process lives, and serves the next one. */
async function answersTo(
  bytes: string | Uint8Array,
  limits: Partial<DoorLimits> = {},
): Promise<HttpAnswer[]> {
  const { http, port, failures } = await opened(limits);
  http.write(bytes);
  const answers = await http.toTheEnd();
  const next = await httpClient(port);
  next.write(health);
  expect(await next.next()).toEqual(healthy);
  expect(failures).toEqual([]);
  return answers;
}

/** Asks for a WebSocket, but for the end of its head. */
const upgrade =
  'GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

/** A call that has come in, once it has. */
async function pending(calls: FakeCalls, index: number): Promise<PendingCall> {
  await until(() => calls.pending.length > index);
  const call = calls.pending[index];
  if (!call) throw new Error('there is one');
  return call;
}

const versionText = 'HTTP Version Not Supported: HTTP/1.1 is served';
const post = (headers: string, body = ''): string =>
  `POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${headers}\r\n${body}`;

describe('what is no request of HTTP/1.1', () => {
  it.each([
    [
      'Content-Length with Transfer-Encoding',
      post('Content-Length: 2\r\nTransfer-Encoding: chunked\r\n', '2\r\n{}\r\n0\r\n\r\n'),
    ],
    [
      'Transfer-Encoding with Content-Length',
      post('Transfer-Encoding: chunked\r\nContent-Length: 2\r\n', '{}'),
    ],
    ['two Content-Lengths', post('Content-Length: 2\r\nContent-Length: 2\r\n', '{}')],
    ['a list of Content-Lengths', post('Content-Length: 2, 2\r\n', '{}')],
    ['a Content-Length below zero', post('Content-Length: -1\r\n', '{}')],
    ['a Transfer-Encoding that does not end in chunked', post('Transfer-Encoding: chunked, gzip\r\n', '{}')],
  ])('4.2.1: has a body of no clear length, is told so, and closed: %s', async (_, bytes) => {
    const detail =
      'the length of the body is not clear: one Content-Length, or one Transfer-Encoding: chunked';
    expect(await answersTo(bytes)).toEqual([refusedLast(invalid, detail)]);
  });

  it.each([
    [
      'a lone LF after the request line',
      'GET /healthz HTTP/1.1\nHost: x\r\n\r\n',
      'not a request of HTTP/1.1 (HPE_INVALID_VERSION)',
    ],
    [
      'a lone LF after a header',
      'GET /healthz HTTP/1.1\r\nHost: x\nA: b\r\n\r\n',
      'not a request of HTTP/1.1 (HPE_CR_EXPECTED)',
    ],
    [
      'a lone CR',
      'GET /healthz HTTP/1.1\r\nHost: x\rA: b\r\n\r\n',
      'not a request of HTTP/1.1 (HPE_LF_EXPECTED)',
    ],
    [
      'NUL in a header',
      'GET /healthz HTTP/1.1\r\nHost: x\r\nA: a\0b\r\n\r\n',
      'not a request of HTTP/1.1 (HPE_INVALID_HEADER_TOKEN)',
    ],
    [
      'a blank in the name of a header',
      'GET /healthz HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n',
      'not a request of HTTP/1.1 (HPE_INVALID_HEADER_TOKEN)',
    ],
    [
      'a header over two lines',
      'GET /healthz HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n',
      'not a request of HTTP/1.1 (HPE_INVALID_HEADER_TOKEN)',
    ],
    [
      'a version that is none',
      'GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n',
      'not a request of HTTP/1.1 (HPE_INVALID_VERSION)',
    ],
    [
      'a control character in the address',
      'GET /a\x01b HTTP/1.1\r\nHost: x\r\n\r\n',
      'not a request of HTTP/1.1 (HPE_INVALID_URL)',
    ],
    [
      'a method in small letters, after one that is',
      `${health}get /healthz HTTP/1.1\r\nHost: x\r\n\r\n`,
      'not a request of HTTP/1.1 (HPE_INVALID_METHOD)',
    ],
    [
      'a JSON-RPC call, after a request',
      `${health}{"jsonrpc":"2.0","id":1,"method":"ping"}\n`,
      'not a request of HTTP/1.1 (HPE_INVALID_METHOD)',
    ],
    [
      'a chunk of no length',
      post('Transfer-Encoding: chunked\r\n', 'zz\r\n'),
      'not a request of HTTP/1.1 (HPE_INVALID_CHUNK_SIZE)',
    ],
  ])('is told so, and closed: %s', async (_, bytes, detail) => {
    const answers = await answersTo(Buffer.from(bytes, 'latin1'));
    expect(answers.at(-1)).toEqual(refusedLast(invalid, detail));
    expect(answers.slice(0, -1)).toEqual(bytes.startsWith(health) ? [healthy] : []);
  });

  it('is HTTP/2 without being asked, answered in HTTP/1.1', async () => {
    expect(await answersTo('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0')).toEqual([
      refusedLast(problems.version, versionText),
    ]);
  });

  it.each(['GET /healthz\r\n\r\n', 'GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n'])(
    'is of another version, answered in HTTP/1.1: %j',
    async (bytes) => {
      const { http } = await opened();
      http.write(bytes);
      const { status, body } = await http.next();
      expect([status, body]).toEqual([505, refusedLast(problems.version, versionText).body]);
    },
  );

  it('is CONNECT: this is no proxy', async () => {
    expect(
      await answersTo(`${health}CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n\x16\x03\x01`),
    ).toEqual([healthy, refusedLast([501, 'Not Implemented', 'unsupported'], 'CONNECT: this is no proxy')]);
  });

  it.each([
    ['unreadable', 'GET / HTTP/9.9\r\n\r\n'],
    ['a wish for a WebSocket from elsewhere', `${upgrade}Origin: https://elsewhere.example\r\n\r\n`],
  ])('is refused over TLS with every header that stands there: %s (ASVS 3.4.1)', async (_, bytes) => {
    const { port } = await opened();
    const client = await connectSecure(port);
    client.write(bytes);
    await client.ended();
    expect(client.text).toContain('\r\nStrict-Transport-Security: max-age=31536000\r\n');
  });

  it('has headers of more than 16 KiB', async () => {
    const head = (bytes: number): string =>
      `GET /healthz HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(bytes)}\r\n\r\n`;
    expect(await answersTo(head(16_384))).toEqual([
      refusedLast(problems.headersTooLarge, 'the headers are too long: 16 KiB at most'),
    ]);
    const { http } = await opened();
    http.write(head(16_000));
    expect(await http.next()).toEqual(healthy);
  });

  it('has an address without an end', async () => {
    expect(await answersTo(`GET /${'a'.repeat(200_000)}`)).toEqual([
      refusedLast(problems.headersTooLarge, 'the headers are too long: 16 KiB at most'),
    ]);
  });

  it('is told so after every answer that was due before it', async () => {
    const { http, calls } = await opened();
    http.write(`${get('/api/rooms')}${health}NONSENSE\r\n\r\n`);
    (await pending(calls, 0)).answer({ slow: true });
    expect(await http.toTheEnd()).toEqual([
      good(200, { slow: true }),
      healthy,
      refusedLast(invalid, 'not a request of HTTP/1.1 (HPE_INVALID_METHOD)'),
    ]);
  });
});

describe('a request whose head is', () => {
  const one = async (bytes: string): Promise<HttpAnswer> => {
    const { http } = await opened();
    http.write(bytes);
    const answer = await http.next();
    // It can be read, so the connection serves on.
    if (answer.headers.connection === 'keep-alive') {
      http.write(health);
      expect(await http.next()).toEqual(healthy);
    }
    return answer;
  };

  it('without Host is refused, in HTTP/1.1', async () => {
    expect(await one('GET /healthz HTTP/1.1\r\n\r\n')).toEqual(
      refusedWith(invalid, 'a request has a Host header'),
    );
  });

  it('with two Hosts is refused', async () => {
    expect(await one('GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n')).toEqual(
      refusedWith(invalid, 'host: give this header once'),
    );
  });

  it('of HTTP/1.0 is answered without Host, and the last unless it says otherwise', async () => {
    expect(await answersTo('GET /healthz HTTP/1.0\r\n\r\n')).toEqual([last(healthy)]);
    expect(await one('GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')).toEqual(healthy);
  });

  it('of more than 100 fields is refused, whole as it was read', async () => {
    const withFields = (count: number): string =>
      `GET /healthz HTTP/1.1\r\nHost: a\r\n${'a:\r\n'.repeat(count - 1)}\r\n`;
    expect(await one(withFields(100))).toEqual(healthy);
    const tooMany = refusedWith(
      [431, 'Request Header Fields Too Large', 'too-large'],
      'a request has at most 100 header fields',
    );
    expect(await one(withFields(101))).toEqual(tooMany);
    expect(await one(withFields(3_000))).toEqual(tooMany);
  });

  it('OPTIONS of the server as a whole is answered with what it takes', async () => {
    expect(await one('OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n')).toEqual(
      good(204, undefined, { allow: 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE' }),
    );
  });

  it('a wish for HTTP/2 is answered as if it had none', async () => {
    expect(
      await one(
        'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n',
      ),
    ).toEqual(healthy);
  });

  it('a wish for a WebSocket elsewhere than there is one is answered as if it had none', async () => {
    expect(
      await one('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'),
    ).toEqual(healthy);
  });

  it.each([
    ['a length', 'Content-Length: 3\r\n\r\nabc'],
    ['chunks', 'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'],
  ])('a wish for a WebSocket with a body of %s is answered as if it had none', async (_, rest) => {
    expect(await one(`${upgrade}${rest}`)).toMatchObject({
      status: 426,
      headers: { connection: 'Upgrade', upgrade: 'websocket' },
      body: { code: 'unsupported', detail: 'there is a WebSocket here: ask with Upgrade and no body' },
    });
  });

  it('a wish for a WebSocket whose body never comes leaves nothing behind when its client resets', async () => {
    const { port, failures, listener } = await opened();
    for (let n = 0; n < 12; n++) {
      const client = await connectClear(port);
      client.write(`${upgrade}Content-Length: 100\r\n\r\nabc`);
      await many();
      client.socket.resetAndDestroy();
    }
    await until(() => listener.connections === 1);
    expect(failures).toEqual([]);
  });

  it('another expectation than to go on is refused', async () => {
    expect(await one('GET /healthz HTTP/1.1\r\nHost: x\r\nExpect: a-miracle\r\n\r\n')).toEqual(
      refusedWith(problems.expectation, 'Expect: only 100-continue is known'),
    );
  });

  it('an absolute address is read as one', async () => {
    expect(
      (await one('GET http://chat.example/healthz HTTP/1.1\r\nHost: chat.example\r\n\r\n')).status,
    ).toBeLessThan(500);
  });
});

describe('a request that asks whether to go on', () => {
  const head = (length: number, extra = 'Authorization: Bearer x\r\n'): string =>
    `POST /api/rooms HTTP/1.1\r\nHost: x\r\n${extra}Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`;

  it('is told to, and then answered', async () => {
    const { http, calls } = await opened();
    http.write(head(12));
    expect(await http.next()).toEqual({ status: 100, headers: {}, body: undefined });
    http.write('{"room":"a"}');
    const call = await pending(calls, 0);
    call.answer({ room: '#a' });
    expect([await http.next(), call.params]).toEqual([good(201, { room: '#a' }), { room: 'a' }]);
  });

  it('is not told to in HTTP/1.0, which has no such answer', async () => {
    const { http, calls } = await opened();
    http.write(head(12).replace('HTTP/1.1', 'HTTP/1.0'));
    await many();
    expect(http.client.text).toBe('');
    http.write('{"room":"a"}');
    (await pending(calls, 0)).answer({ room: '#a' });
    expect((await http.toTheEnd()).map(({ status }) => status)).toEqual([201]);
  });

  it('is told no by its head alone, and closed: what comes next could be either', async () => {
    expect(await answersTo(head(12, ''))).toEqual([
      refusedWith(unauthenticated, 'log in first, and send Authorization: Bearer SESSION-TOKEN', {
        isLast: true,
      }),
    ]);
  });
});

describe('requests of one connection', () => {
  it('are answered in their order, each when the one before has been: a fast one waits for a slow one', async () => {
    const { http, calls } = await opened();
    http.write(`${get('/api/rooms')}${health}${get('/api/users')}${health}`);
    const first = await pending(calls, 0);
    await many();
    expect([calls.seen, http.answers]).toEqual([['room.list'], []]);
    first.answer({ n: 1 });
    (await pending(calls, 1)).answer({ n: 2 });
    const answers = [await http.next(), await http.next(), await http.next(), await http.next()];
    expect(answers).toEqual([good(200, { n: 1 }), healthy, good(200, { n: 2 }), healthy]);
  });

  it('each have their own answer: none gets that of another connection', async () => {
    const { port, calls } = await opened();
    const clients = await Promise.all(Array.from({ length: 10 }, () => httpClient(port)));
    for (const [index, http] of clients.entries()) http.write(get(`/api/users?after=u${index}`));
    await until(() => calls.pending.length === 10);
    for (const { params, answer } of calls.pending.reverse()) answer(params);
    for (const [index, http] of clients.entries()) {
      expect(await http.next()).toEqual(good(200, { after: `u${index}` }));
    }
  });

  it('are refused beyond a number, and taken again below it', async () => {
    const { http, calls } = await opened({ maxPipelined: 3 });
    http.write(`${get('/api/rooms')}${health}${health}${health}${health}`);
    (await pending(calls, 0)).answer({});
    const tooMany = refusedWith(problems.rateLimited, 'too many requests of this connection are under way', {
      headers: { 'retry-after': '1' },
      retry_after_ms: 1_000,
    });
    const answers = [];
    for (let n = 0; n < 5; n++) answers.push(await http.next());
    expect(answers).toEqual([good(200, {}), healthy, healthy, tooMany, tooMany]);
    http.write(health);
    expect(await http.next()).toEqual(healthy);
  });

  it('are refused when their bodies would be too much to keep', async () => {
    const { http, calls } = await opened({ maxQueuedBytes: 12_000 });
    const body = { room: 'a', x: 'y'.repeat(600) };
    const posts = Array.from({ length: 4 }, () => request('POST', '/api/rooms', { token: 'x', body }));
    http.write(`${get('/api/rooms')}${posts.join('')}${health}`);
    (await pending(calls, 0)).answer({});
    const statuses = [];
    for (let n = 0; n < 6; n++) statuses.push((await http.next()).status);
    // Two wait; with them there is too much, and what comes after is refused until one of them has gone.
    expect(statuses).toEqual([200, 400, 400, 429, 429, 429]);
  });

  it('come a byte at a time, in clear and in TLS', async () => {
    const open = await opened();
    const bytes = request('POST', '/api/rooms', { token: 'x', body: { room: 'é' } }) + health;
    for (const way of ['clear', 'tls'] as const) {
      const http = await httpClient(open.port, way);
      const index = open.calls.pending.length;
      for (const byte of Buffer.from(bytes)) {
        http.write(Uint8Array.of(byte));
        await turn();
      }
      const call = await pending(open.calls, index);
      call.answer(call.params);
      const [first, second] = [await http.next(), await http.next()];
      expect([first.status, first.body, second.status]).toEqual([201, { room: 'é' }, 200]);
    }
  });

  it('come in chunks', async () => {
    const { http, calls } = await opened();
    http.write(
      'POST /api/rooms HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nContent-Type: application/json\r\n' +
        'Transfer-Encoding: chunked\r\n\r\n5\r\n{"roo\r\n7;ext=1\r\nm":"a"}\r\n0\r\nTrailer: x\r\n\r\n',
    );
    const call = await pending(calls, 0);
    call.answer(call.params);
    expect(await http.next()).toEqual(good(201, { room: 'a' }));
  });

  it('of which one says close are answered up to that one', async () => {
    const close = request('GET', '/healthz', { headers: { Connection: 'close' } });
    expect(await answersTo(`${health}${close}${health}`)).toEqual([healthy, last(healthy)]);
  });

  it('are all answered after the client has ended its side, in clear and in TLS', async () => {
    const { port, calls } = await opened();
    for (const way of ['clear', 'tls'] as const) {
      const client =
        way === 'clear'
          ? await connectClear(port, { allowHalfOpen: true })
          : await connectSecure(port, { allowHalfOpen: true } as object);
      const http = new HttpClient(client);
      const index = calls.pending.length;
      client.socket.end(`${get('/api/rooms')}${health}`);
      const call = await pending(calls, index);
      await many();
      call.answer({ n: 1 });
      const answers = await http.toTheEnd();
      expect(answers.map(({ status, body }) => [status, body])).toEqual([
        [200, { n: 1 }],
        [200, { status: 'ok' }],
      ]);
    }
  });

  it('of which the last is half, whose client ends its side, are answered and closed', async () => {
    const { http } = await opened();
    (http.client.socket as import('node:net').Socket).end(`${health}GET /healthz HTTP/1.1\r\nHo`);
    expect(await http.toTheEnd()).toEqual([
      healthy,
      refusedLast(invalid, 'not a request of HTTP/1.1 (HPE_INVALID_EOF_STATE)'),
    ]);
  });

  it('are forgotten when their client goes amid a body', async () => {
    const { http, calls, listener, failures, port } = await opened();
    http.write(post('Content-Length: 100\r\n', '{"user'));
    await many();
    http.client.socket.destroy();
    const other = await httpClient(port);
    other.write(get('/api/rooms'));
    const call = await pending(calls, 0);
    other.client.socket.resetAndDestroy();
    await until(() => listener.connections === 0);
    expect(call.peer.isGone).toBe(true);
    call.answer({});
    await many();
    expect([failures, calls.seen]).toEqual([[], ['room.list']]);
  });
});

describe('requests that wait behind another', () => {
  it('are never served once their client has gone', async () => {
    const { http, calls, listener } = await opened();
    http.write(get('/api/rooms') + get('/api/users') + health);
    const call = await pending(calls, 0);
    await many();
    // One that only ends its side still wants its answers.
    http.client.socket.resetAndDestroy();
    await until(() => listener.connections === 0);
    expect(call.peer.isGone).toBe(true);
    call.answer({});
    await many();
    expect(calls.seen).toEqual(['room.list']);
  });
});

describe('an answer before the whole request was sent', () => {
  it('reaches a client that sends ten megabytes more', async () => {
    const { http } = await opened();
    const bytes = 10_000_000;
    http.write(post(`Content-Length: ${bytes}\r\n`));
    const piece = 'x'.repeat(100_000);
    for (let sent = 0; sent < bytes && !http.client.isClosed; sent += piece.length) {
      http.write(piece);
      await turn();
    }
    await until(() => http.answers.length === 1);
    expect(http.answers).toEqual([refusedWith(problems.tooLarge, 'the body is too long', { isLast: true })]);
    expect(http.client.error).toBeUndefined();
  });

  it('of which nothing says how long it is, is too long at the same number of bytes', async () => {
    const { http } = await opened({ maxLineBytes: 100 });
    http.write(post('Transfer-Encoding: chunked\r\n', `64\r\n${'x'.repeat(100)}\r\n`));
    await many();
    expect(http.answers).toEqual([]);
    http.write('1\r\nx\r\n');
    expect(await http.toTheEnd()).toEqual([
      refusedWith(problems.tooLarge, 'the body is too long', { isLast: true }),
    ]);
  });
});

describe('a body in crumbs', () => {
  /** A body of whole JSON, each byte a chunk. */
  const crumbs = (pieces: number): string =>
    `${`{${' '.repeat(pieces - 2)}}`.replace(/[{ }]/g, '1\r\n$&\r\n')}0\r\n\r\n`;
  const chunked = 'Transfer-Encoding: chunked\r\n';

  it('is read up to 2,100 of them', async () => {
    const { http, calls } = await opened();
    http.write(post(chunked, crumbs(maxPieces)) + health);
    (await pending(calls, 0)).answer({});
    expect([(await http.next()).status, (await http.next()).status]).toEqual([200, 200]);
  });

  it('is refused when it has one more, and what comes after it is not read', async () => {
    expect(await answersTo(post(chunked, crumbs(maxPieces + 1)) + health)).toEqual([
      refusedWith(problems.tooLarge, 'the body comes in too many pieces: send it in larger ones', {
        isLast: true,
      }),
    ]);
  });
});

describe('a request after an answer that closes', () => {
  it('is not served, for it could not be answered', async () => {
    const { http, calls } = await opened({ maxLineBytes: 10 });
    http.write(
      post('Content-Length: 20\r\n', '{"username":"alice"}') + get('/api/rooms') + get('/api/users'),
    );
    expect(await http.toTheEnd()).toEqual([
      refusedWith(problems.tooLarge, 'the body is too long', { isLast: true }),
    ]);
    await many();
    expect(calls.seen).toEqual([]);
  });
});

describe('a connection that takes too long', () => {
  const late = refusedLast(problems.slow, 'the request was not finished in time');

  it('over its headers is told so', async () => {
    const { http } = await opened({ startedLineMs: 50 });
    http.write(`${health}GET /healthz HTTP/1.1\r\nHost: x\r\n`);
    expect(await http.toTheEnd()).toEqual([healthy, late]);
  });

  it('over its headers is told so, a byte now and then or not', async () => {
    const { http } = await opened({ startedLineMs: 50 });
    http.write('GET /healthz HTTP/1.1\r\n');
    const drip = setInterval(() => http.write('a'), 5);
    expect(await http.toTheEnd()).toEqual([late]);
    clearInterval(drip);
  });

  it('over its body is told so', async () => {
    const { http, calls } = await opened({ startedLineMs: 50, startedLineAfterLoginMs: 100 });
    http.write(`${health}${post('Content-Length: 20\r\n', '{"username"')}`);
    expect(await http.toTheEnd()).toEqual([healthy, late]);
    expect(calls.seen).toEqual([]);
  });

  it('may have more time for its headers than for a request: the shorter one counts', async () => {
    const { http } = await opened({ startedLineMs: 200, startedLineAfterLoginMs: 100 });
    http.write(health);
    expect(await http.next()).toEqual(healthy);
  });

  it('over its next request is closed without a word', async () => {
    const { http } = await opened({ idleBeforeLoginMs: 20 });
    http.write(health);
    const [answer, ...more] = await http.toTheEnd();
    expect([answer?.status, more]).toEqual([200, []]);
  });
});

describe('a drain', () => {
  it('lets requests under way be answered, the last of them saying so, and closes the idle at once', async () => {
    const { http, calls, port, listener } = await opened();
    const idle = await httpClient(port);
    idle.write(health);
    await idle.next();
    http.write(`${get('/api/rooms')}${health}`);
    const call = await pending(calls, 0);
    const drained = listener.drain('shutting-down', 5_000);
    await many();
    http.write(health);
    await many();
    expect(http.client.hasEnded).toBe(false);
    call.answer({});
    expect(await http.toTheEnd()).toEqual([good(200, {}), last(healthy)]);
    expect(await idle.toTheEnd()).toHaveLength(1);
    http.client.socket.end();
    idle.client.socket.end();
    await drained;
    expect(listener.connections).toBe(0);
  });
});

describe('a client that never reads', () => {
  it('gets no further than its answers are taken', async () => {
    const { port, calls } = await opened();
    const client = await connectClear(port);
    client.socket.pause();
    const page = { messages: 'x'.repeat(1_000_000) };
    let answered = 0;
    client.write(Array.from({ length: 500 }, () => get('/api/users')).join(''));
    for (let quiet = 0; quiet < 200; quiet++) {
      const call = calls.pending[answered];
      if (call) {
        quiet = 0;
        answered += 1;
        call.answer(page);
      }
      await turn();
    }
    // What the systems of both ends take is some megabytes; all of it would be half a gigabyte.
    expect(answered).toBeLessThan(30);
    expect(calls.pending.length).toBe(answered);
    client.socket.resume();
    while (answered < 60) {
      await until(() => calls.pending.length > answered);
      calls.pending[answered]?.answer(page);
      answered += 1;
    }
  });

  it('and never stops asking is not read any more', async () => {
    const { port, calls } = await opened({ maxPipelined: 10 });
    const client = await connectClear(port);
    client.socket.pause();
    client.write(get('/api/users'));
    await pending(calls, 0);
    const flood = Buffer.from(health.repeat(1_000));
    let isStuck = false;
    for (let n = 0; n < 2_000 && !isStuck; n++) {
      client.write(flood);
      const before = client.socket.bytesWritten - client.socket.writableLength;
      await many();
      isStuck =
        client.socket.writableLength > 0 &&
        client.socket.bytesWritten - client.socket.writableLength === before;
    }
    expect(isStuck).toBe(true);
  });
});

describe('a client that takes nothing of its answers', () => {
  it('is let go after as long as a request may take', async () => {
    const { port, calls, listener } = await opened({ startedLineAfterLoginMs: 300 });
    const client = await connectClear(port);
    client.socket.pause();
    client.write(get('/api/users'));
    (await pending(calls, 0)).answer({ messages: 'x'.repeat(20_000_000) });
    await until(() => listener.connections === 1);
  });

  it('and whose requests are all headers is not read any more', async () => {
    const { port, calls } = await opened();
    const client = await connectClear(port);
    client.socket.pause();
    client.write(get('/api/users'));
    await pending(calls, 0);
    const large = Buffer.from(`GET /healthz HTTP/1.1\r\nHost: a\r\n${'a:\r\n'.repeat(3_900)}\r\n`);
    for (let n = 0; n < 900; n++) client.write(large);
    let taken = -1;
    for (let now = 0; now !== taken; ) {
      taken = now;
      await many();
      now = client.socket.bytesWritten - client.socket.writableLength;
    }
    // What the systems of both ends take is some megabytes of the 14.
    expect(client.socket.writableLength).toBeGreaterThan(4_000_000);
  });
});

describe('requests that wait on many connections', () => {
  it('end the connections that bring too much in all; others are served', async () => {
    const { port, listener } = await opened();
    const clients: Awaited<ReturnType<typeof connectClear>>[] = [];
    for (let n = 0; n < 40; n++) {
      const client = await connectClear(port);
      client.write(get('/api/users') + health.repeat(300));
      clients.push(client);
      await many();
    }
    const ended = () => clients.filter((client) => client.isClosed).length;
    await until(() => listener.connections < 35 && ended() === 41 - listener.connections);
    // 64 MiB for some 2.5 MB each, and the first connection of this test.
    expect(listener.connections).toBeGreaterThan(20);
    const other = await httpClient(port);
    other.write(health);
    expect(await other.next()).toEqual(healthy);
    // A hundred megabytes through one thread: a slow machine takes its time.
  }, 180_000);
});

/** Enough turns for bytes on loopback to arrive and be handled. */
async function many(): Promise<void> {
  for (let i = 0; i < 50; i++) await turn();
}
