import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { writeError } from '../../src/core/codecs/json-rpc.ts';
import { ChatError } from '../../src/core/errors.ts';
import { parseUsername, type Username } from '../../src/core/model/username.ts';
import type { Channel } from '../../src/core/peer.ts';
import { exchangeMs, maxExchanges } from '../../src/core/policy.ts';
import type { Store } from '../../src/core/ports/store.ts';
import {
  badCredentials,
  badToken,
  challenged,
  loggedIn,
  logInFirst,
  login,
  openChat,
  password,
  peer,
  refusal,
  register,
  registration,
  serverKey,
  type TestChat,
} from './support/chat.ts';
import { happens } from './support/meanwhile.ts';

const start = Date.parse('2026-03-01T12:00:00.000Z');
const wrong = 'incorrect horse battery staple';
const hasEnded = { code: 'unauthenticated', message: 'this login has ended: begin again' };

beforeEach(() => {
  vi.useFakeTimers({ now: start });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A connection over TLS 1.3: both ends export the same 32 bytes. */
function bound(byte = 7): Channel {
  return { serverKey, tlsExporter: () => new Uint8Array(32).fill(byte) };
}

/** Sends a proof on a connection. */
function finish(t: TestChat, connection: ReturnType<typeof peer>, exchange: string, message: string) {
  return t.call(connection, 'login.finish', { exchange, message });
}

describe('a login', () => {
  it('proves both sides to each other without binding, and opens a session', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const connection = peer({ address: '192.0.2.7' });
    const { exchange, proof, verifyServer } = await challenged(t, connection, 'alice');
    const opened = await t.call(connection, 'login.finish', {
      exchange,
      message: proof,
      device: { label: 'laptop' },
    });
    expect(opened).toEqual({
      user_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      username: 'alice',
      session_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      session_token: expect.stringMatching(/^cs1_[\w-]{43}$/),
      refresh_token: expect.stringMatching(/^cr1_[\w-]{43}$/),
      expires_at: new Date(start + 24 * 3_600_000).toISOString(),
      device_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      message: expect.stringMatching(/^v=[\w+/]{43}=$/),
    });
    expect(verifyServer(opened.message).bound).toBe(false);
    expect(await t.call(connection, 'account.me', {})).toEqual({
      user_id: opened.user_id,
      username: 'alice',
      email: null,
      email_verified: false,
      privacy: 'private',
      admin: false,
      created_at: new Date(start).toISOString(),
      second_factor: { on: false, recovery_codes_left: 0 },
      session: {
        id: opened.session_id,
        device_id: opened.device_id,
        device: 'laptop',
        expires_at: opened.expires_at,
      },
    });
  });

  it('is bound to its TLS connection where that can be done', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const connection = peer({ channel: bound() });
    const { exchange, proof, verifyServer } = await challenged(t, connection, 'alice');
    const { message } = await finish(t, connection, exchange, proof);
    expect(verifyServer(message).bound).toBe(true);
  });

  it('is refused when the two ends see different connections, though the password is right', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const seen = { serverKey, tlsExporter: () => new Uint8Array(32).fill(8) };
    const connection = peer({ channel: seen });
    const { exchange, proof } = await challenged(t, connection, 'alice');
    seen.tlsExporter = () => new Uint8Array(32).fill(9);
    expect(await refusal(finish(t, connection, exchange, proof))).toEqual({
      code: 'unauthenticated',
      message: 'the login does not fit this connection (channel-bindings-dont-match)',
    });
    expect(connection.session).toBeUndefined();
  });

  it('is refused when the binding is stripped from the offer, or claimed where there is none', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const message = 'n=alice,r=fyko+d2lbbFgONRv9qkxdawL';
    expect(
      await refusal(t.call(peer({ channel: bound() }), 'login.begin', { message: `y,,${message}` })),
    ).toEqual({
      code: 'unauthenticated',
      message: 'the login does not fit this connection (server-does-support-channel-binding)',
    });
    expect(await refusal(t.call(peer(), 'login.begin', { message: `p=tls-exporter,,${message}` }))).toEqual({
      code: 'unauthenticated',
      message: 'the login does not fit this connection (channel-binding-not-supported)',
    });
  });

  it('6.3.8: answers an unknown user and a wrong password with the same bytes', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const refusals: string[] = [];
    const challenges: string[] = [];
    for (const [name, secret] of [
      ['alice', wrong],
      ['nobody', wrong],
      ['nobody', password],
    ] as const) {
      const connection = peer();
      const { exchange, proof, serverFirst } = await challenged(t, connection, name, secret);
      challenges.push(serverFirst.replace(/^r=[^,]*/, 'r=').replace(/,s=[^,]*/, ',s='));
      const error = await finish(t, connection, exchange, proof).catch((thrown: unknown) => thrown);
      if (!(error instanceof ChatError)) throw new Error('it was not refused');
      expect(await refusal(Promise.reject(error))).toEqual(badCredentials);
      refusals.push(writeError(1, error));
      expect(connection.session).toBeUndefined();
    }
    expect(new Set(refusals).size).toBe(1);
    expect(new Set(challenges).size).toBe(1);
  });

  it('6.3.8: gives a name without an account the same salt each time, and another name another one', async () => {
    const t = await openChat();
    const salt = async (name: string): Promise<string | undefined> =>
      /,s=([^,]*)/.exec(
        (await t.call(peer(), 'login.begin', { message: `n,,n=${name},r=fyko+d2lbbFgONRv9qkxdawL` })).message,
      )?.[1];
    expect(await salt('nobody')).toBe(await salt('nobody'));
    expect(await salt('nobody')).not.toBe(await salt('nobodi'));
  });

  it('6.7.2: never repeats a nonce or an exchange', async () => {
    const t = await openChat();
    const seen = new Set<string>();
    for (let time = 0; time < 100; time++) {
      const answer = await t.call(peer({ address: `192.0.2.${time}` }), 'login.begin', {
        message: 'n,,n=nobody,r=fyko+d2lbbFgONRv9qkxdawL',
      });
      const nonce = /^r=fyko\+d2lbbFgONRv9qkxdawL([^,]*)/.exec(answer.message)?.[1] ?? '';
      expect(nonce).toHaveLength(24);
      seen.add(nonce).add(answer.exchange);
    }
    expect(seen.size).toBe(200);
  });

  it('refuses a first message that is none, and one with an extension it does not know', async () => {
    const t = await openChat();
    for (const message of [
      'hello',
      'n,,n=alice',
      'n,,n=alice,r=',
      'n,,m=1,n=alice,r=fyko+d2lbbFgONRv9qkxdawL',
    ]) {
      expect(await refusal(t.call(peer(), 'login.begin', { message }))).toEqual({
        code: 'invalid',
        message: expect.stringMatching(/^message: not a login message \([a-z-]+\)$/),
        field: 'message',
      });
    }
  });
});

