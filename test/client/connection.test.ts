import { type AddressInfo, createServer, Socket } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { formatServerAddress } from '../../src/client/address.ts';
import { connect, type WireEvent } from '../../src/client/connection.ts';
import { errorCodes } from '../../src/core/errors.ts';
import { connected, connectTo, refusal, stopTime, trusting, turns, whole } from './support/connected.ts';
import { startLineServer } from './support/line-server.ts';

const message = (seq: number) => ({
  to: '#lobby',
  seq,
  id: `m${seq}`,
  sender: 'bob',
  sent_at: '2026-01-02T03:04:05.678Z',
  text: `text ${seq}`,
});
const messageLine = (seq: number): string =>
  `${JSON.stringify({ jsonrpc: '2.0', method: 'message', params: message(seq) })}\n`;

describe('connecting', () => {
  it('to a port where nobody listens is unavailable, and says so', async () => {
    const server = await startLineServer();
    await server.close();
    const error = await refusal(connectTo(server));
    expect(whole(error)).toEqual({
      code: 'unavailable',
      text: `${formatServerAddress(server.address)}: cannot connect: connection refused`,
    });
  });

  it('to a host that does not exist is unavailable', async () => {
    const error = await refusal(
      connect({
        server: { scheme: 'chat', host: 'no-such-host.invalid', port: 1 },
        timeoutMs: 5_000,
        checkIdentity: trusting,
      }),
    );
    expect(error.code).toBe('unavailable');
    expect(error.message).toMatch(/^chat:\/\/no-such-host\.invalid:1: cannot connect: .*host/);
  });

  it('gives up when the time has run out, not a millisecond before', async () => {
    stopTime();
    // Accepts, and never answers the TLS handshake.
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const accepted = new Promise<Socket>((resolve) => silent.once('connection', resolve));
    onTestFinished(() => void silent.close());
    const { port } = silent.address() as AddressInfo;
    let outcome: unknown = 'waiting';
    const connecting = connect({
      server: { scheme: 'chat', host: '127.0.0.1', port },
      timeoutMs: 3_000,
      checkIdentity: trusting,
    }).catch((error: unknown) => {
      outcome = error;
    });
    const socket = await accepted;
    onTestFinished(() => void socket.destroy());
    vi.advanceTimersByTime(2_999);
    await turns();
    expect(outcome).toBe('waiting');
    vi.advanceTimersByTime(1);
    await connecting;
    expect(outcome).toMatchObject({
      code: 'unavailable',
      message: `chat://127.0.0.1:${port}: no connection within 3000 ms`,
    });
  });

  it('stops when it is told to, before and while it tries', async () => {
    const server = await startLineServer();
    const stop = new AbortController();
    const connecting = refusal(connectTo(server, { signal: stop.signal }));
    stop.abort();
    const text = `${formatServerAddress(server.address)}: connecting was stopped`;
    expect(whole(await connecting)).toEqual({ code: 'unavailable', text });
    expect(whole(await refusal(connectTo(server, { signal: stop.signal })))).toEqual({
      code: 'unavailable',
      text,
    });
  });

  it('has no identity and no binding over clear text', async () => {
    const { connection } = await connected();
    expect([connection.identity, connection.channelBinding]).toEqual([undefined, undefined]);
  });
});

const noRooms = { rooms: [], next: null };

