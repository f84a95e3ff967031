import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { DeviceId, SessionId, UserId } from '../../src/core/model/ids.ts';
import type { Session } from '../../src/core/model/session.ts';
import type { Username } from '../../src/core/model/username.ts';
import { defaultPolicy, maxExchanges, refreshGraceMs, sharedSessions } from '../../src/core/policy.ts';
import type { Store } from '../../src/core/ports/store.ts';
import { createSessions } from '../../src/core/sessions.ts';
import {
  badToken,
  FakePeer,
  loggedIn,
  logInFirst,
  login,
  openChat,
  peer,
  refusal,
  register,
  type TestChat,
} from './support/chat.ts';
import { Network } from './support/network.ts';

const hour = 3_600_000;
const day = 24 * hour;
const start = Date.parse('2026-03-01T12:00:00.000Z');

beforeEach(() => {
  vi.useFakeTimers({ now: start });
});
afterEach(() => {
  vi.useRealTimers();
});

const iso = (ms: number): string => new Date(ms).toISOString();

/** Chat with the accounts `alice` and `bob`. */
async function open(store?: (store: Store) => Store): Promise<TestChat> {
  const t = await openChat(store ? { store } : {});
  await register(t, 'alice', 'bob');
  return t;
}

describe('the life of a session', () => {
  it('7.3.1: is alive for a call 1 ms before it has been idle for 24 h', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    vi.advanceTimersByTime(day - 1);
    await expect(t.call(alice, 'account.me', {})).resolves.toMatchObject({ username: 'alice' });
    expect(alice.endings).toEqual([]);
  });

  it('7.3.1: closes an open connection that makes no calls when exactly 24 h have passed', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    vi.advanceTimersByTime(day - 1);
    expect(alice.endings).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(alice.endings).toEqual(['expired']);
    expect(alice.session).toBeUndefined();
  });

  it('7.3.1: is dead for a call at exactly 24 h, before any timer has run', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    vi.setSystemTime(start + day);
    expect(await refusal(t.call(alice, 'account.me', {}))).toEqual(badToken);
    expect(alice.endings).toEqual(['expired']);
  });

  it('7.3.1: resumes with its token 1 ms before 24 h, and not at exactly 24 h', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    const token = { session_token: alice.opened.session_token };
    alice.leave();
    vi.setSystemTime(start + day - 1);
    const again = peer();
    expect(await t.call(again, 'login.resume', token)).toEqual({
      user_id: alice.opened.user_id,
      username: 'alice',
      session_id: alice.opened.session_id,
      expires_at: iso(start + day - 1 + day),
      device_id: alice.opened.device_id,
    });
    again.leave();
    vi.setSystemTime(start + day - 1 + day);
    expect(await refusal(t.call(peer(), 'login.resume', token))).toEqual(badToken);
  });

  it('7.3.2: slides with use, but never past 7 days', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    for (let use = 0; use < 13; use++) {
      vi.advanceTimersByTime(12 * hour);
      const { session } = await t.call(alice, 'account.me', {});
      expect(session.expires_at).toBe(iso(Math.min(Date.now() + day, start + 7 * day)));
    }
    vi.advanceTimersByTime(12 * hour - 1);
    await t.call(alice, 'account.me', {});
    expect(alice.endings).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(alice.endings).toEqual(['expired']);
    const token = { session_token: alice.opened.session_token };
    expect(await refusal(t.call(peer(), 'login.resume', token))).toEqual(badToken);
  });

  it('is not used by a ping', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    vi.advanceTimersByTime(day - 1);
    // It tells the server's time, which fake timers set.
    expect(await t.call(alice, 'ping', {})).toEqual({ time: iso(Date.now()), protocol: 1 });
    vi.advanceTimersByTime(1);
    expect(alice.endings).toEqual(['expired']);
  });

  it('has its last use written at most once a minute, and at a minute exactly', async () => {
    const touched: number[] = [];
    const t = await open((store) => ({
      ...store,
      touchSession: (touch) => {
        touched.push(touch.lastUsedAt - start);
        return store.touchSession(touch);
      },
    }));
    const alice = await loggedIn(t, 'alice');
    for (const at of [1, 59_999, 60_000, 60_001, 119_999, 120_000, 180_001]) {
      vi.setSystemTime(start + at);
      await t.call(alice, 'account.me', {});
    }
    expect(touched).toEqual([60_000, 120_000, 180_001]);
  });

  it('keeps a use that the store has not heard of: another connection resumes by it', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    vi.setSystemTime(start + 30_000);
    await t.call(alice, 'account.me', {});
    vi.setSystemTime(start + 30_000 + day - 1);
    const again = peer();
    await t.call(again, 'login.resume', { session_token: alice.opened.session_token });
    expect(again.session?.id).toBe(alice.opened.session_id);
  });

  it('is used by any of its connections, and ends on all of them', async () => {
    const t = await open();
    const one = await loggedIn(t, 'alice');
    const other = peer();
    await t.call(other, 'login.resume', { session_token: one.opened.session_token });
    vi.advanceTimersByTime(day - 1);
    await t.call(other, 'account.me', {});
    vi.advanceTimersByTime(day - 1);
    expect([one.endings, other.endings]).toEqual([[], []]);
    vi.advanceTimersByTime(1);
    expect([one.endings, other.endings]).toEqual([['expired'], ['expired']]);
  });

  it('outlives its connection', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    alice.leave();
    const again = peer();
    await t.call(again, 'login.resume', { session_token: alice.opened.session_token });
    expect(again.session?.username).toBe('alice');
  });
});

