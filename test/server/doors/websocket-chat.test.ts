import { afterEach, describe, expect, it, vi } from 'vitest';
import { FakePeer } from '../../core/support/chat.ts';
import { turn, until } from '../support/until.ts';
import { closeFrame, connectWebSocket, type RawWebSocket } from '../support/websocket.ts';
import { type ChatAtPort, chatAtPort } from './support/real-chat.ts';

afterEach(() => void vi.useRealTimers());

const password = 'words of sam';

/** A session of an account that is made for it. */
async function sessionOf(at: ChatAtPort, username = 'sam') {
  const peer = new FakePeer();
  await at.t.call(peer, 'account.register', { username, password });
  return { peer, ...(await at.t.call(peer, 'login.password', { username, password })) };
}

type Opened = Awaited<ReturnType<typeof sessionOf>>;

/** A WebSocket that has said Authenticate and been answered. */
async function authenticated(
  at: ChatAtPort,
  { user_id, session_token }: Pick<Opened, 'user_id' | 'session_token'>,
  options: Parameters<typeof connectWebSocket>[1] = {},
): Promise<RawWebSocket> {
  const socket = await connectWebSocket(at.port, options);
  socket.say(JSON.stringify({ type: 'Authenticate', user_id, session_token }));
  await socket.messageCount(1);
  return socket;
}

const online = (at: ChatAtPort, peer: FakePeer) => at.t.call(peer, 'user.list', {});

