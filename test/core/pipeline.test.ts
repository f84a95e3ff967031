import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { writeError } from '../../src/core/codecs/json-rpc.ts';
import { ChatError } from '../../src/core/errors.ts';
import { operations } from '../../src/core/operations/index.ts';
import { loggedIn, logInFirst, openChat, peer, refusal, register, registration } from './support/chat.ts';

const start = Date.parse('2026-03-01T12:00:00.000Z');

beforeEach(() => {
  vi.useFakeTimers({ now: start });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a call', () => {
  it('of an unknown name is unsupported, and the name comes back harmless', async () => {
    const t = await openChat();
    const table = [
      ['nothing.like-it', 'nothing.like-it'],
      ['', ''],
      ['__proto__', '__proto__'],
      ['constructor', 'constructor'],
      ['a\r\nb\u001b', 'a\\r\\nb\\u001b'],
      ['x'.repeat(1_000), 'x'.repeat(64)],
      ['a\u202eb\u2028c\u2029d\u{e0041}\u007f', 'a\\u{202e}b\\u{2028}c\\u{2029}d\\u{e0041}\\u{7f}'],
      [`${'x'.repeat(63)}\u{1f600}`, `${'x'.repeat(63)}\\ud83d`],
    ] as const;
    for (const [name, shown] of table) {
      expect(await refusal(t.send(peer(), name, {}))).toEqual({
        code: 'unsupported',
        message: `there is no operation of this name: ${shown}`,
      });
    }
    expect(t.audit).toEqual([]);
    expect(t.failures).toEqual([]);
  });

  it('is told which field does not fit, also when its name is a stranger’s', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    const cursors = { [`\u202e\n${'x'.repeat(100)}`]: -1 };
    const { field, message } = await refusal(t.send(alice, 'conversation.follow', { cursors }));
    expect(field).toBe(`cursors.\\u{202e}\\n${'x'.repeat(62)}`);
    expect(message.startsWith(`${field}: `)).toBe(true);
  });

  it('overlaps with others of its connection only where its answer is small', async () => {
    const { chat } = await openChat();
    const overlapping = operations.map(({ name }) => name).filter((name) => chat.overlaps(name));
    expect(overlapping).toEqual(['account.me', 'message.send', 'keys.get', 'ping']);
    // What is refused at once is a small answer too.
    expect(chat.overlaps('nothing.like-it')).toBe(true);
  });

  it('that needs a session is refused without one, before its input is looked at', async () => {
    const t = await openChat();
    const open = operations.filter(({ access }) => access === 'anyone').map(({ name }) => name);
    expect(open).toEqual([
      'account.begin-register',
      'account.register',
      'account.request-reset',
      'account.reset-password',
      'login.begin',
      'login.finish',
      'login.password',
      'login.salt',
      'login.hashed-password',
      'login.certificate',
      'login.second-factor',
      'login.resume',
      'session.refresh',
      'ping',
    ]);
    for (const { name, access } of operations) {
      if (access === 'anyone') continue;
      expect([name, await refusal(t.send(peer(), name, { nonsense: true }))]).toEqual([name, logInFirst]);
    }
  });

  it('with a field too many, too few or of a wrong type is invalid and names the field', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    const table: Array<[string, unknown, string | undefined]> = [
      ['ping', { extra: 1 }, 'extra'],
      ['account.me', { 'a\nb': 1 }, 'a\\nb'],
      ['message.send', { to: '#lobby', text: 'x', sender: 'bob' }, 'sender'],
      ['message.send', { text: 'x' }, 'to'],
      ['message.send', { to: 7, text: 'x' }, 'to'],
      ['message.send', { to: 'lobby', text: 'x' }, 'to'],
      ['message.send', { to: '#lobby' }, 'text'],
      ['message.send', { to: '#lobby', text: 'x', envelope: 'AAAA' }, 'text'],
      ['message.send', { to: '#lobby', text: ['x'] }, 'text'],
      ['message.send', { to: '#lobby', text: 'x', key: '' }, 'key'],
      ['message.send', { to: '#lobby', text: 'x', key: 'k'.repeat(129) }, 'key'],
      ['message.send', { to: '#lobby', text: 'x', key: 'a\nb' }, 'key'],
      ['message.history', { to: '#lobby', limit: 0 }, 'limit'],
      ['message.history', { to: '#lobby', limit: 101 }, 'limit'],
      ['message.history', { to: '#lobby', after: 0.5 }, 'after'],
      ['message.history', { to: '#lobby', after: 2 ** 53 }, 'after'],
      ['message.history', { to: '#lobby', newest: 'yes' }, 'newest'],
      ['room.create', { room: '#' }, 'room'],
      ['room.create', { room: 'Ä' }, 'room'],
      ['user.list', { limit: 1_001 }, 'limit'],
      ['login.begin', {}, 'message'],
      ['login.finish', { exchange: 'x', message: 'x', device: { id: 'x' } }, 'device.id'],
      ['ping', null, undefined],
      ['ping', [], undefined],
      ['ping', 'x', undefined],
    ];
    for (const [name, input, field] of table) {
      const refused = await refusal(t.send(alice, name, input));
      expect([name, input, refused.code, refused.field]).toEqual([name, input, 'invalid', field]);
      if (field) expect(refused.message).toMatch(new RegExp(`^${field.replaceAll('\\', '\\\\')}: `));
      // Not in the library's voice.
      expect(refused.message).not.toMatch(/Invalid|Too (big|small)|received|undefined/);
    }
    expect(t.failures).toEqual([]);
  });

  it.each<[string, unknown, string]>([
    ['login.password', { username: 'alice' }, 'password: give one'],
    ['login.password', { username: 'alice', password: 7 }, 'password: a text is expected'],
    ['login.password', { username: 'alice', password: null }, 'password: a text is expected'],
    ['login.resume', { session_token: 'x', user_id: 'u'.repeat(65) }, 'user_id: at most 64 characters'],
    ['login.resume', { session_token: 'x', device: { id: 'x' } }, 'device.id: a UUID is expected'],
    ['login.resume', { session_token: 'x', device: 'x' }, 'device: a JSON object is expected'],
    ['login.begin', { message: '' }, 'message: at least 1 character'],
    [
      'account.register',
      { username: 'alice', password: '123456', open_session: 1 },
      'open_session: true or false is expected',
    ],
    ['account.register', { username: 'alice', password: 'x', email: 'x' }, 'email: not an e-mail address'],
    ['user.list', { limit: 1.5 }, 'limit: a whole number is expected'],
    ['user.list', { limit: '1' }, 'limit: a number is expected'],
    ['user.list', { limit: 0 }, 'limit: at least 1'],
    ['user.list', { limit: 1_001 }, 'limit: at most 1000'],
    ['ping', 'x', 'a JSON object is expected'],
    ['ping', undefined, 'a JSON object is expected'],
  ])('that does not fit is refused in plain words: %s %j', async (name, input, message) => {
    const t = await openChat();
    await register(t, 'alice');
    const connection = name.startsWith('user.') ? await loggedIn(t, 'alice') : peer();
    expect((await refusal(t.send(connection, name, input))).message).toBe(message);
  });

  it('15.3.6: with __proto__ in its input changes nothing', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    const params: unknown = JSON.parse('{"to":"#lobby","text":"x","__proto__":{"key":"k","isAdmin":true}}');
    const first = await t.send(alice, 'message.send', params).catch((error: ChatError) => error.code);
    if (first === 'invalid') await t.call(alice, 'message.send', { to: '#lobby', text: 'x' });
    expect(({} as Record<string, unknown>).isAdmin).toBeUndefined();
    // The key within was nobody's: the same message is stored again.
    const { seq } = await t.call(alice, 'message.send', { to: '#lobby', text: 'x', key: 'k' });
    expect(seq).toBe(2);
    expect((await t.call(alice, 'account.me', {})).admin).toBe(false);
  });

  it('16.5.1: that runs into a bug is internal with an id, which the log has once, and nothing of the bug', async () => {
    const bug = new Error('SELECT secret FROM /home/chat/store.ts:7');
    const t = await openChat({ store: (store) => ({ ...store, account: () => Promise.reject(bug) }) });
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    const error = await t.call(alice, 'account.me', {}).catch((thrown: unknown) => thrown);
    if (!(error instanceof ChatError)) throw new Error('no ChatError');
    const { errorId } = error.details;
    expect(errorId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(JSON.parse(writeError(1, error))).toEqual({
      jsonrpc: '2.0',
      id: 1,
      error: {
        code: -32_603,
        message: `something went wrong on the server (${errorId})`,
        data: { code: 'internal', error_id: errorId },
      },
    });
    expect(t.failures).toEqual([{ error: bug, errorId }]);
    // The connection and its session go on.
    await t.call(alice, 'session.list', {});
  });

  it('16.5.1: is internal also when what was thrown is no error', async () => {
    const t = await openChat({ store: (store) => ({ ...store, account: () => Promise.reject(undefined) }) });
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    expect(await refusal(t.call(alice, 'account.me', {}))).toMatchObject({ code: 'internal' });
    expect(t.failures).toHaveLength(1);
  });

  it('is audited with its outcome when it is one that belongs there, and only then', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    t.audit.length = 0;
    await t.call(alice, 'message.send', { to: '#lobby', text: 'a secret' });
    await t.call(alice, 'message.history', { to: '#lobby' });
    expect(t.audit).toEqual([]);
    await t.call(alice, 'room.create', { room: 'tea' });
    await refusal(t.call(alice, 'room.create', { room: 'tea' }));
    const elsewhere = peer({ address: '198.51.100.1' });
    await refusal(t.send(peer(), 'account.register', { username: 'x\r\nforged'.padEnd(100, 'y') }));
    await refusal(t.send(elsewhere, 'account.register', { username: 'a\u202etxt\u2028b\u2029\u{e0041}' }));
    expect(t.audit.map(({ operation, user, outcome }) => [operation, user, outcome])).toEqual([
      ['room.create', 'alice', 'ok'],
      ['room.create', 'alice', 'conflict'],
      ['account.register', `x\\r\\nforged${'y'.repeat(55)}`, 'invalid'],
      ['account.register', 'a\\u{202e}txt\\u{2028}b\\u{2029}\\u{e0041}', 'invalid'],
    ]);
  });

  it('16.4.1: puts no more than 128 characters of what it names into the audit trail, and none that forges a line', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    const { id: session } = alice.session ?? {};
    t.audit.length = 0;
    await refusal(t.send(alice, 'room.join', { room: `\u202e\n${'x'.repeat(1_000)}` }));
    await refusal(t.send(alice, 'room.leave', { room: 'y'.repeat(128) }));
    expect(t.audit.map(({ details }) => details)).toEqual([
      { session, room: `\\u{202e}\\n${'x'.repeat(126)}` },
      { session, room: 'y'.repeat(128) },
    ]);
  });

  it('leaves no row in the audit trail when it lacks a session', async () => {
    const t = await openChat();
    for (const { name, access } of operations) {
      if (access !== 'anyone') await refusal(t.send(peer(), name, {}));
    }
    expect(t.audit).toEqual([]);
  });
});