describe('an exchange', () => {
  it('is good for one try: also a right proof after a wrong one is refused', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const connection = peer();
    const { exchange, proof } = await challenged(t, connection, 'alice');
    const tampered = proof.replace(/p=./, (text) => (text === 'p=A' ? 'p=B' : 'p=A'));
    expect(await refusal(finish(t, connection, exchange, tampered))).toEqual(badCredentials);
    expect(await refusal(finish(t, connection, exchange, proof))).toEqual(hasEnded);
  });

  it('cannot be replayed after it has succeeded', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const connection = peer();
    const { exchange, proof } = await challenged(t, connection, 'alice');
    await finish(t, connection, exchange, proof);
    await t.call(connection, 'session.end', {});
    expect(await refusal(finish(t, connection, exchange, proof))).toEqual(hasEnded);
    const fresh = await challenged(t, connection, 'alice');
    expect(await refusal(finish(t, connection, fresh.exchange, proof))).toEqual(badCredentials);
  });

  it('is alive 59,999 ms after it began, and dead at 60,000', async () => {
    const t = await openChat();
    await register(t, 'alice');
    for (const [age, lives] of [
      [exchangeMs - 1, true],
      [exchangeMs, false],
    ] as const) {
      const connection = peer();
      const { exchange, proof } = await challenged(t, connection, 'alice');
      vi.advanceTimersByTime(age);
      if (lives) await finish(t, connection, exchange, proof);
      else expect(await refusal(finish(t, connection, exchange, proof))).toEqual(hasEnded);
    }
  });

  it('belongs to its connection, and a stranger who names it does not spoil it', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const connection = peer();
    const { exchange, proof } = await challenged(t, connection, 'alice');
    expect(await refusal(finish(t, peer(), exchange, proof))).toEqual(hasEnded);
    await finish(t, connection, exchange, proof);
  });

  it('is one of 20 at an address: the 21st is refused until one ends, and other addresses are not', async () => {
    const t = await openChat();
    const message = 'n,,n=nobody,r=fyko+d2lbbFgONRv9qkxdawL';
    const begin = (address: string, connection = peer({ address })) =>
      t.call(connection, 'login.begin', { message });
    const first = peer({ address: '192.0.2.7' });
    const { exchange } = await begin('', first);
    for (let one = 1; one < maxExchanges.perAddress; one++) await begin('192.0.2.7');
    const tooMany = {
      code: 'rate-limited',
      message: 'too many logins are under way: finish or wait',
      retryAfterMs: expect.any(Number),
    };
    expect(await refusal(begin('192.0.2.7'))).toEqual(tooMany);
    expect(await refusal(begin('::ffff:192.0.2.7'))).toEqual(tooMany);
    await begin('192.0.2.8');
    // One that is tried gives its place up …
    const proof = `c=biws,r=fyko+d2lbbFgONRv9qkxdawLx,p=${'A'.repeat(43)}=`;
    expect(await refusal(finish(t, first, exchange, proof))).toEqual(badCredentials);
    const second = peer({ address: '192.0.2.7' });
    await begin('', second);
    expect(await refusal(begin('192.0.2.7'))).toEqual(tooMany);
    // … one whose connection has gone does …
    second.leave();
    await begin('192.0.2.7');
    expect(await refusal(begin('192.0.2.7'))).toEqual(tooMany);
    // … and those that are too old do.
    vi.advanceTimersByTime(exchangeMs - 1);
    expect(await refusal(begin('192.0.2.7'))).toEqual(tooMany);
    vi.advanceTimersByTime(1);
    await begin('192.0.2.7');
  });

  it('counts an IPv6 address by its /64', async () => {
    const t = await openChat();
    const begin = (address: string) =>
      t.call(peer({ address }), 'login.begin', { message: 'n,,n=nobody,r=fyko+d2lbbFgONRv9qkxdawL' });
    for (let one = 0; one < maxExchanges.perAddress; one++) await begin(`2001:db8:0:1::${one + 1}`);
    expect(await refusal(begin('2001:db8:0:1:ffff::1'))).toMatchObject({ code: 'rate-limited' });
    await begin('2001:db8:0:2::1');
  });

  it('over HTTP keeps nobody of its address from beginning one on a connection', async () => {
    const t = await openChat();
    const begin = (events?: null) =>
      t.call(peer(events === null ? { events } : {}), 'login.begin', {
        message: 'n,,n=nobody,r=fyko+d2lbbFgONRv9qkxdawL',
      });
    for (let one = 0; one < maxExchanges.perAddress; one++) await begin(null);
    expect(await refusal(begin(null))).toMatchObject({ code: 'rate-limited' });
    for (let one = 0; one < maxExchanges.perAddress; one++) await begin();
    expect(await refusal(begin())).toMatchObject({ code: 'rate-limited' });
  });

  it('does not outlive a clock that is set back by hours, nor keep its place', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const connection = peer();
    const { exchange, proof } = await challenged(t, connection, 'alice');
    for (let one = 1; one < maxExchanges.perAddress; one++) await challenged(t, connection, 'alice');
    vi.setSystemTime(start - 3_600_000);
    expect(await refusal(finish(t, connection, exchange, proof))).toEqual(hasEnded);
    for (let one = 0; one < maxExchanges.perAddress; one++) await challenged(t, connection, 'alice');
  });

  it('bears a clock that is set back a little between challenge and proof', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const connection = peer();
    const { exchange, proof } = await challenged(t, connection, 'alice');
    vi.setSystemTime(start - exchangeMs);
    await finish(t, connection, exchange, proof);
  });

  it('leaves nothing at its connection, however many there were', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const connection = peer();
    for (let one = 0; one < 5; one++) {
      await login(t, connection, 'alice');
      await t.call(connection, 'session.end', {});
      await t.call(connection, 'login.begin', { message: 'n,,n=nobody,r=fyko+d2lbbFgONRv9qkxdawL' });
    }
    // One for its exchanges and one for its session.
    expect(connection.goneListeners).toBe(2);
    // Those of the last connection were dropped with it, and give their places up.
    connection.leave();
    const next = peer();
    for (let one = 0; one < maxExchanges.perAddress; one++) await challenged(t, next, 'alice');
  });

  it('is dropped when the connection has gone before it began', async () => {
    const t = await openChat();
    for (let one = 0; one < 2 * maxExchanges.perAddress; one++) {
      const gone = peer();
      gone.leave();
      await t.call(gone, 'login.begin', { message: 'n,,n=nobody,r=fyko+d2lbbFgONRv9qkxdawL' });
    }
  });
});