describe('a call', () => {
  it('gets the answer of its own id, whatever the order of the answers', async () => {
    const { connection, peer } = await connected();
    const calls = [1, 2, 3].map((n) => connection.call('room.join', { room: `r${n}` }));
    const requests = [await peer.next(), await peer.next(), await peer.next()];
    for (const request of requests.toReversed())
      peer.result(request, { room: request.params.room, joined: true });
    expect(await Promise.all(calls)).toEqual([1, 2, 3].map((n) => ({ room: `r${n}`, joined: true })));
  });

  it('leaves with all other calls of its turn in one write, in order', async () => {
    const { connection, peer } = await connected();
    const write = vi.spyOn(Socket.prototype, 'write');
    onTestFinished(() => write.mockRestore());
    const calls = ['a', 'b'].map((room) => connection.call('room.join', { room }));
    await Promise.resolve();
    calls.push(connection.call('room.join', { room: 'c' }));
    const requests = [await peer.next(), await peer.next(), await peer.next()];
    expect(requests.map(({ params }) => params.room)).toEqual(['a', 'b', 'c']);
    expect(write.mock.calls.filter(([bytes]) => String(bytes).includes('room.join'))).toHaveLength(1);
    for (const request of requests) peer.result(request, { room: 'a', joined: true });
    await Promise.all(calls);
  });

  it.each(errorCodes)('that the server refuses as %s throws that code, text and details', async (code) => {
    const { connection, peer } = await connected();
    const refused = refusal(connection.call('room.create', { room: 'x' }));
    const request = await peer.next();
    peer.failure(request, { code, message: 'not so', field: 'room', retry_after_ms: 5, error_id: 'e-1' });
    expect(whole(await refused)).toEqual({
      code,
      text: 'not so',
      field: 'room',
      retryAfterMs: 5,
      errorId: 'e-1',
    });
  });

  it('above the longest line is refused here, and the connection goes on', async () => {
    const { connection, peer } = await connected();
    const error = await refusal(connection.call('message.send', { to: '#a', text: 'é'.repeat(66_000) }));
    expect(error.code).toBe('too-large');
    const call = connection.call('message.send', { to: '#a', text: 'a'.repeat(100_000) });
    peer.result(await peer.next(), { fine: true });
    expect(await call).toEqual({ fine: true });
  });

  it('whose answer has not what the operation answers is unavailable, and the connection is closed', async () => {
    const { connection, peer } = await connected();
    const refused = refusal(connection.call('room.list', {}));
    peer.result(await peer.next(), { rooms: [{ room: 'a' }], next: null });
    expect(await refused).toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(
        /^plain:\/\/127\.0\.0\.1:\d+: the server answered with a wrong members$/,
      ),
    });
    await peer.closed;
  });

  it('times out to the millisecond, and its late answer is ignored', async () => {
    stopTime();
    const { connection, peer } = await connected();
    const late = refusal(connection.call('room.list', {}, { timeoutMs: 1_000 }));
    const other = connection.call('room.members', { room: 'a' });
    const [first, second] = [await peer.next(), await peer.next()];
    let isOver = false;
    void late.then(() => {
      isOver = true;
    });
    vi.advanceTimersByTime(999);
    await turns();
    expect(isOver).toBe(false);
    vi.advanceTimersByTime(1);
    expect(whole(await late)).toEqual({ code: 'timeout', text: 'room.list: no answer within 1000 ms' });
    peer.result(first, { late: true });
    peer.result(second, { members: [], next: null });
    expect(await other).toEqual({ members: [], next: null });
  });

  it('waits 30 s when nothing else is said, and for ever when told so', async () => {
    stopTime();
    const { connection, peer } = await connected();
    const usual = refusal(connection.call('room.list', {}));
    const patient = connection.call('room.list', {}, { timeoutMs: Number.POSITIVE_INFINITY });
    const [, second] = [await peer.next(), await peer.next()];
    vi.advanceTimersByTime(30_000);
    expect((await usual).code).toBe('timeout');
    peer.result(second, noRooms);
    expect(await patient).toEqual(noRooms);
  });

  it('does not run out of time while the connection is not read', async () => {
    stopTime();
    const { connection, peer } = await connected();
    const call = connection.call('room.list', {}, { timeoutMs: 1_000 });
    peer.result(await peer.next(), noRooms);
    connection.pause();
    vi.advanceTimersByTime(1_000_000);
    connection.resume();
    expect(await call).toEqual(noRooms);
  });
});