describe('a refresh', () => {
  it('gives a new pair, and the old session token is dead at once', async () => {
    const t = await open();
    const { opened } = await loggedIn(t, 'alice');
    vi.advanceTimersByTime(hour);
    const next = await t.call(peer(), 'session.refresh', { refresh_token: opened.refresh_token });
    expect(next).toEqual({
      user_id: opened.user_id,
      username: 'alice',
      session_id: opened.session_id,
      session_token: expect.stringMatching(/^cs1_[\w-]{43}$/),
      refresh_token: expect.stringMatching(/^cr1_[\w-]{43}$/),
      expires_at: iso(start + hour + day),
      device_id: opened.device_id,
    });
    expect(new Set([opened.session_token, next.session_token, opened.refresh_token]).size).toBe(3);
    expect(next.refresh_token).not.toBe(opened.refresh_token);
    const old = { session_token: opened.session_token };
    expect(await refusal(t.call(peer(), 'login.resume', old))).toEqual(badToken);
    await t.call(peer(), 'login.resume', { session_token: next.session_token });
  });

  it('gives the same successor 1 ms before 20 s, for an answer may be lost', async () => {
    const t = await open();
    const { opened } = await loggedIn(t, 'alice');
    const token = { refresh_token: opened.refresh_token };
    const next = await t.call(peer(), 'session.refresh', token);
    vi.advanceTimersByTime(refreshGraceMs - 1);
    const again = await t.call(peer(), 'session.refresh', token);
    expect(again).toEqual(next);
    await t.call(peer(), 'session.refresh', { refresh_token: again.refresh_token });
  });

  it('at exactly 20 s is a theft: the family is gone, its connections closed, and it is audited', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice', { address: '192.0.2.7' });
    const token = { refresh_token: alice.opened.refresh_token };
    const next = await t.call(peer(), 'session.refresh', token);
    vi.advanceTimersByTime(refreshGraceMs);
    t.audit.length = 0;
    expect(await refusal(t.call(peer({ address: '198.51.100.9' }), 'session.refresh', token))).toEqual(
      badToken,
    );
    expect(alice.endings).toEqual(['refresh-reused']);
    for (const dead of [alice.opened, next]) {
      expect(await refusal(t.call(peer(), 'login.resume', { session_token: dead.session_token }))).toEqual(
        badToken,
      );
      expect(await refusal(t.call(peer(), 'session.refresh', { refresh_token: dead.refresh_token }))).toEqual(
        badToken,
      );
    }
    const session = alice.opened.session_id;
    expect(t.audit.slice(0, 2)).toEqual([
      {
        at: start + refreshGraceMs,
        operation: 'session.ended',
        user: 'alice',
        door: 'line',
        address: '192.0.2.7',
        outcome: 'ok',
        details: { session, reason: 'refresh-reused' },
      },
      {
        at: start + refreshGraceMs,
        operation: 'session.refresh',
        user: 'alice',
        door: 'line',
        address: '198.51.100.9',
        outcome: 'unauthenticated',
        details: { session, reused: true },
      },
    ]);
  });

  it('within 20 s is a theft all the same when its successor was used already', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    const token = { refresh_token: alice.opened.refresh_token };
    const next = await t.call(peer(), 'session.refresh', token);
    await t.call(peer(), 'session.refresh', { refresh_token: next.refresh_token });
    expect(await refusal(t.call(peer(), 'session.refresh', token))).toEqual(badToken);
    expect(alice.endings).toEqual(['refresh-reused']);
  });

  it('works until 1 ms before 30 days after the login, however often it was renewed', async () => {
    const t = await open();
    let { refresh_token } = (await loggedIn(t, 'alice')).opened;
    for (let renewal = 0; renewal < 5; renewal++) {
      vi.setSystemTime(start + (renewal + 1) * 5 * day);
      ({ refresh_token } = await t.call(peer(), 'session.refresh', { refresh_token }));
    }
    vi.setSystemTime(start + 30 * day - 1);
    const last = await t.call(peer(), 'session.refresh', { refresh_token });
    expect(last.expires_at).toBe(iso(start + 30 * day));
    vi.setSystemTime(start + 30 * day);
    expect(await refusal(t.call(peer(), 'session.refresh', last.refresh_token as never))).toMatchObject({
      code: 'invalid',
    });
    expect(await refusal(t.call(peer(), 'session.refresh', { refresh_token: last.refresh_token }))).toEqual(
      badToken,
    );
    expect(await refusal(t.call(peer(), 'login.resume', { session_token: last.session_token }))).toEqual(
      badToken,
    );
  });

  it('lets a connection that is open live on, with the new end', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    vi.advanceTimersByTime(day - 1);
    await t.call(peer(), 'session.refresh', { refresh_token: alice.opened.refresh_token });
    vi.advanceTimersByTime(day - 1);
    expect(alice.endings).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(alice.endings).toEqual(['expired']);
  });

  it('in parallel with the same token gives the same pair each time', async () => {
    const t = await open();
    const { opened } = await loggedIn(t, 'alice');
    const token = { refresh_token: opened.refresh_token };
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => t.call(peer(), 'session.refresh', token)),
    );
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  });
});