describe('login.finish', () => {
  it('is refused when the password was changed, the account removed or disabled, since the challenge', async () => {
    const t = await openChat();
    const beginAgain = {
      code: 'conflict',
      message: 'the verifier has been changed since this login began: begin again',
    };
    const disabled = { code: 'forbidden', message: 'this account is disabled: ask an administrator' };
    for (const [name, what, answer] of [
      ['alice', 'changed', beginAgain],
      ['bob', 'removed', badCredentials],
      ['carol', 'disabled', disabled],
    ] as const) {
      await register(t, name);
      const [right, other] = [peer(), peer()];
      const begun = await challenged(t, right, name, password);
      const mistaken = await challenged(t, other, name, wrong);
      await happens(t.store, what, name);
      expect(await refusal(finish(t, right, begun.exchange, begun.proof))).toEqual(answer);
      expect(await refusal(finish(t, other, mistaken.exchange, mistaken.proof))).toEqual(badCredentials);
      expect([right.session, other.session]).toEqual([undefined, undefined]);
    }
  });

  it('opens what an account may do now that was put down to be erased since the challenge', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const connection = peer();
    const { exchange, proof } = await challenged(t, connection, 'alice');
    await happens(t.store, 'put down to be erased', 'alice');
    await finish(t, connection, exchange, proof);
    expect(await refusal(t.call(connection, 'message.send', { to: '#lobby', text: 'a' }))).toMatchObject({
      code: 'forbidden',
      message: expect.stringMatching(/^this account is to be erased at /),
    });
  });

  it('asks the store for the credential once, with its session', async () => {
    const asked: string[] = [];
    const t = await openChat({
      store: (store): Store => ({
        ...store,
        async credential(username: Username) {
          asked.push('credential');
          return await store.credential(username);
        },
        async openSession(session) {
          asked.push('session');
          return await store.openSession(session);
        },
      }),
    });
    await register(t, 'alice');
    await login(t, peer(), 'alice');
    expect(asked).toEqual(['credential', 'session']);
  });

  it('is refused without an exchange', async () => {
    const t = await openChat();
    const proof = `c=biws,r=x,p=${'A'.repeat(43)}=`;
    expect(await refusal(finish(t, peer(), 'none', proof))).toEqual(hasEnded);
  });
});