describe('a connection that ends', () => {
  it('by a reset rejects what waits, tells why, and takes no more calls', async () => {
    const { server, connection, peer } = await connected();
    const waiting = refusal(connection.call('room.list', {}));
    await peer.next();
    peer.socket.resetAndDestroy();
    const expected = {
      code: 'unavailable',
      text: `${formatServerAddress(server.address)}: the connection broke: the connection was reset`,
    };
    expect(whole(await waiting)).toEqual(expected);
    expect(whole(await connection.closed)).toEqual(expected);
    expect(whole(await refusal(connection.call('room.list', {})))).toEqual(expected);
  });

  it('by the server closing it says that', async () => {
    const { server, connection, peer } = await connected();
    peer.socket.end();
    expect(whole(await connection.closed)).toEqual({
      code: 'unavailable',
      text: `${formatServerAddress(server.address)}: the server closed the connection`,
    });
  });

  it('in the middle of a line shows the half that came', async () => {
    const { server, connection, peer } = await connected();
    const waiting = refusal(connection.call('room.list', {}));
    await peer.next();
    peer.socket.end('{"jsonrpc":"2.0","id":1,"resu');
    expect(whole(await waiting)).toEqual({
      code: 'unavailable',
      text: `${formatServerAddress(server.address)}: the server closed the connection in the middle of a line: {"jsonrpc":"2.0","id":1,"resu`,
    });
  });

  it('delivers the answers that came before the end', async () => {
    const { connection, peer } = await connected();
    const call = connection.call('session.end', {});
    const request = await peer.next();
    peer.result(request, {});
    peer.event('session-ended', { reason: 'logged-out' });
    peer.socket.end();
    expect(await call).toEqual({});
    expect((await connection.closed).code).toBe('unauthenticated');
  });

  it.each([
    ['logged-out', 'it was logged out'],
    ['revoked', 'it was revoked'],
    ['expired', 'it has expired'],
    ['replaced', 'another login took its place'],
    ['refresh-reused', 'one of its refresh tokens was used twice'],
    ['credentials-changed', 'the password or second factor of its account was changed'],
    ['disabled', 'its account is disabled'],
    ['something-new', 'something-new'],
    ['constructor', 'constructor'],
  ])(
    'with its session (%s) is unauthenticated and says why, after the listeners were told',
    async (reason, why) => {
      const { server, connection, peer } = await connected();
      const events: WireEvent[] = [];
      connection.onEvent((event) => events.push(event));
      const waiting = refusal(connection.call('room.list', {}));
      await peer.next();
      peer.event('session-ended', { reason });
      const text = `${formatServerAddress(server.address)}: the session has ended: ${why}`;
      expect(whole(await waiting)).toEqual({ code: 'unauthenticated', text });
      expect(events).toEqual([{ type: 'session-ended', reason }]);
      await peer.closed;
    },
  );

  it.each(['shutting-down', 'unavailable'])(
    'because the server cannot go on (%s) is unavailable',
    async (reason) => {
      const { connection, peer } = await connected();
      peer.event('session-ended', { reason });
      expect((await connection.closed).code).toBe('unavailable');
    },
  );

  it('with an error about no call in particular is unavailable with the text of the server', async () => {
    const { server, connection, peer } = await connected();
    peer.failure(null, { code: 'rate-limited', message: 'too many connections', retry_after_ms: 9 });
    expect(whole(await connection.closed)).toEqual({
      code: 'unavailable',
      text: `${formatServerAddress(server.address)}: too many connections`,
      retryAfterMs: 9,
    });
  });

  it('on this side writes what was called before, and rejects what waits', async () => {
    const { server, connection, peer } = await connected();
    const waiting = refusal(connection.call('room.leave', { room: 'x' }));
    await connection.close();
    await peer.closed;
    expect(peer.received).toContain('"method":"room.leave"');
    const text = `${formatServerAddress(server.address)}: the connection was closed on this side`;
    expect(whole(await waiting)).toEqual({ code: 'unavailable', text });
    expect(whole(await connection.closed)).toEqual({ code: 'unavailable', text });
    await connection.close();
  });
});