describe('a token of the wrong kind', () => {
  it('is refused with the one text of every dead token', async () => {
    const t = await open();
    const { opened } = await loggedIn(t, 'alice');
    const unknown = `${'A'.repeat(42)}E`;
    for (const text of [
      opened.refresh_token,
      `cs1_${unknown}`,
      `${opened.session_token} `,
      '',
      'cs1_',
      'x',
    ]) {
      expect(await refusal(t.call(peer(), 'login.resume', { session_token: text }))).toEqual(badToken);
    }
    for (const text of [opened.session_token, `cr1_${unknown}`, `${opened.refresh_token}=`, '', 'cr1_']) {
      expect(await refusal(t.call(peer(), 'session.refresh', { refresh_token: text }))).toEqual(badToken);
    }
    // Nothing of that has hurt the session.
    await t.call(peer(), 'login.resume', { session_token: opened.session_token });
  });
});

describe('a device', () => {
  it('7.2.4: has one session: a new login on it makes new tokens and ends the old one', async () => {
    const t = await open();
    const first = await loggedIn(t, 'alice', { device: { label: 'laptop' } });
    const { device_id: id } = first.opened;
    const second = await loggedIn(t, 'alice', { device: { id } });
    expect(second.opened.device_id).toBe(id);
    expect(second.opened.session_token).not.toBe(first.opened.session_token);
    expect(first.endings).toEqual(['replaced']);
    expect(second.endings).toEqual([]);
    const old = first.opened;
    expect(await refusal(t.call(peer(), 'login.resume', { session_token: old.session_token }))).toEqual(
      badToken,
    );
    expect(await refusal(t.call(peer(), 'session.refresh', { refresh_token: old.refresh_token }))).toEqual(
      badToken,
    );
    const { sessions } = await t.call(second, 'session.list', {});
    expect(sessions.map(({ device, current }) => ({ device, current }))).toEqual([
      { device: 'laptop', current: true },
    ]);
  });

  it('7.2.4: of another account is replaced by a new one, and the session on it ends, and only it', async () => {
    const t = await open();
    const bob = await loggedIn(t, 'bob', { device: { label: 'his' } });
    const elsewhere = await loggedIn(t, 'bob', { device: { label: 'phone' } });
    const alice = await loggedIn(t, 'alice', { device: { id: bob.opened.device_id, label: 'mine' } });
    expect(alice.opened.device_id).not.toBe(bob.opened.device_id);
    expect(bob.endings).toEqual(['replaced']);
    const { session_token } = bob.opened;
    expect(await refusal(t.call(peer(), 'login.resume', { session_token }))).toEqual(badToken);
    expect(elsewhere.endings).toEqual([]);
    const { sessions } = await t.call(elsewhere, 'session.list', {});
    expect(sessions.map(({ device }) => device)).toEqual(['phone']);
    expect((await t.call(alice, 'account.me', {})).session.device).toBe('mine');
  });

  it('that nobody has is replaced by a new one: no client chooses an id', async () => {
    const t = await open();
    const id = '01890000-0000-7000-8000-000000000000';
    const alice = await loggedIn(t, 'alice', { device: { id } });
    expect(alice.opened.device_id).not.toBe(id);
  });

  it('gives way when its account has 50 sessions: the longest idle one ends, and only it', async () => {
    const t = await openChat({ policy: { maxSessionsPerAccount: 3 } });
    await register(t, 'alice', 'bob');
    const bob = await loggedIn(t, 'bob');
    const connections = [];
    for (let device = 0; device < 3; device++) {
      connections.push(await loggedIn(t, 'alice'));
      vi.advanceTimersByTime(60_000);
    }
    const [first, second, third] = connections;
    if (!first || !second || !third) throw new Error('three were made');
    await t.call(first, 'account.me', {});
    expect([first, second, third, bob].map(({ endings }) => endings)).toEqual([[], [], [], []]);
    const fourth = await loggedIn(t, 'alice');
    expect([first, second, third, fourth, bob].map(({ endings }) => endings)).toEqual([
      [],
      ['replaced'],
      [],
      [],
      [],
    ]);
  });

  it('is one of 50 by default', async () => {
    const t = await open();
    const connections = [];
    for (let device = 0; device < 50; device++) {
      connections.push(await loggedIn(t, 'alice'));
      vi.advanceTimersByTime(1);
    }
    expect(connections.flatMap(({ endings }) => endings)).toEqual([]);
    expect(connections.length).toBeGreaterThan(maxExchanges.perAddress);
    const one = await loggedIn(t, 'alice');
    expect(connections.map(({ endings }) => endings.length).join('')).toBe(`1${'0'.repeat(49)}`);
    expect((await t.call(one, 'session.list', {})).sessions).toHaveLength(50);
  });
});

