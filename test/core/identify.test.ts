import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ChatError } from '../../src/core/errors.ts';
import type { Session } from '../../src/core/model/session.ts';
import type { Store } from '../../src/core/ports/store.ts';
import {
  badToken,
  type FakePeer,
  loggedIn,
  logInFirst,
  openChat,
  peer,
  refusal,
  register,
  type TestChat,
} from './support/chat.ts';

const minute = 60_000;
const day = 24 * 60 * minute;
const start = Date.parse('2026-03-01T12:00:00.000Z');

beforeEach(() => {
  vi.useFakeTimers({ now: start });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Chat with the accounts `alice` and `bob`. */
async function open(store?: (store: Store) => Store): Promise<TestChat> {
  const t = await openChat(store ? { store } : {});
  await register(t, 'alice', 'bob');
  return t;
}

/** A request: a connection that lives for one answer and takes no events. */
const request = (): FakePeer => peer({ door: 'http', events: null });

/** Makes one whole request with a token: who is it? */
async function whoAmI(t: TestChat, token: string): Promise<string> {
  const one = request();
  await t.chat.identify(one, token);
  const { username } = await t.call(one, 'account.me', {});
  one.leave();
  return username;
}

describe('a request that carries a token', () => {
  it('is its account’s until it is over, and is no login', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice', { events: null });
    const watcher = await loggedIn(t, 'bob');
    await t.call(watcher, 'user.list', { watch: true });
    const entries = t.audit.length;
    const one = request();
    await t.chat.identify(one, alice.opened.session_token);
    expect(one.session).toMatchObject({ id: alice.opened.session_id, username: 'alice' });
    expect((await t.call(one, 'account.me', {})).username).toBe('alice');
    one.leave();
    expect(one.session).toBeUndefined();
    await t.quiet();
    expect(t.audit.length).toBe(entries);
    expect(watcher.told('presence').filter(({ user }) => user !== 'bob')).toEqual([]);
    expect((await t.call(watcher, 'user.list', { all: true })).users).toContainEqual({
      username: 'alice',
      online: false,
    });
  });

  it('counts against no limit of logins', async () => {
    const t = await openChat({ policy: { loginsPerMinute: 3 } });
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    for (let times = 0; times < 10; times++) {
      expect(await whoAmI(t, alice.opened.session_token)).toBe('alice');
    }
  });

  it('7.2.1: is refused with one text whatever is wrong with its token, and is nobody’s', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    const { session_token: token, refresh_token: refresh } = alice.opened;
    for (const wrong of [
      '',
      'cs1_',
      `${token}=`,
      token.toUpperCase(),
      refresh,
      `cs1_${'A'.repeat(43)}`,
      'x'.repeat(100_000),
    ]) {
      const one = request();
      expect(await refusal(t.chat.identify(one, wrong))).toEqual(badToken);
      expect(one.session).toBeUndefined();
      expect(await refusal(t.call(one, 'account.me', {}))).toEqual(logInFirst);
    }
  });

  it('may be one of many at the same time, each let go by itself', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    const requests = Array.from({ length: 40 }, request);
    await Promise.all(requests.map((one) => t.chat.identify(one, alice.opened.session_token)));
    alice.leave();
    for (const [index, one] of requests.entries()) {
      expect((await t.call(one, 'account.me', {})).username).toBe('alice');
      one.leave();
      expect(requests.slice(index + 1).every(({ session }) => session?.username === 'alice')).toBe(true);
    }
    expect(requests.flatMap(({ endings }) => endings)).toEqual([]);
  });

  it('7.4.1: is nobody’s any more when its session ends while it is served, and no later one is let in', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    const phone = await loggedIn(t, 'alice');
    const one = request();
    await t.chat.identify(one, phone.opened.session_token);
    await t.call(alice, 'session.revoke', { id: phone.opened.session_id });
    expect(one.session).toBeUndefined();
    expect(await refusal(t.call(one, 'account.me', {}))).toEqual(logInFirst);
    expect(await refusal(t.chat.identify(request(), phone.opened.session_token))).toEqual(badToken);
  });

  it('7.4.1: that ends its own session gets its answer, and the token is dead', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice', { events: null, door: 'http' });
    alice.leave();
    const one = request();
    await t.chat.identify(one, alice.opened.session_token);
    expect(await t.call(one, 'session.end', {})).toEqual({});
    expect(one.endings).toEqual([]);
    expect(await refusal(t.chat.identify(request(), alice.opened.session_token))).toEqual(badToken);
  });

  it('that has gone before its session was found holds nothing', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    const one = request();
    const identified = t.chat.identify(one, alice.opened.session_token);
    one.leave();
    await identified;
    expect(one.session).toBeUndefined();
    expect(await refusal(t.call(one, 'account.me', {}))).toEqual(logInFirst);
  });

  it('is told when the store cannot serve, and of anything else only an id', async () => {
    let fail: unknown;
    const t = await open((store) => ({
      ...store,
      sessionByToken: (hash): Promise<Session | undefined> =>
        fail === undefined ? store.sessionByToken(hash) : Promise.reject(fail),
    }));
    const alice = await loggedIn(t, 'alice');
    fail = new ChatError('unavailable', 'the disk is full');
    expect(await refusal(t.chat.identify(request(), alice.opened.session_token))).toEqual({
      code: 'unavailable',
      message: 'the disk is full',
    });
    fail = new Error('secret detail');
    const refused = await refusal(t.chat.identify(request(), alice.opened.session_token));
    expect(refused.code).toBe('internal');
    expect(refused.message).not.toContain('secret');
    expect(t.failures).toEqual([{ error: fail, errorId: refused.errorId }]);
  });
});

describe('the life of a session that is used by requests alone', () => {
  it('7.3.1: each use moves its end, to the millisecond', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    const { session_token: token } = alice.opened;
    alice.leave();
    vi.setSystemTime(start + day - 1);
    expect(await whoAmI(t, token)).toBe('alice');
    vi.setSystemTime(start + 2 * day - 2);
    expect(await whoAmI(t, token)).toBe('alice');
    vi.setSystemTime(start + 3 * day - 2);
    expect(await refusal(whoAmI(t, token))).toEqual(badToken);
  });

  it('7.3.2: dies at 7 d however busy it is, to the millisecond', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    const { session_token: token } = alice.opened;
    alice.leave();
    for (let hours = 12; hours < 7 * 24; hours += 12) {
      vi.setSystemTime(start + hours * 60 * minute);
      expect(await whoAmI(t, token)).toBe('alice');
    }
    vi.setSystemTime(start + 7 * day - 1);
    expect(await whoAmI(t, token)).toBe('alice');
    vi.setSystemTime(start + 7 * day);
    expect(await refusal(whoAmI(t, token))).toEqual(badToken);
  });
});