describe('what is no chat server', () => {
  const refused: ReadonlyArray<[string, string | Uint8Array, string]> = [
    [
      'an HTTP server',
      'HTTP/1.1 400 Bad Request\r\n\r\n',
      'bytes that are no JSON: HTTP/1.1 400 Bad Request\\x0d\\x0a\\x0d\\x0a',
    ],
    [
      'a mail server',
      '220 mail.example ESMTP\r\n',
      'bytes that are no JSON: 220 mail.example ESMTP\\x0d\\x0a',
    ],
    [
      'a TLS alert',
      Uint8Array.of(0x15, 3, 3, 0, 2, 2, 40),
      'bytes that are no JSON: \\x15\\x03\\x03\\x00\\x02\\x02(',
    ],
    ['an empty line', '\n', 'bytes that are no JSON: \\x0a'],
    ['bad JSON', '{"jsonrpc"\n', 'a line that is no JSON: {"jsonrpc"'],
    ['other JSON', '{"hello":"\\u001b[2J"}\n', 'a line that is no JSON-RPC 2.0: {"hello":"\\u001b[2J"}'],
    ['no UTF-8', Uint8Array.of(0x7b, 0xff, 0x0a), 'bytes that are no UTF-8: {\ufffd'],
    [
      'an answer to a call that was never made',
      '{"jsonrpc":"2.0","id":9,"result":{}}\n',
      'an answer to no call of ours: {"jsonrpc":"2.0","id":9,"result":{}}',
    ],
    [
      'an error for a call that was never made',
      '{"jsonrpc":"2.0","id":9,"error":{}}\n',
      'an answer to no call of ours: {"jsonrpc":"2.0","id":9,"error":{}}',
    ],
    ['a long text', `${'x'.repeat(500)}\n`, `bytes that are no JSON: ${'x'.repeat(120)}…`],
  ];
  it.each(refused)(
    '(%s) is unavailable, and what it sent is shown escaped and cut',
    async (_, bytes, text) => {
      const { server, connection, peer } = await connected();
      const waiting = refusal(connection.call('room.list', {}));
      await peer.next();
      peer.raw(bytes);
      expect(whole(await waiting)).toEqual({
        code: 'unavailable',
        text: `${formatServerAddress(server.address)}: that is not a chat server: it sent ${text}`,
      });
      await peer.closed;
    },
  );

  it('(a line that never ends) is unavailable at 144 KiB when nothing was asked', async () => {
    const { connection, peer } = await connected();
    peer.raw(`{${'x'.repeat(200_000)}`);
    expect((await connection.closed).message).toContain('it sent a line of more than 147456 bytes: {xxx');
  });

  it('(a message without a sender) is unavailable, and nobody hears of it', async () => {
    const { connection, peer } = await connected();
    const events: WireEvent[] = [];
    connection.onEvent((event) => events.push(event));
    const { sender, ...rest } = message(1);
    expect(sender).toBe('bob');
    peer.event('message', rest);
    expect((await connection.closed).message).toContain('it sent a wrong sender: {"jsonrpc"');
    expect(events).toEqual([]);
  });
});