describe('the name of a device', () => {
  it('is given by its account to any of its sessions, at once here and in the list, and stays', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice', { device: { default_label: 'machine' } });
    const phone = await loggedIn(t, 'alice', { device: { label: 'phone' } });
    expect(await t.call(alice, 'session.rename', { id: phone.opened.session_id, device: 'Lucía’s' })).toEqual(
      { device: 'Lucía’s' },
    );
    await t.call(alice, 'session.rename', { id: alice.opened.session_id, device: 'desk' });
    const nameOf = async (connection: Parameters<typeof t.call>[0]) =>
      (await t.call(connection, 'account.me', {})).session.device;
    expect([await nameOf(alice), await nameOf(phone)]).toEqual(['desk', 'Lucía’s']);
    const { sessions } = await t.call(alice, 'session.list', {});
    expect(sessions.map(({ device }) => device).toSorted()).toEqual(['Lucía’s', 'desk']);
    const id = alice.opened.device_id;
    const again = await loggedIn(t, 'alice', { device: { id, default_label: 'machine' } });
    expect(await nameOf(again)).toBe('desk');
    expect(await nameOf(await loggedIn(t, 'alice', { device: { id, label: 'new desk' } }))).toBe('new desk');
  });

  it('is a default where nobody has given one, also for a device that is another account’s', async () => {
    const t = await open();
    const bob = await loggedIn(t, 'bob', { device: { default_label: 'machine' } });
    const device = { id: bob.opened.device_id, default_label: 'machine' };
    const alice = await loggedIn(t, 'alice', { device });
    expect((await t.call(alice, 'account.me', {})).session.device).toBe('machine');
  });

  it('of another account’s session is not to be given (ASVS 8.2.2), and no name that is none', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice', { device: { label: 'hers' } });
    const bob = await loggedIn(t, 'bob');
    const id = alice.opened.session_id;
    const notFound = { code: 'not-found', message: 'there is no such session', field: 'id' };
    expect(await refusal(t.call(bob, 'session.rename', { id, device: 'mine' }))).toEqual(notFound);
    for (const device of ['', 'a\nb', 'x'.repeat(129)]) {
      expect(await refusal(t.call(alice, 'session.rename', { id, device }))).toMatchObject({
        code: 'invalid',
        field: 'device',
      });
    }
    expect((await t.call(alice, 'account.me', {})).session.device).toBe('hers');
  });
});