describe('a WebSocket with a real chat behind it', () => {
  it('logs in with the token of a session, says who that is and until when', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const at = await chatAtPort();
    const opened = await sessionOf(at);
    const socket = await authenticated(at, opened);
    const { user_id, username } = opened;
    const expires_at = await at.t
      .call(opened.peer, 'account.me', {})
      .then(({ session }) => session.expires_at);
    expect(socket.messages).toEqual([{ type: 'AuthSuccess', user_id, username, expires_at }]);
    expect(at.t.audit.at(-1)).toMatchObject({
      operation: 'login.resume',
      user: 'sam',
      door: 'websocket',
      outcome: 'ok',
    });
  });

  it('does so over TLS', async () => {
    const at = await chatAtPort();
    const socket = await authenticated(at, await sessionOf(at), { tls: true });
    expect(socket.messages).toMatchObject([{ type: 'AuthSuccess', username: 'sam' }]);
  });

  it("refuses another account's id, an unknown token, an ended one and a refresh token in the same words", async () => {
    const at = await chatAtPort();
    const sam = await sessionOf(at);
    const erik = await sessionOf(at, 'erik');
    const ended = await sessionOf(at, 'ended');
    await at.t.call(ended.peer, 'session.end', {});
    const said = await Promise.all(
      [
        { user_id: erik.user_id, session_token: sam.session_token },
        { user_id: sam.user_id, session_token: `cs1_${'A'.repeat(43)}` },
        { user_id: sam.user_id, session_token: sam.refresh_token },
        { user_id: sam.username, session_token: sam.session_token },
        { user_id: '', session_token: '' },
        ended,
      ].map(async (credentials) => {
        const socket = await authenticated(at, credentials);
        return [socket.texts, await socket.closing()];
      }),
    );
    const refused = [
      ['{"type":"AuthFailure","reason":"the session is unknown, expired or revoked"}'],
      { code: 4401, reason: 'authentication failed' },
    ];
    expect(said).toEqual(Array.from({ length: 6 }, () => refused));
  });

  it('does not log in by a cookie', async () => {
    const at = await chatAtPort();
    const { session_token } = await sessionOf(at);
    const socket = await connectWebSocket(at.port, {
      headers: { Cookie: `session_token=${session_token}`, Origin: `http://127.0.0.1:${at.port}` },
    });
    socket.call(1, 'account.me');
    await socket.messageCount(1);
    expect(socket.messages).toMatchObject([{ id: 1, error: { data: { code: 'unauthenticated' } } }]);
  });

  it('counts as online, with every other connection of its user, as long as it is logged in', async () => {
    const at = await chatAtPort();
    const watcher = await sessionOf(at, 'erik');
    const opened = await sessionOf(at);
    const one = await authenticated(at, opened);
    opened.peer.leave();
    const two = await authenticated(at, opened);
    one.write(closeFrame(1000));
    await one.closing();
    await until(() => one.client.hasEnded);
    expect((await online(at, watcher.peer)).users.map(({ username }) => username)).toEqual(['erik', 'sam']);
    two.write(closeFrame(1000));
    await two.closing();
    expect((await online(at, watcher.peer)).users.map(({ username }) => username)).toEqual(['erik']);
  });

  it('follows, sends, and gives what others send as one message each', async () => {
    const at = await chatAtPort();
    const sam = await authenticated(at, await sessionOf(at));
    const erik = await authenticated(at, await sessionOf(at, 'erik'));
    sam.call(1, 'conversation.follow', { to: '#lobby' });
    await sam.messageCount(2);
    const texts = Array.from({ length: 50 }, (_, n) => `${n} ${'é'.repeat(n * 10)}`);
    for (const [id, text] of texts.entries()) erik.call(id, 'message.send', { to: '#lobby', text });
    await sam.messageCount(2 + texts.length);
    const told = sam.messages.slice(2) as Array<{ method: string; params: { text: string } }>;
    expect(told.map(({ params }) => params.text)).toEqual(texts);
  });

  it('gives a reader that falls behind everything, in order and once', async () => {
    const at = await chatAtPort();
    const sam = await authenticated(at, await sessionOf(at));
    const erik = await sessionOf(at, 'erik');
    sam.call(1, 'conversation.follow', { to: '#lobby' });
    await sam.messageCount(2);
    sam.client.socket.pause();
    const count = 1_000;
    const text = (n: number): string => `${n} ${'x'.repeat(16_000)}`;
    const sent = Array.from({ length: count }, (_, n) =>
      at.t.call(erik.peer, 'message.send', { to: '#lobby', text: text(n) }),
    );
    await Promise.all(sent);
    await turn();
    sam.client.socket.resume();
    await until(() => sam.client.receivedBytes > count * 16_000);
    await until(() => sam.client.received.includes('"caught-up"'));
    const told = sam.messages as Array<{ method?: string; params: { text: string } }>;
    const numbers = told
      .filter(({ method }) => method === 'message')
      .map(({ params }) => Number.parseInt(params.text, 10));
    expect(numbers).toEqual(Array.from({ length: count }, (_, n) => n));
    expect(told.some(({ method }) => method === 'lagging')).toBe(true);
  });
});

