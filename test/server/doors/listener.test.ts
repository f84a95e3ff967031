import { connect } from 'node:net';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { ChatError } from '../../../src/core/errors.ts';
import type { Calls } from '../../../src/server/doors/door.ts';
import { connectClear, connectSecure, TestClient } from '../support/client.ts';
import { listening } from '../support/listening.ts';
import { turn, until } from '../support/until.ts';

afterEach(() => void vi.useRealTimers());

const echo = '{"jsonrpc":"2.0","id":1,"method":"echo","params":{}}\n';
const echoed = '{"jsonrpc":"2.0","id":1,"result":{}}\n';

/** What a server says to these bytes before it closes. */
async function lastWords(port: number, bytes: string): Promise<string> {
  const client = await connectClear(port);
  client.write(Buffer.from(bytes, 'latin1'));
  await client.ended();
  client.socket.destroy();
  // The one thing that is not the same each time.
  return client.text.replace(/^Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT/m, 'Date: now');
}

async function lastWordsOverTls(port: number, bytes: string): Promise<Buffer> {
  const client = await connectSecure(port);
  client.write(Buffer.from(bytes, 'latin1'));
  await client.ended();
  client.socket.destroy();
  return client.received;
}

/** A refusal in the language of HTTP, byte for byte. */
function http(status: number, title: string, detail: string, code: string, retryAfterS?: number): string {
  const again = retryAfterS === undefined ? {} : { retry_after_ms: retryAfterS * 1_000 };
  const body = JSON.stringify({ type: 'about:blank', title, status, detail, code, ...again });
  return [
    `HTTP/1.1 ${status} ${title}`,
    'Content-Type: application/problem+json',
    ...(retryAfterS === undefined ? [] : [`Retry-After: ${retryAfterS}`]),
    `Content-Length: ${body.length}`,
    'Date: now',
    'Cache-Control: no-store',
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    'Cross-Origin-Opener-Policy: same-origin',
    'Cross-Origin-Resource-Policy: same-origin',
    'Referrer-Policy: no-referrer',
    'X-Content-Type-Options: nosniff',
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}

const notServed: ReadonlyArray<readonly [string, string, string]> = [
  ['garbage', '\x80\x00\xff\x01\n', 'error: the line is not UTF-8\n'],
  ['an overlong first line', 'x'.repeat(131_073), 'error: the line is too long\n'],
  [
    'a batch',
    '[{"jsonrpc":"2.0","id":1,"method":"echo"}]\n',
    '{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"batches are not served: send one request per line","data":{"code":"invalid"}}}\n',
  ],
];

/** First lines that open a door, and what that door says to them when nobody is logged in. */
const served: ReadonlyArray<readonly [string, string, string]> = [
  ['JSON-RPC', '{"jsonrpc":"2.0","id":1,"method":"ping"}\n', '{"jsonrpc":"2.0","id":1,"result":'],
  ['a pipe verb with fields', 'SEND|#lobby|hi\n', 'SEND|FAILURE|unauthenticated\n'],
  ['a bare pipe verb', 'PING\n', 'PONG\n'],
  ['a bar after an unknown verb', 'hello|you\n', 'ERROR|unsupported|there is no such verb\n'],
  ['a slash command', '/users\n', 'error: not logged in\n'],
  ['an unknown slash command', '/nope\n', 'error: unknown command\n'],
  ['a private slash message', '@sam hi\n', 'error: not logged in\n'],
  ['public text', 'hello\n', 'error: not logged in\n'],
  ['a verb in small letters', 'ping\n', 'error: not logged in\n'],
];
const nobody: Calls = {
  call: () => Promise.reject(new ChatError('unauthenticated', 'log in first')),
  overlaps: () => false,
  identify: () => Promise.reject(new ChatError('unauthenticated', 'log in first')),
  ready: () => Promise.resolve(),
  told: () => Promise.resolve(),
};

describe('one port', () => {
  it('lets whoever comes early wait until it may serve', async () => {
    const early: TestClient[] = [];
    const { listener } = await listening({
      beforeServing: async (port) => {
        const client = await connectClear(port);
        early.push(client);
        client.write(echo);
        for (let i = 0; i < 20; i += 1) await turn();
        expect(client.text).toBe('');
      },
    });
    await early[0]?.lineCount(1);
    expect([early[0]?.text, listener.connections]).toEqual([echoed, 1]);
  });

  it('is let go of, with whoever waits, when what comes before serving fails', async () => {
    let at = 0;
    const early: TestClient[] = [];
    const failing = listening({
      beforeServing: async (port) => {
        at = port;
        early.push(await connectClear(port));
        throw new ChatError('unavailable', 'not now');
      },
    });
    await expect(failing).rejects.toThrowError('not now');
    await early[0]?.ended();
    const { port } = await listening({ port: at });
    expect(port).toBe(at);
  });

  it('serves the line door in clear text and over TLS', async () => {
    const { port } = await listening();
    for (const client of [await connectClear(port), await connectSecure(port)]) {
      client.write(echo);
      await client.lineCount(1);
      expect(client.text).toBe(echoed);
    }
  });

  it.each(notServed)(
    'refuses %s in its own language, in clear text and over TLS',
    async (_, bytes, answer) => {
      const { port } = await listening();
      expect([await lastWords(port, bytes), (await lastWordsOverTls(port, bytes)).toString()]).toEqual([
        answer,
        answer,
      ]);
    },
  );

  it.each(served)('opens the door of %s, in clear text and over TLS', async (_, line, answer) => {
    const { port } = await listening({ calls: nobody });
    for (const client of [await connectClear(port), await connectSecure(port)]) {
      client.write(line);
      await client.lineCount(1);
      expect(client.text.slice(0, answer.length)).toBe(answer);
      expect(client.hasEnded).toBe(false);
    }
  });

  it('refuses TLS inside TLS with an alert', async () => {
    const { port } = await listening();
    expect(await lastWordsOverTls(port, '\x16\x03\x01\x00\x05hello')).toEqual(
      Buffer.of(0x15, 3, 3, 0, 2, 2, 10),
    );
  });

  it('finds the door when the first bytes come one by one', async () => {
    const { port } = await listening();
    const client = await connectClear(port);
    for (const byte of Buffer.from('OPTIONS * HTTP/1.0\r\n\r\n')) {
      client.write(Uint8Array.of(byte));
      await turn();
    }
    await client.ended();
    expect(client.text.slice(0, 12)).toBe('HTTP/1.1 204');
  });

  it('decides an unfinished first line when the peer has ended', async () => {
    const { port } = await listening();
    const client = await connectClear(port, { allowHalfOpen: true });
    client.socket.end('PING');
    await client.ended();
    expect(client.text).toBe('PONG\n');
  });

  it('closes without a word for a peer that ends without one', async () => {
    const { port, listener } = await listening();
    const client = await connectClear(port, { allowHalfOpen: true });
    client.socket.end();
    await until(() => client.isClosed && listener.connections === 0);
    expect(client.text).toBe('');
  });

  it('outlives resets at every stage', async () => {
    const { port, listener, failures } = await listening();
    for (const bytes of ['', 'hel', '{', '\x16', echo]) {
      const client = await connectClear(port);
      if (bytes !== '') client.write(Buffer.from(bytes, 'latin1'));
      await turn();
      client.socket.resetAndDestroy();
    }
    const secured = await connectSecure(port);
    secured.socket.destroy();
    await until(() => listener.connections === 0);
    const client = await connectClear(port);
    client.write(echo);
    await client.lineCount(1);
    expect([client.text, failures]).toEqual([echoed, []]);
  });
});

describe('clear text', () => {
  const hint = 'this server speaks TLS only: connect with TLS, for example chat://HOST:PORT';

  it.each([
    ['HTTP', 'GET / HTTP/1.1\r\n', http(403, 'Forbidden', hint, 'forbidden')],
    ['the pipe door', 'PING\n', `ERROR|forbidden|${hint}\n`],
    ['the slash door', '/users\n', `error: ${hint}\n`],
    ['public text', 'hello\n', `error: ${hint}\n`],
    [
      'the line door',
      echo,
      `{"jsonrpc":"2.0","id":null,"error":{"code":-32003,"message":"${hint}","data":{"code":"forbidden"}}}\n`,
    ],
  ])('at a TLS-only server gets one hint in the language of %s', async (_, bytes, answer) => {
    const { port, calls, listener } = await listening({ clearText: 'never' });
    expect([await lastWords(port, bytes), calls.seen, listener.servesClearText]).toEqual([answer, [], false]);
  });

  it('is refused by a server that listens elsewhere than on loopback, also from loopback', async () => {
    const { port, listener } = await listening({ host: '0.0.0.0' });
    expect([await lastWords(port, 'x\n'), listener.servesClearText]).toEqual([`error: ${hint}\n`, false]);
    const secured = await connectSecure(port);
    secured.write(echo);
    await secured.lineCount(1);
  });

  it('is served there only by the flag that names the danger', async () => {
    const { port, listener } = await listening({ host: '0.0.0.0', clearText: 'everywhere' });
    const client = await connectClear(port);
    client.write(echo);
    await client.lineCount(1);
    expect([client.text, listener.servesClearText]).toEqual([echoed, true]);
  });

  it('is served on every address of loopback', async () => {
    const { listener } = await listening({ host: '127.0.0.2' });
    expect(listener.servesClearText).toBe(true);
  });
});

describe('before login it waits', () => {
  it('10 seconds for the first byte', async () => {
    vi.useFakeTimers();
    const { port, listener } = await listening();
    const client = await connectClear(port);
    await until(() => listener.connections === 1);
    vi.advanceTimersByTime(9_999);
    await turn();
    expect(client.isClosed).toBe(false);
    vi.advanceTimersByTime(1);
    await client.ended();
    expect(client.text).toBe('');
  });

  it('10 seconds for the first byte inside TLS', async () => {
    vi.useFakeTimers();
    const { port, listener } = await listening();
    const client = await connectSecure(port);
    await handshaken(port);
    vi.advanceTimersByTime(9_999);
    await turn();
    expect(client.isClosed).toBe(false);
    vi.advanceTimersByTime(1);
    await until(() => client.isClosed && listener.connections <= 1);
  });

  it('10 seconds for the end of the first line', async () => {
    vi.useFakeTimers();
    const { port, listener } = await listening();
    const client = await connectClear(port);
    await until(() => listener.connections === 1);
    vi.advanceTimersByTime(5_000);
    client.write('hel');
    await many(turn);
    vi.advanceTimersByTime(9_999);
    await many(turn);
    expect(client.hasEnded).toBe(false);
    vi.advanceTimersByTime(1);
    await client.ended();
    expect(client.text).toBe('error: the first line was not finished within 10 seconds\n');
  });

  it('10 seconds for a TLS handshake, however it drips', async () => {
    vi.useFakeTimers();
    const { port, listener } = await listening();
    const client = await connectClear(port);
    await until(() => listener.connections === 1);
    for (let second = 0; second < 10; second++) {
      client.write(Uint8Array.of([0x16, 3, 1, 0x10, 0, 1, 0, 0x0f, 0xfc, 3][second] ?? 0));
      await many(turn);
      expect(client.hasEnded).toBe(false);
      vi.advanceTimersByTime(second < 9 ? 1_000 : 999);
    }
    await many(turn);
    expect(client.isClosed).toBe(false);
    vi.advanceTimersByTime(1);
    await until(() => client.isClosed && listener.connections === 0);
  });

  /** After another client's whole handshake, an earlier one's is over on the server's side too. */
  async function handshaken(port: number): Promise<void> {
    const other = await connectSecure(port);
    other.write(echo);
    await other.lineCount(1);
    other.socket.destroy();
  }
});

describe('connections are limited', () => {
  const fromAddress = (port: number, localAddress: string): Promise<TestClient> =>
    new Promise((resolve) => {
      const socket = connect({ host: '127.0.0.1', port, localAddress });
      const client = new TestClient(socket);
      socket.once('connect', () => resolve(client));
    });

  it('per address: the last that fits is served, one more is refused in its language, another address is served', async () => {
    const { port, listener } = await listening({ limits: { maxConnectionsPerAddress: 2 } });
    const first = await connectClear(port);
    const second = await connectClear(port);
    await until(() => listener.connections === 2);
    second.write(echo);
    await second.lineCount(1);
    expect(await lastWords(port, echo)).toBe(
      '{"jsonrpc":"2.0","id":null,"error":{"code":-32007,"message":"too many connections from your address","data":{"code":"rate-limited","retry_after_ms":10000}}}\n',
    );
    expect(await lastWords(port, 'GET / HTTP/1.1\r\n')).toBe(
      http(429, 'Too Many Requests', 'too many connections from your address', 'rate-limited', 10),
    );
    await expect(connectSecure(port)).rejects.toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR' });
    const other = await fromAddress(port, '127.0.0.2');
    other.write(echo);
    await other.lineCount(1);
    first.socket.destroy();
    second.socket.destroy();
  });

  it('in all, whatever their addresses', async () => {
    const { port, listener } = await listening({ limits: { maxConnections: 2 } });
    const first = await connectClear(port);
    await fromAddress(port, '127.0.0.2');
    await until(() => listener.connections === 2);
    expect(await lastWords(port, 'x\n')).toBe('error: the server has too many connections\n');
    first.socket.destroy();
    await until(() => listener.connections === 1);
    const next = await connectClear(port);
    next.write(echo);
    await next.lineCount(1);
    expect(next.text).toBe(echoed);
  });

  it('not at all with 0', async () => {
    const { port } = await listening({
      limits: { maxConnections: 0, maxConnectionsPerAddress: 0, maxHandshakes: 0 },
    });
    const clients = await Promise.all(Array.from({ length: 50 }, () => connectSecure(port)));
    for (const client of clients) client.write(echo);
    for (const client of clients) await client.lineCount(1);
  });

  it('while they shake hands', async () => {
    const { port } = await listening({ limits: { maxHandshakes: 1 } });
    const half = await connectClear(port);
    half.write(Uint8Array.of(0x16, 3, 1));
    await many(turn);
    await expect(connectSecure(port)).rejects.toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR' });
    half.socket.destroy();
    await many(turn);
    const client = await connectSecure(port);
    client.write(echo);
    await client.lineCount(1);
  });

  it('with a word after a second also for one that does not speak first', async () => {
    vi.useFakeTimers();
    const { port, listener } = await listening({ limits: { maxConnections: 1 } });
    await connectClear(port);
    const refused = await connectClear(port);
    await until(() => listener.connections === 2);
    vi.advanceTimersByTime(1_000);
    await refused.ended();
    expect(refused.text).toContain('"unavailable"');
  });
});

describe('a drain', () => {
  it('lets calls under way be answered, says why, and closes everything', async () => {
    const { port, calls, listener } = await listening();
    const busy = await connectClear(port);
    const idle = await connectSecure(port);
    const undecided = await connectClear(port);
    idle.write(echo);
    await idle.lineCount(1);
    busy.write('{"jsonrpc":"2.0","id":1,"method":"slow"}\n{"jsonrpc":"2.0","id":2,"method":"slow"}\n');
    await until(() => calls.pending.length === 1 && listener.connections === 3);
    const drained = listener.drain('shutting-down', 5_000);
    await undecided.ended();
    calls.pending[0]?.answer({});
    await until(() => calls.pending.length === 2);
    expect(busy.hasEnded).toBe(false);
    busy.write('{"jsonrpc":"2.0","id":3,"method":"slow"}\n');
    await many(turn);
    calls.pending[1]?.answer({});
    await drained;
    const ended = '{"jsonrpc":"2.0","method":"session-ended","params":{"reason":"shutting-down"}}\n';
    await Promise.all([busy.ended(), idle.ended()]);
    expect([busy.text, idle.text, calls.seen, listener.connections]).toEqual([
      `${echoed}${echoed.replace('"id":1', '"id":2')}${ended}`,
      `${echoed}${ended}`,
      ['echo', 'slow', 'slow'],
      0,
    ]);
    await expect(connectClear(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('ends by force at exactly the end of its grace', async () => {
    vi.useFakeTimers();
    const { port, calls, listener } = await listening();
    const client = await connectClear(port);
    client.write('{"jsonrpc":"2.0","id":1,"method":"slow"}\n');
    await until(() => calls.pending.length === 1);
    let isDrained = false;
    const drained = listener.drain('shutting-down', 5_000).then(() => {
      isDrained = true;
    });
    vi.advanceTimersByTime(4_999);
    await many(turn);
    expect(isDrained).toBe(false);
    vi.advanceTimersByTime(1);
    await drained;
    await client.ended();
    expect(listener.connections).toBe(0);
  });
});

describe('listening', () => {
  it('says that the port is taken', async () => {
    const { port } = await listening();
    await expect(opening('127.0.0.1', port)).rejects.toEqual(
      new ChatError('unavailable', `cannot listen on 127.0.0.1:${port}: another program listens there`),
    );
  });

  it('says that the host is unknown, or not this machine', async () => {
    await expect(opening('no-such-host.invalid', 0)).rejects.toEqual(
      new ChatError('unavailable', 'cannot listen on no-such-host.invalid:0: the host is unknown'),
    );
    await expect(opening('192.0.2.1', 0)).rejects.toEqual(
      new ChatError('unavailable', 'cannot listen on 192.0.2.1:0: this machine has no such address'),
    );
  });

  async function opening(host: string, port: number): Promise<void> {
    const { listener } = await listening({ host, port });
    onTestFinished(() => listener.destroy());
  }
});

/** Enough turns for bytes on loopback to arrive and be handled. */
async function many(step: () => Promise<void>): Promise<void> {
  for (let i = 0; i < 50; i++) await step();
}