describe('listing and ending sessions', () => {
  it('7.5.2: lists what is alive, the last used first, each with where it came from', async () => {
    const t = await open();
    const laptop = await loggedIn(t, 'alice', { device: { label: 'laptop' } });
    vi.advanceTimersByTime(hour);
    const phone = await loggedIn(t, 'alice', {
      device: { label: 'phone' },
      door: 'websocket',
      address: '2001:db8::1',
    });
    await loggedIn(t, 'bob');
    const { sessions } = await t.call(phone, 'session.list', {});
    expect(sessions).toEqual([
      {
        id: phone.opened.session_id,
        device: 'phone',
        door: 'websocket',
        address: '2001:db8::1',
        created_at: iso(start + hour),
        last_used_at: iso(start + hour),
        expires_at: iso(start + hour + day),
        current: true,
      },
      {
        id: laptop.opened.session_id,
        device: 'laptop',
        door: 'line',
        address: '192.0.2.1',
        created_at: iso(start),
        last_used_at: iso(start),
        expires_at: iso(start + day),
        current: false,
      },
    ]);
    vi.advanceTimersByTime(day - hour);
    expect((await t.call(phone, 'session.list', {})).sessions.map(({ id }) => id)).toEqual([
      phone.opened.session_id,
    ]);
  });

  it('4.4.3: ends one by its id, at once and with its connections', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    const phone = await loggedIn(t, 'alice');
    const id = phone.opened.session_id;
    expect(await t.call(alice, 'session.revoke', { id })).toEqual({ revoked: [id] });
    expect(phone.endings).toEqual(['revoked']);
    expect(alice.endings).toEqual([]);
    const token = { session_token: phone.opened.session_token };
    expect(await refusal(t.call(peer(), 'login.resume', token))).toEqual(badToken);
    expect(await refusal(t.call(alice, 'session.revoke', { id }))).toEqual({
      code: 'not-found',
      message: 'there is no such session',
      field: 'id',
    });
  });

  it("8.2.2: does not find another account's session, and leaves it alone", async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    const bob = await loggedIn(t, 'bob');
    const foreign = await refusal(t.call(alice, 'session.revoke', { id: bob.opened.session_id }));
    const nobodys = await refusal(
      t.call(alice, 'session.revoke', { id: '01890000-0000-7000-8000-000000000000' }),
    );
    expect(foreign).toEqual({ code: 'not-found', message: 'there is no such session', field: 'id' });
    expect(foreign).toEqual(nobodys);
    expect(bob.endings).toEqual([]);
    await t.call(bob, 'account.me', {});
  });

  it('7.5.2: ends all others and keeps its own', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    const others = [await loggedIn(t, 'alice'), await loggedIn(t, 'alice')];
    const bob = await loggedIn(t, 'bob');
    const { revoked } = await t.call(alice, 'session.revoke', { others: true });
    expect(revoked.toSorted()).toEqual(others.map(({ opened }) => opened.session_id).toSorted());
    expect(others.map(({ endings }) => endings)).toEqual([['revoked'], ['revoked']]);
    expect([alice.endings, bob.endings]).toEqual([[], []]);
    await t.call(alice, 'account.me', {});
  });

  it('7.5.2: ends all: the caller is logged out, but its connection stays', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    const same = peer();
    await t.call(same, 'login.resume', { session_token: alice.opened.session_token });
    const other = await loggedIn(t, 'alice');
    await t.call(alice, 'session.revoke', { all: true });
    expect([alice.endings, same.endings, other.endings]).toEqual([[], ['revoked'], ['revoked']]);
    expect(await refusal(t.call(alice, 'account.me', {}))).toEqual(logInFirst);
    await login(t, alice, 'alice');
    await t.call(alice, 'account.me', {});
  });

  it('takes exactly one of id, others and all', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    for (const input of [{}, { others: false }, { all: true, others: true }, { id: 1 }]) {
      expect(await refusal(t.send(alice, 'session.revoke', input))).toEqual({
        code: 'invalid',
        message: 'give one of id (a session id), others: true or all: true',
      });
    }
    expect(await refusal(t.send(alice, 'session.revoke', { id: 'x' }))).toMatchObject({
      code: 'invalid',
      field: 'id',
    });
  });

  it('7.4.1: after logout is dead everywhere, while the connection stays as it began', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    const same = peer();
    await t.call(same, 'login.resume', { session_token: alice.opened.session_token });
    expect(await t.call(alice, 'session.end', {})).toEqual({});
    expect([alice.endings, same.endings]).toEqual([[], ['logged-out']]);
    expect(await refusal(t.call(alice, 'account.me', {}))).toEqual(logInFirst);
    const { session_token, refresh_token } = alice.opened;
    expect(await refusal(t.call(peer(), 'login.resume', { session_token }))).toEqual(badToken);
    expect(await refusal(t.call(peer(), 'session.refresh', { refresh_token }))).toEqual(badToken);
    await login(t, alice, 'bob');
    expect((await t.call(alice, 'account.me', {})).username).toBe('bob');
  });

  it('4.4.3: does not let a resume slip through that was under way when its session was revoked', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    for (const idle of [0, 60_000]) {
      const phone = await loggedIn(t, 'alice');
      phone.leave();
      vi.advanceTimersByTime(idle);
      const late = peer();
      const [resumed] = await Promise.all([
        refusal(t.call(late, 'login.resume', { session_token: phone.opened.session_token })).catch(
          () => 'in',
        ),
        t.call(alice, 'session.revoke', { id: phone.opened.session_id }),
      ]);
      // Either it was let in and then put out, or it was refused.
      expect(late.session).toBeUndefined();
      expect(resumed === 'in' ? late.endings : resumed).toEqual(resumed === 'in' ? ['revoked'] : badToken);
    }
  });
});