describe('login.reject', () => {
  it('ends the session of a client that found the proof wrong, and is audited', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice', { address: '192.0.2.7' });
    t.audit.length = 0;
    expect(await t.call(alice, 'login.reject', {})).toEqual({});
    expect(alice.endings).toEqual([]);
    expect(await refusal(t.call(alice, 'account.me', {}))).toEqual(logInFirst);
    const { session_token, refresh_token } = alice.opened;
    expect(await refusal(t.call(peer(), 'login.resume', { session_token }))).toEqual(badToken);
    expect(await refusal(t.call(peer(), 'session.refresh', { refresh_token }))).toEqual(badToken);
    expect(t.audit[0]).toEqual({
      at: start,
      operation: 'login.reject',
      user: 'alice',
      door: 'line',
      address: '192.0.2.7',
      outcome: 'ok',
      details: { session: alice.opened.session_id },
    });
  });
});

describe('the audit trail of logins', () => {
  it('16.2.5: says who, from where and with what outcome, and holds no secret', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice', { address: '192.0.2.7', door: 'websocket' });
    const { session_token, refresh_token } = alice.opened;
    const failing = peer({ address: '192.0.2.8' });
    const { exchange, proof } = await challenged(t, failing, 'alice', wrong);
    await refusal(finish(t, failing, exchange, proof));
    const resumed = peer();
    await t.call(resumed, 'login.resume', { session_token });
    const refreshed = await t.call(peer(), 'session.refresh', { refresh_token });
    await t.call(resumed, 'session.end', {});
    await refusal(t.call(peer(), 'login.resume', { session_token }));
    expect(
      t.audit.map(({ operation, user, door, address, outcome }) => [operation, user, door, address, outcome]),
    ).toEqual([
      ['account.register', 'alice', 'line', '192.0.2.1', 'ok'],
      ['login.finish', 'alice', 'websocket', '192.0.2.7', 'ok'],
      ['login.finish', 'alice', 'line', '192.0.2.8', 'unauthenticated'],
      ['login.resume', 'alice', 'line', '192.0.2.1', 'ok'],
      ['session.refresh', 'alice', 'line', '192.0.2.1', 'ok'],
      ['session.end', 'alice', 'line', '192.0.2.1', 'ok'],
      ['login.resume', undefined, 'line', '192.0.2.1', 'unauthenticated'],
    ]);
    const { verifier } = await registration('alice');
    const text = JSON.stringify(t.audit);
    for (const secret of [
      session_token,
      refresh_token,
      refreshed.session_token,
      refreshed.refresh_token,
      proof,
      exchange,
      password,
      verifier.stored_key,
      verifier.server_key,
      verifier.salt,
    ]) {
      expect(text).not.toContain(secret);
    }
    expect(t.failures).toEqual([]);
  });
});

