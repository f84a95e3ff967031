import { afterEach, describe, expect, it, vi } from 'vitest';
import { ChatError } from '../../../src/core/errors.ts';
import type { ChatEvent } from '../../../src/core/events.ts';
import type { Session } from '../../../src/core/model/session.ts';
import type { FakeCalls, PendingCall } from '../support/calls.ts';
import { connectClear, connectSecure, type TestClient } from '../support/client.ts';
import { listening } from '../support/listening.ts';
import { turn, until } from '../support/until.ts';

afterEach(() => void vi.useRealTimers());

const session = { username: 'alice' } as Session;

async function pending(calls: FakeCalls, count: number): Promise<readonly PendingCall[]> {
  await until(() => calls.pending.length >= count);
  return calls.pending;
}

/** Lets everything that can happen now happen. */
async function settled(): Promise<void> {
  for (let round = 0; round < 20; round++) await turn();
}

function events(client: PendingCall, ...told: ChatEvent[]): void {
  const { peer } = client;
  if (peer.events) peer.push(peer.events.encode(told));
}

const publicMessage = (text: string): ChatEvent => ({
  type: 'message',
  to: '#lobby' as never,
  seq: 1,
  id: 'id',
  sender: 'bob' as never,
  sentAt: Date.parse('2026-03-01T12:00:00.000Z'),
  body: { text },
});

/** Opens a connection whose first bytes are these. */
async function knock(port: number, bytes: string, options?: object): Promise<TestClient> {
  const client = await connectClear(port, options);
  client.write(bytes);
  return client;
}

describe('a door of text answers', () => {
  it('in the order of the requests, also when later calls end before', async () => {
    const { port, calls } = await listening();
    const client = await knock(port, 'SEND|#a|1\nSEND|#a|2\nPING\nSEND|#a|3\n');
    const [one, two, three] = await pending(calls, 3);
    three?.answer({ id: 'c', seq: 3 });
    two?.refuse(new ChatError('not-found', 'no'));
    await settled();
    expect(client.text).toBe('');
    one?.answer({ id: 'a', seq: 1 });
    await client.lineCount(4);
    expect(client.text).toBe('SEND|SUCCESS|a|1\nSEND|FAILURE|not-found\nPONG\nSEND|SUCCESS|c|3\n');
  });

  it('after every call before it has ended, when a call does not overlap with others', async () => {
    const { port, calls } = await listening();
    const client = await knock(port, 'SEND|#a|1\nLOGOUT\nSEND|#a|2\n');
    await pending(calls, 1);
    await settled();
    expect(calls.seen).toEqual(['message.send']);
    calls.pending[0]?.answer({ id: 'a', seq: 1 });
    await pending(calls, 2);
    await settled();
    expect(calls.seen).toEqual(['message.send', 'session.end']);
    calls.pending[1]?.answer({});
    (await pending(calls, 3))[2]?.answer({ id: 'b', seq: 2 });
    await client.lineCount(3);
    expect(client.text).toBe('SEND|SUCCESS|a|1\nLOGOUT|SUCCESS\nSEND|SUCCESS|b|2\n');
  });

  it('a listing from all its pages', async () => {
    const { port, calls } = await listening();
    const client = await knock(port, '/users\n');
    (await pending(calls, 1))[0]?.answer({ users: [{ username: 'alice' }], next: 'alice' });
    (await pending(calls, 2))[1]?.answer({ users: [{ username: 'bob' }], next: null });
    await client.lineCount(1);
    expect(calls.pending.map(({ params }) => params)).toEqual([{}, { after: 'alice' }]);
    expect(client.text).toBe('alice bob\n');
  });

  it('a login, then calls for what was missed, and says nothing of that', async () => {
    const { port, calls } = await listening();
    const client = await knock(port, '/login sam some words\n/users\n');
    const [login] = await pending(calls, 1);
    login?.answer({ session_token: 'cs1_x' });
    const [, missed] = await pending(calls, 2);
    expect(missed).toMatchObject({ name: 'conversation.catch-up', params: { last: 100 } });
    await client.lineCount(1);
    if (missed) events(missed, publicMessage('missed'));
    missed?.answer({ missed: 1 });
    (await pending(calls, 3))[2]?.answer({ users: [{ username: 'sam' }], next: null });
    await client.lineCount(3);
    expect(client.text).toBe('Authentication Succeeded\n2026-03-01 12:00:00 bob: missed\nsam\n');
  });

  it('a login that failed without calling for more', async () => {
    const { port, calls } = await listening();
    const client = await knock(port, '/login sam some words\n/exit\n');
    (await pending(calls, 1))[0]?.refuse(new ChatError('unauthenticated', 'no'));
    await client.ended();
    expect([client.text, calls.seen]).toEqual(['error: invalid credentials\n', ['login.password']]);
  });

  it('after the messages that were stored before, in the slash door', async () => {
    const { port, calls } = await listening();
    const client = await knock(port, 'hello\n/users\n');
    const [send] = await pending(calls, 1);
    // What the feed does: the message is told at the end of the turn in which it was stored.
    send?.answer({ id: 'a', seq: 1 });
    await Promise.resolve();
    if (send) setImmediate(() => events(send, publicMessage('hello')));
    (await pending(calls, 2))[1]?.answer({ users: [{ username: 'bob' }], next: null });
    await client.lineCount(2);
    expect(client.text).toBe('2026-03-01 12:00:00 bob: hello\nbob\n');
  });

  it('an exception as internal, with an id in the log and nothing of it in the answer', async () => {
    const { port, calls, failures } = await listening();
    const pipe = await knock(port, 'USERS\nPING\n');
    (await pending(calls, 1))[0]?.refuse(new TypeError('a bug in chat'));
    await pipe.lineCount(2);
    const slash = await knock(port, '/users\n');
    (await pending(calls, 2))[1]?.answer(null);
    await slash.lineCount(1);
    expect([pipe.text, slash.text]).toEqual([
      'USERS|FAILURE|internal\nPONG\n',
      'error: something went wrong on the server (error-id)\n',
    ]);
    expect(failures).toHaveLength(2);
  });

  it('ten thousand requests in one piece, each once and in order', async () => {
    const { port } = await listening();
    const count = 10_000;
    const client = await knock(
      port,
      Array.from({ length: count }, (_, index) => (index % 2 === 0 ? 'PING\n' : 'PING|\n')).join(''),
    );
    await client.lineCount(count);
    expect(client.text).toBe('PONG\nPING|FAILURE|invalid\n'.repeat(count / 2));
  });

  it('requests that come byte by byte, with CRLF and empty lines, in clear text and over TLS', async () => {
    const { port } = await listening();
    for (const client of [await connectClear(port), await connectSecure(port)]) {
      for (const byte of Buffer.from('\r\n\nPING\r\n\r\n\nPING\nNO|\r\n')) {
        client.write(Uint8Array.of(byte));
        await turn();
      }
      await client.lineCount(3);
      expect(client.text).toBe('PONG\nPONG\nERROR|unsupported|there is no such verb\n');
    }
  });
});