describe('events', () => {
  it('come in order, between answers, and only to those who listen', async () => {
    const { connection, peer } = await connected();
    const heard: unknown[] = [];
    peer.raw(messageLine(1));
    const early = connection.call('ping', {});
    peer.result(await peer.next(), {});
    await early;
    const stop = connection.onEvent((event) => heard.push(event));
    const calls = ['a', 'b'].map((room) =>
      connection.call('room.join', { room }).then(() => heard.push(`joined ${room}`)),
    );
    const [first, second] = [await peer.next(), await peer.next()];
    peer.raw(messageLine(2));
    peer.result(second, { room: 'b', joined: true });
    peer.raw(messageLine(3));
    peer.result(first, { room: 'a', joined: true });
    await Promise.all(calls);
    stop();
    peer.raw(messageLine(4));
    const last = connection.call('ping', {});
    peer.result(await peer.next(), {});
    await last;
    expect(heard.filter((one) => typeof one === 'object')).toEqual([
      { type: 'message', ...message(2) },
      { type: 'message', ...message(3) },
    ]);
    expect(heard.filter((one) => typeof one === 'string')).toEqual(['joined b', 'joined a']);
  });

  it('come whole when their bytes come one by one, also in the middle of a character', async () => {
    const { connection, peer } = await connected();
    const heard = new Promise((resolve) => connection.onEvent(resolve));
    const params = { ...message(1), text: 'grüße 🦜' };
    for (const byte of Buffer.from(`${JSON.stringify({ jsonrpc: '2.0', method: 'message', params })}\n`)) {
      peer.raw(Uint8Array.of(byte));
      await turns(1);
    }
    expect(await heard).toEqual({ type: 'message', ...params });
  });

  it('stop at once when paused, even in the middle of a chunk, and go on where they stopped', async () => {
    const { connection, peer } = await connected();
    const seqs: number[] = [];
    const { promise: heardAll, resolve } = Promise.withResolvers<void>();
    connection.onEvent((event) => {
      if (event.type !== 'message') return;
      seqs.push(event.seq);
      if (event.seq === 2 || event.seq === 4) connection.pause();
      if (event.seq === 6) resolve();
    });
    peer.raw([1, 2, 3, 4, 5].map(messageLine).join(''));
    await vi.waitFor(() => expect(seqs).toEqual([1, 2]), { timeout: 60_000 });
    peer.raw(messageLine(6));
    await turns();
    expect(seqs).toEqual([1, 2]);
    connection.resume();
    expect(seqs).toEqual([1, 2, 3, 4]);
    connection.resume();
    await heardAll;
    expect(seqs).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('wait in the server when nobody reads: the socket fills up', async () => {
    const { connection, peer } = await connected();
    let heard = 0;
    connection.onEvent(() => {
      heard += 1;
      if (heard === 1) connection.pause();
    });
    const text = Array.from({ length: 1_000 }, (_, index) => messageLine(index + 1)).join('');
    // More than the buffers of both sockets hold: the server is not rid of it until it is read.
    const rounds = 400;
    for (let round = 0; round < rounds; round++) peer.raw(text);
    await vi.waitFor(() => expect(heard).toBe(1), { timeout: 60_000 });
    await turns(50);
    expect(heard).toBe(1);
    expect(peer.socket.writableLength).toBeGreaterThan(0);
    const { promise: drained, resolve } = Promise.withResolvers<void>();
    connection.onEvent(() => {
      if (heard === rounds * 1_000) resolve();
    });
    connection.resume();
    await drained;
  });
});

describe('a sign of life', () => {
  const ping = { id: 'ping-1', method: 'ping', params: {} };

  it('is given when the server asks, and any other request is refused', async () => {
    const { peer } = await connected();
    peer.send(ping);
    peer.send({ id: 7, method: 'format.disk' });
    expect(await peer.nextAnswer()).toEqual({ jsonrpc: '2.0', id: 'ping-1', result: {} });
    expect(await peer.nextAnswer()).toMatchObject({
      id: 7,
      error: { code: -32_601, data: { code: 'unsupported' } },
    });
  });

  it('is asked for after 30 idle seconds; two that do not come end the connection', async () => {
    stopTime();
    const { server, connection, peer } = await connected();
    // The first period began with the connection itself.
    vi.advanceTimersByTime(59_999);
    await turns();
    expect(peer.received).toBe('');
    vi.advanceTimersByTime(1);
    expect((await peer.next()).method).toBe('ping');
    vi.advanceTimersByTime(30_000);
    expect((await peer.next()).method).toBe('ping');
    vi.advanceTimersByTime(29_999);
    await turns();
    const call = refusal(connection.call('room.list', {}));
    vi.advanceTimersByTime(1);
    const expected = {
      code: 'unavailable',
      text: `${formatServerAddress(server.address)}: the server does not answer any more`,
    };
    expect(whole(await call)).toEqual(expected);
    expect(whole(await connection.closed)).toEqual(expected);
  });

  it('is anything that comes: a connection that is used or answers lives on', async () => {
    stopTime();
    const { connection, peer } = await connected();
    vi.advanceTimersByTime(60_000);
    peer.result(await peer.next(), {});
    await turns();
    vi.advanceTimersByTime(30_000);
    await turns();
    expect(peer.unread).toBe(0);
    vi.advanceTimersByTime(30_000);
    await peer.next();
    const heard = new Promise((resolve) => connection.onEvent(resolve));
    peer.raw(messageLine(1));
    await heard;
    vi.advanceTimersByTime(30_000);
    await turns();
    const call = connection.call('room.list', {});
    const request = await peer.next();
    expect(request.method).toBe('room.list');
    peer.result(request, noRooms);
    await call;
  });

  it('is not asked for while the connection is not read, and no silence counts', async () => {
    stopTime();
    const { connection, peer } = await connected();
    connection.pause();
    vi.advanceTimersByTime(600_000);
    connection.resume();
    const call = connection.call('room.list', {});
    const request = await peer.next();
    expect(request.method).toBe('room.list');
    peer.result(request, noRooms);
    await call;
  });
});