describe('the end of a session closes its WebSocket', () => {
  const ended = (reason: string) => ({ jsonrpc: '2.0', method: 'session-ended', params: { reason } });

  it.each([
    [
      'it is logged out elsewhere',
      'logged-out',
      'it was logged out',
      (at: ChatAtPort, { peer }: Opened) => at.t.call(peer, 'session.end', {}),
    ],
    [
      'it is revoked from another session',
      'revoked',
      'it was revoked',
      async (at: ChatAtPort, { session_id }: Opened) => {
        const other = new FakePeer();
        await at.t.call(other, 'login.password', { username: 'sam', password });
        await at.t.call(other, 'session.revoke', { id: session_id });
      },
    ],
    [
      'another login takes its device',
      'replaced',
      'another login took its place',
      (at: ChatAtPort, { device_id }: Opened) =>
        at.t.call(new FakePeer(), 'login.password', { username: 'sam', password, device: { id: device_id } }),
    ],
  ] as const)('when %s', async (_, reason, text, end) => {
    const at = await chatAtPort();
    const opened = await sessionOf(at);
    const socket = await authenticated(at, opened);
    await end(at, opened);
    const status = await socket.closing();
    // Some of them begin with another login, which is told too.
    const told = socket.messages
      .slice(1)
      .filter((message) => (message as { method?: string }).method !== 'account-notice');
    expect([status, told]).toEqual([
      { code: 4401, reason: `the session has ended: ${text}` },
      [ended(reason)],
    ]);
  });

  it('when a refresh token is used again after its time', async () => {
    const at = await chatAtPort();
    const { refresh_token, ...opened } = await sessionOf(at);
    const socket = await authenticated(at, opened);
    vi.useFakeTimers({ toFake: ['Date'] });
    const refresh = () => at.t.call(new FakePeer(), 'session.refresh', { refresh_token });
    const { session_token } = await refresh();
    vi.setSystemTime(Date.now() + 20_001);
    await expect(refresh()).rejects.toMatchObject({ code: 'unauthenticated' });
    expect([await socket.closing(), socket.messages.slice(1)]).toEqual([
      { code: 4401, reason: 'the session has ended: one of its refresh tokens was used twice' },
      [ended('refresh-reused')],
    ]);
    const late = await authenticated(at, { user_id: opened.user_id, session_token });
    expect((await late.closing()).code).toBe(4401);
  });

  it('not when it is refreshed: the connection goes on, and the new token is good for another', async () => {
    const at = await chatAtPort();
    const { refresh_token, ...opened } = await sessionOf(at);
    const socket = await authenticated(at, opened);
    const { session_token } = await at.t.call(new FakePeer(), 'session.refresh', { refresh_token });
    socket.call(1, 'account.me');
    await socket.messageCount(2);
    expect(socket.messages[1]).toMatchObject({ id: 1, result: { username: 'sam' } });
    const other = await authenticated(at, { user_id: opened.user_id, session_token });
    expect(other.messages).toMatchObject([{ type: 'AuthSuccess' }]);
    const old = await authenticated(at, opened);
    expect((await old.closing()).code).toBe(4401);
  });

  it('at the moment when it expires, also without a call', async () => {
    vi.useFakeTimers();
    const at = await chatAtPort({ policy: { sessionIdleMs: 20_000 } });
    const socket = await authenticated(at, await sessionOf(at));
    vi.advanceTimersByTime(19_999);
    for (let turns = 0; turns < 30; turns++) await turn();
    expect(socket.closed).toBeUndefined();
    vi.advanceTimersByTime(1);
    expect([await socket.closing(), socket.messages.slice(1)]).toEqual([
      { code: 4401, reason: 'the session has ended: it has expired' },
      [ended('expired')],
    ]);
  });

  it('at the moment when its token is too old, however busy it is', async () => {
    vi.useFakeTimers();
    const at = await chatAtPort({ policy: { sessionAbsoluteMs: 20_000 } });
    const socket = await authenticated(at, await sessionOf(at));
    for (let second = 1; second < 20; second++) {
      vi.advanceTimersByTime(1_000);
      socket.call(second, 'account.me');
      await socket.messageCount(1 + second);
    }
    vi.advanceTimersByTime(999);
    socket.call(20, 'account.me');
    await socket.messageCount(21);
    vi.advanceTimersByTime(1);
    expect((await socket.closing()).reason).toBe('the session has ended: it has expired');
  });

  it('which ends it over this very connection: that is answered, and stays open in its first state', async () => {
    const at = await chatAtPort();
    const opened = await sessionOf(at);
    const socket = await authenticated(at, opened);
    socket.call(1, 'session.end');
    socket.call(2, 'account.me');
    await socket.messageCount(3);
    expect(socket.messages.slice(1)).toMatchObject([
      { id: 1, result: {} },
      { id: 2, error: { data: { code: 'unauthenticated' } } },
    ]);
    const other = await sessionOf(at, 'erik');
    socket.say(
      JSON.stringify({ type: 'Authenticate', user_id: other.user_id, session_token: other.session_token }),
    );
    await socket.messageCount(4);
    expect(socket.messages[3]).toMatchObject({ type: 'AuthSuccess', username: 'erik' });
  });
});