describe('a door of text closes', () => {
  it('at QUIT when the calls before it have been answered, and takes nothing after it', async () => {
    const { port, calls } = await listening();
    const client = await knock(port, 'SEND|#a|1\nQUIT\nSEND|#a|2\n');
    (await pending(calls, 1))[0]?.answer({ id: 'a', seq: 1 });
    await client.ended();
    expect([client.text, calls.seen]).toEqual(['SEND|SUCCESS|a|1\n', ['message.send']]);
  });

  it('at /exit, also as the first line', async () => {
    const { port } = await listening();
    const client = await knock(port, '/exit\n');
    await client.ended();
    expect(client.text).toBe('');
  });

  it('after the answers when the peer sends no more, the unfinished last line too', async () => {
    const { port, calls } = await listening();
    const client = await connectClear(port, { allowHalfOpen: true });
    client.socket.end('PING\nSEND|#a|1');
    (await pending(calls, 1))[0]?.answer({ id: 'a', seq: 1 });
    await client.ended();
    expect(client.text).toBe('PONG\nSEND|SUCCESS|a|1\n');
  });

  it('after ten lines in a row that are no request, and not after nine and a good one', async () => {
    const { port } = await listening();
    const client = await knock(port, `${'A|b\n'.repeat(9)}PING\n${'A|b\n'.repeat(9)}PING|\n`);
    await client.lineCount(20);
    expect(client.hasEnded).toBe(false);
    client.write('A|b\n'.repeat(12));
    await client.ended();
    expect(client.text.split('\n')).toHaveLength(20 + 10 + 1);
  });

  it('not for a person who mistypes a hundred times', async () => {
    const { port } = await listening();
    const client = await knock(port, '/hepl\n'.repeat(100));
    await client.lineCount(100);
    client.write('/exit\n');
    await client.ended();
    expect(client.text).toBe('error: unknown command\n'.repeat(100));
  });

  it.each([
    ['PING\n', 'PONG\n', 'ERROR|too-large|a line has at most 100 bytes\n'],
    ['/x\n', 'error: unknown command\n', 'error: a line has at most 100 bytes\n'],
  ])('at a line of 101 bytes with an error line, after the answers (%j)', async (first, answer, last) => {
    const { port } = await listening({ limits: { maxLineBytes: 100 } });
    const fits = await knock(port, `${first}${(first[0] === '/' ? '/' : '|').repeat(100)}\n${first}`);
    await fits.lineCount(2);
    fits.socket.destroy();
    const client = await knock(port, `${first}${'x'.repeat(101)}\n${first}`);
    await client.ended();
    expect(client.text).toBe(answer + last);
  });

  it.each([
    ['PING\n', 'PONG\n', 'ERROR|invalid|the line is not UTF-8\n'],
    ['/x\n', 'error: unknown command\n', 'error: the line is not UTF-8\n'],
  ])('at a line that is not UTF-8 with an error line (%j)', async (first, answer, last) => {
    const { port } = await listening();
    const client = await knock(port, first);
    client.write(Uint8Array.of(0x53, 0xff, 0x0a));
    await client.ended();
    expect(client.text).toBe(answer + last);
  });

  it.each([
    ['PING\n', 'PONG\n', 'ERROR|timeout|a line was not finished within 10 seconds\n'],
    ['/x\n', 'error: unknown command\n', 'error: a line was not finished within 10 seconds\n'],
  ])(
    'when a line is not finished within 10 s, and not a millisecond before (%j)',
    async (first, answer, last) => {
      vi.useFakeTimers();
      const { port } = await listening();
      const client = await knock(port, first);
      await client.lineCount(1);
      client.write('unfinished');
      await settled();
      vi.advanceTimersByTime(9_999);
      await settled();
      expect(client.text).toBe(answer);
      vi.advanceTimersByTime(1);
      await client.ended();
      expect(client.text).toBe(answer + last);
    },
  );

  it.each([
    ['PING\n', 'PONG\n', 'ERROR|timeout|there was no call and no login within 120 seconds\n'],
    ['/x\n', 'error: unknown command\n', 'error: there was no call and no login within 120 seconds\n'],
  ])('when nobody logs in for 120 s, and not when somebody has (%j)', async (first, answer, last) => {
    vi.useFakeTimers();
    const { port, calls } = await listening();
    const client = await knock(port, first);
    await client.lineCount(1);
    const person = await knock(port, 'SEND|#a|1\n');
    const [send] = await pending(calls, 1);
    if (send) send.peer.session = session;
    vi.advanceTimersByTime(119_999);
    await settled();
    expect(client.text).toBe(answer);
    vi.advanceTimersByTime(1);
    await client.ended();
    expect([client.text, person.hasEnded]).toEqual([answer + last, false]);
  });

  it.each([
    ['PING\n', 'ERROR|unauthenticated|the session has ended: it was revoked\n'],
    ['/x\n', 'error: the session has ended: it was revoked\n'],
  ])('when the session has ended, and says so (%j)', async (first, last) => {
    const { port, calls } = await listening();
    const client = await knock(port, `${first}`);
    await client.lineCount(1);
    client.write(first.startsWith('/') ? 'hello\n' : 'USERS\n');
    (await pending(calls, 1))[0]?.peer.end('revoked');
    await client.ended();
    expect(client.text.endsWith(last)).toBe(true);
  });

  it('when the server shuts down: what is under way is answered, and nothing else is taken', async () => {
    const { port, calls, listener } = await listening();
    const pipe = await knock(port, 'SEND|#a|1\n');
    const slash = await knock(port, '/x\n');
    await slash.lineCount(1);
    const [send] = await pending(calls, 1);
    const drained = listener.drain('shutting-down', 5_000);
    pipe.write('SEND|#a|2\n');
    await settled();
    send?.answer({ id: 'a', seq: 1 });
    await drained;
    expect([pipe.text, slash.text, calls.seen]).toEqual([
      'SEND|SUCCESS|a|1\nERROR|unavailable|the server is shutting down\n',
      'error: unknown command\nerror: the server is shutting down\n',
      ['message.send'],
    ]);
  });
});