describe('account.register', () => {
  it('refuses a name that is taken, in any case of letters, and tells nothing of an e-mail address', async () => {
    const t = await openChat();
    const alice = await registration('alice');
    expect(await t.call(peer(), 'account.register', { ...alice, email: 'alice@example.org' })).toEqual({
      user_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      username: 'alice',
      created_at: new Date(start).toISOString(),
    });
    expect(await refusal(t.call(peer(), 'account.register', { ...alice, username: 'ALICE' }))).toEqual({
      code: 'conflict',
      message: 'this username is taken already',
      field: 'username',
    });
    expect(
      await t.call(peer(), 'account.register', { ...alice, username: 'alice2', email: 'Alice@Example.ORG' }),
    ).toMatchObject({ username: 'alice2' });
  });

  it('15.4.2: makes one account of 100 parallel registrations of one name', async () => {
    const t = await openChat({ policy: { registrationsPerHour: 0 } });
    const alice = await registration('alice');
    const outcomes = await Promise.allSettled(
      Array.from({ length: 100 }, () => t.call(peer(), 'account.register', alice)),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await login(t, peer(), 'alice');
  });

  it('does not log in', async () => {
    const t = await openChat();
    const connection = peer();
    await t.call(connection, 'account.register', await registration('alice'));
    expect(await refusal(t.call(connection, 'account.me', {}))).toEqual(logInFirst);
  });

  it('refuses a verifier of another suite, cost or size, naming the field', async () => {
    const t = await openChat();
    const alice = await registration('alice');
    const { verifier } = alice;
    const table: Array<[string, object]> = [
      ['verifier.suite', { suite: 'SCRAM-SHA-256' }],
      ['verifier.cost', { cost: 9 }],
      ['verifier.cost', { cost: 11 }],
      ['verifier.cost', { cost: 10.5 }],
      ['verifier.salt', { salt: 'AAAA' }],
      ['verifier.salt', { salt: ` ${verifier.salt}` }],
      ['verifier.stored_key', { stored_key: verifier.salt }],
      ['verifier.server_key', { server_key: 'x' }],
    ];
    for (const [field, change] of table) {
      const input = { ...alice, verifier: { ...verifier, ...change } };
      expect(await refusal(t.send(peer(), 'account.register', input))).toMatchObject({
        code: 'invalid',
        field,
      });
    }
    for (const username of ['', '-a', 'a b', 'é', 'a'.repeat(33), 'a\n']) {
      expect(await refusal(t.call(peer(), 'account.register', { ...alice, username }))).toEqual({
        code: 'invalid',
        message:
          "username: a name has 1 to 32 characters of a-z, 0-9, '.', '_' and '-', and begins with a letter or digit",
        field: 'username',
      });
    }
    expect(await t.store.account(parseUsername('alice'))).toBeUndefined();
    await t.call(peer(), 'account.register', { ...alice, username: 'a'.repeat(32) });
  });

  it('says before what a verifier must be made of', async () => {
    const t = await openChat();
    expect(await t.call(peer(), 'account.begin-register', {})).toEqual({
      realm: 'chat.example',
      cost: 10,
      suite: 'CHAT-SCRAM-BCRYPT-1',
      server_key: Buffer.from(serverKey).toString('base64'),
      password_policy: { min_code_points: 6, common: 'refuse' },
      registration: 'open',
    });
  });
});