describe('a connection that is logged in', () => {
  const conflict = { code: 'conflict', message: 'this connection is logged in already' };

  it('is refused another login, and stays who it was', async () => {
    const t = await open();
    const bob = await loggedIn(t, 'bob');
    const alice = await loggedIn(t, 'alice');
    expect(await refusal(login(t, alice, 'bob'))).toEqual(conflict);
    const token = { session_token: bob.opened.session_token };
    expect(await refusal(t.call(alice, 'login.resume', token))).toEqual(conflict);
    expect((await t.call(alice, 'account.me', {})).username).toBe('alice');
  });

  it('is told that the server shuts down', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    const stranger = peer();
    t.chat.stop();
    expect([alice.endings, stranger.endings]).toEqual([['shutting-down'], []]);
  });
});

describe('a node among others', () => {
  it('asks after 3 s whether its sessions still exist, so that a lost notice delays but never prevents', async () => {
    const network = new Network();
    const t = await openChat({ bus: () => network.open() });
    const other = await openChat({ beside: t, bus: () => network.open() });
    network.weather = 'lost';
    await register(t, 'alice');
    const alice = await loggedIn(other, 'alice');
    const phone = await loggedIn(other, 'alice');
    const desk = await loggedIn(t, 'alice');
    await t.call(desk, 'session.revoke', { id: phone.opened.session_id });
    vi.advanceTimersByTime(2_999);
    await t.quiet();
    expect(phone.endings).toEqual([]);
    vi.advanceTimersByTime(1);
    await t.quiet();
    expect([phone.endings, alice.endings]).toEqual([['revoked'], []]);
  });

  it('asks about 2,000 at a time, one call after the other, and only about who is still here', async () => {
    const all = Array.from({ length: 4_500 }, (_, n) => sessionOf(n));
    const asked: SessionId[][] = [];
    let underWay = 0;
    let mostUnderWay = 0;
    const sessions = createSessions({
      store: {
        sessionByToken: async () => undefined,
        touchSession: async () => {},
        async existingSessions(ids) {
          asked.push([...ids]);
          underWay += 1;
          mostUnderWay = Math.max(mostUnderWay, underWay);
          if (asked.length === 1) sessions.ended([all[2_001]?.id as SessionId], 'revoked');
          await Promise.resolve();
          underWay -= 1;
          return all.filter(({ id }) => ids.includes(id) && id !== all[4_400]?.id);
        },
      },
      caches: [],
      bus: new Network().open(),
      policy: defaultPolicy,
      digest: () => undefined,
      onAttached() {},
      onDetached() {},
      onEnded() {},
      onFailure(error) {
        throw error;
      },
    });
    onTestFinished(() => sessions.stop());
    const peers = all.map((session) => {
      const one = new FakePeer();
      sessions.attach(one, session);
      return one;
    });
    await vi.advanceTimersByTimeAsync(sharedSessions.recheckMs + sharedSessions.lookMs - 1);
    expect(asked.map(({ length }) => length)).toEqual([2_000, 1_999, 500]);
    expect(asked.flat()).toEqual(all.filter((_, n) => n !== 2_001).map(({ id }) => id));
    expect(mostUnderWay).toBe(1);
    expect(peers.flatMap(({ endings }, n) => (endings.length > 0 ? [n] : []))).toEqual([2_001, 4_400]);
  });
});

function sessionOf(n: number): Session {
  return {
    id: `session-${n}` as SessionId,
    userId: 'alice' as UserId,
    username: 'alice' as Username,
    hasSecondFactor: false,
    deviceId: 'device' as DeviceId,
    deviceLabel: '',
    door: 'line',
    address: '192.0.2.1',
    createdAt: start,
    lastUsedAt: start,
    absoluteExpiresAt: start + 7 * day,
    familyExpiresAt: start + 30 * day,
    csrfHash: null,
  };
}