describe('a door of text bounds', () => {
  it('the calls under way, counting those whose answers wait for others', async () => {
    const { port, calls } = await listening({ limits: { maxPipelined: 3 } });
    const client = await knock(port, Array.from({ length: 6 }, (_, index) => `SEND|#a|${index}\n`).join(''));
    await pending(calls, 3);
    for (const call of calls.pending.slice(1)) call.answer({ id: 'x', seq: 1 });
    await settled();
    expect(calls.seen).toHaveLength(3);
    calls.pending[0]?.answer({ id: 'x', seq: 1 });
    for (const call of await pending(calls, 6)) call.answer({ id: 'x', seq: 1 });
    await client.lineCount(6);
  });

  it('what waits for a reader that does not read: its requests are not read either', async () => {
    const { port, calls } = await listening({ limits: { maxQueuedBytes: 100_000 } });
    const client = await knock(port, 'USERS\n');
    client.socket.pause();
    const users = Array.from({ length: 1_000 }, () => ({ username: 'x'.repeat(100) }));
    let answered = 0;
    for (let round = 0; round < 400; round++) {
      client.write('USERS\n');
      await settled();
      const call = calls.pending[answered];
      if (!call) break;
      answered += 1;
      call.answer({ users, next: null });
    }
    // A few megabytes fit into the buffers of the system; then no call is begun.
    expect(answered).toBeLessThan(400);
    const before = calls.seen.length;
    await settled();
    expect(calls.seen.length).toBe(before);
    client.socket.resume();
    await until(() => calls.pending.length > before || client.receivedBytes > answered * 100_000);
    expect(client.text.startsWith('USERS|SUCCESS|xxx')).toBe(true);
  });

  it('nothing of a peer that has gone: what it asked for is not begun', async () => {
    const { port, calls, listener } = await listening();
    const client = await knock(port, 'LOGOUT\nLOGOUT\nLOGOUT\n');
    const [first] = await pending(calls, 1);
    client.socket.resetAndDestroy();
    await until(() => listener.connections === 0);
    first?.answer({});
    await settled();
    expect(calls.seen).toEqual(['session.end']);
  });
});