describe('the limits on calls', () => {
  it('count messages by user over all connections: a burst of ten seconds, then the rate', async () => {
    const t = await openChat({ policy: { messagesPerSecond: 2 } });
    await register(t, 'alice', 'bob');
    const alice = await loggedIn(t, 'alice');
    const phone = await loggedIn(t, 'alice', { address: '198.51.100.1' });
    const bob = await loggedIn(t, 'bob');
    const send = (connection: typeof alice) =>
      t.call(connection, 'message.send', { to: '#lobby', text: 'x' });
    for (let one = 0; one < 10; one++) await Promise.all([send(alice), send(phone)]);
    const tooMany = { code: 'rate-limited', message: 'too many messages: wait before the next one' };
    expect(await refusal(send(alice))).toEqual({ ...tooMany, retryAfterMs: 500 });
    vi.setSystemTime(start + 499);
    expect(await refusal(send(phone))).toEqual({ ...tooMany, retryAfterMs: 1 });
    vi.setSystemTime(start + 500);
    expect((await send(phone)).seq).toBe(21);
    expect(await refusal(send(alice))).toEqual({ ...tooMany, retryAfterMs: 500 });
    expect((await send(bob)).seq).toBe(22);
  });

  it('count rooms that somebody makes, enters and leaves together, by account', async () => {
    const t = await openChat({ policy: { joinsPerMinute: 3 } });
    await register(t, 'alice', 'bob');
    const alice = await loggedIn(t, 'alice');
    const phone = await loggedIn(t, 'alice', { address: '198.51.100.1' });
    await t.call(alice, 'room.create', { room: 'r1' });
    await t.call(phone, 'room.leave', { room: 'r1' });
    await t.call(alice, 'room.join', { room: 'r1' });
    const tooMany = {
      code: 'rate-limited',
      message: 'too many rooms made, entered or left: wait before the next one',
      retryAfterMs: 60_000,
    };
    expect(await refusal(t.call(phone, 'room.create', { room: 'r4' }))).toEqual(tooMany);
    expect(await refusal(t.call(alice, 'room.leave', { room: 'r1' }))).toEqual(tooMany);
    expect(await refusal(t.call(alice, 'room.join', { room: 'r1' }))).toEqual(tooMany);
    await t.call(await loggedIn(t, 'bob'), 'room.join', { room: 'r1' });
    await t.call(alice, 'message.send', { to: '#r1', text: 'x' });
  });

  it('count registrations by address and hour, IPv6 by its /64', async () => {
    const t = await openChat({ policy: { registrationsPerHour: 2 } });
    const model = await registration('anybody');
    let names = 0;
    const make = (address: string) =>
      t.call(peer({ address }), 'account.register', { ...model, username: `u${names++}` });
    const tooMany = { code: 'rate-limited', message: 'too many registrations: wait before the next one' };
    await make('2001:db8:0:1::1');
    await make('2001:db8:0:1:2:3:4:5');
    expect(await refusal(make('2001:db8:0:1::9'))).toEqual({ ...tooMany, retryAfterMs: 3_600_000 });
    await make('2001:db8:0:2::1');
    await make('192.0.2.7');
    await make('::ffff:192.0.2.7');
    expect(await refusal(make('192.0.2.7'))).toEqual({ ...tooMany, retryAfterMs: 3_600_000 });
    await make('192.0.2.8');
    vi.setSystemTime(start + 3_600_000);
    await make('2001:db8:0:1::9');
  });

  it('count login, resume and refresh together by address', async () => {
    const t = await openChat({ policy: { loginsPerMinute: 3 } });
    const from = () => peer({ address: '192.0.2.7' });
    await t.call(from(), 'login.begin', { message: 'n,,n=nobody,r=fyko+d2lbbFgONRv9qkxdawL' });
    await refusal(t.call(from(), 'login.resume', { session_token: 'x' }));
    await refusal(t.call(from(), 'session.refresh', { refresh_token: 'x' }));
    expect(await refusal(t.call(from(), 'login.resume', { session_token: 'x' }))).toEqual({
      code: 'rate-limited',
      message: 'too many logins: wait before the next one',
      retryAfterMs: 60_000,
    });
  });
});
