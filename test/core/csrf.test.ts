import { describe, expect, it } from 'vitest';
import { parseCsrfToken } from '../../src/core/crypto/tokens.ts';
import type { Store } from '../../src/core/ports/store.ts';
import {
  badToken,
  loggedIn,
  logInFirst,
  openChat,
  peer,
  refusal,
  register,
  type TestChat,
} from './support/chat.ts';

const refused = {
  code: 'forbidden',
  message: 'the CSRF token is missing, or is not the latest one of this session',
};

/** Chat with the accounts `alice` and `bob`. */
async function open(store?: (store: Store) => Store): Promise<TestChat> {
  const t = await openChat(store ? { store } : {});
  await register(t, 'alice', 'bob');
  return t;
}

describe('a CSRF token', () => {
  it('3.5.1: lets its own session pass, as often as it is shown', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    const { csrf_token } = await t.call(alice, 'session.issue-csrf-token', {});
    expect(csrf_token).toMatch(/^cf1_[A-Za-z0-9_-]{43}$/);
    for (const _ of [1, 2]) {
      expect(await t.call(alice, 'session.check-csrf-token', { csrf_token })).toEqual({});
    }
  });

  it('3.5.1: is refused when it is missing, malformed, another token or another session’s, with one text', async () => {
    const t = await open();
    const [alice, phone, bob] = [
      await loggedIn(t, 'alice'),
      await loggedIn(t, 'alice'),
      await loggedIn(t, 'bob'),
    ];
    const { csrf_token: own } = await t.call(alice, 'session.issue-csrf-token', {});
    const { csrf_token: hers } = await t.call(phone, 'session.issue-csrf-token', {});
    const { csrf_token: his } = await t.call(bob, 'session.issue-csrf-token', {});
    const last = own.at(-1) === 'A' ? 'E' : 'A';
    const wrong = [
      undefined,
      '',
      '<CSRFToken>',
      own.slice(4),
      own.slice(0, -1),
      `${own}=`,
      ` ${own}`,
      own.slice(0, -1) + last,
      own.toUpperCase(),
      'x'.repeat(100_000),
      '__proto__',
      alice.opened.session_token,
      alice.opened.session_token.replace('cs1_', 'cf1_'),
      hers,
      his,
    ];
    for (const csrf_token of wrong) {
      const check = t.call(alice, 'session.check-csrf-token', csrf_token === undefined ? {} : { csrf_token });
      expect(await refusal(check)).toEqual(refused);
    }
    expect(await t.call(alice, 'session.check-csrf-token', { csrf_token: own })).toEqual({});
  });

  it('3.5.1: is refused for a session that never had one', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    const csrf_token = `cf1_${'A'.repeat(43)}`;
    expect(parseCsrfToken(csrf_token)).toBe(csrf_token);
    expect(await refusal(t.call(alice, 'session.check-csrf-token', { csrf_token }))).toEqual(refused);
  });

  it('dies with the next one, on every connection of its session', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    const other = peer();
    await t.call(other, 'login.resume', { session_token: alice.opened.session_token });
    const { csrf_token: older } = await t.call(alice, 'session.issue-csrf-token', {});
    const { csrf_token: newer } = await t.call(other, 'session.issue-csrf-token', {});
    expect(newer).not.toBe(older);
    for (const connection of [alice, other]) {
      const check = (csrf_token: string) => t.call(connection, 'session.check-csrf-token', { csrf_token });
      expect(await refusal(check(older))).toEqual(refused);
      expect(await check(newer)).toEqual({});
    }
  });

  it('of two that are made at once is one good, the one that the store kept last', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    const made = await Promise.all(
      Array.from({ length: 5 }, () => t.call(alice, 'session.issue-csrf-token', {})),
    );
    alice.leave();
    const again = peer();
    await t.call(again, 'login.resume', { session_token: alice.opened.session_token });
    const outcomes = await Promise.all(
      made.map((token) =>
        t.call(again, 'session.check-csrf-token', token).then(
          () => 'good',
          () => 'dead',
        ),
      ),
    );
    expect(outcomes).toEqual(['dead', 'dead', 'dead', 'dead', 'good']);
  });

  it('holds when the session is in nobody’s memory any more, and over a refresh', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    const token = await t.call(alice, 'session.issue-csrf-token', {});
    const { session_token, refresh_token } = alice.opened;
    alice.leave();
    const again = peer();
    await t.call(again, 'login.resume', { session_token });
    expect(await t.call(again, 'session.check-csrf-token', token)).toEqual({});
    await t.call(peer(), 'session.refresh', { refresh_token });
    expect(await t.call(again, 'session.check-csrf-token', token)).toEqual({});
  });

  it('that is made while the session is refreshed takes nothing of the refresh back', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    const { refresh_token } = alice.opened;
    const [, token] = await Promise.all([
      t.call(peer(), 'session.refresh', { refresh_token }),
      t.call(alice, 'session.issue-csrf-token', {}),
    ]);
    const [row] = await t.store.sessions({
      userId: alice.session?.userId ?? ('' as never),
      now: Date.now(),
      idleMs: 1_000_000,
    });
    expect(alice.session).toEqual(row);
    expect(await t.call(alice, 'session.check-csrf-token', token)).toEqual({});
  });

  it('is kept as its SHA-256 alone', async () => {
    const kept: unknown[] = [];
    const t = await open((store) => ({
      ...store,
      setCsrfHash: (change) => {
        kept.push(change);
        return store.setCsrfHash(change);
      },
    }));
    const alice = await loggedIn(t, 'alice');
    const { csrf_token } = await t.call(alice, 'session.issue-csrf-token', {});
    const digest = await globalThis.crypto.subtle.digest('SHA-256', new TextEncoder().encode(csrf_token));
    expect(kept).toEqual([{ id: alice.opened.session_id, csrfHash: new Uint8Array(digest) }]);
    expect(alice.session?.csrfHash).toEqual(new Uint8Array(digest));
  });

  it('is checked without a word to the store', async () => {
    const asked: string[] = [];
    const t = await open(
      (store) =>
        new Proxy(store, {
          get(target, name: keyof Store) {
            asked.push(name);
            return target[name];
          },
        }),
    );
    const alice = await loggedIn(t, 'alice');
    const token = await t.call(alice, 'session.issue-csrf-token', {});
    asked.length = 0;
    await t.call(alice, 'session.check-csrf-token', token);
    expect(asked).toEqual([]);
  });

  it('is neither made nor checked for nobody, and not for a session that has ended meanwhile', async () => {
    const t = await open();
    expect(await refusal(t.call(peer(), 'session.issue-csrf-token', {}))).toEqual(logInFirst);
    expect(await refusal(t.call(peer(), 'session.check-csrf-token', {}))).toEqual(logInFirst);
    const alice = await loggedIn(t, 'alice');
    const id = alice.session?.id;
    const userId = alice.session?.userId;
    if (!id || !userId) throw new Error('not logged in');
    const ending = t.store.endSession({ id, userId });
    expect(await refusal(t.call(alice, 'session.issue-csrf-token', {}))).toEqual(badToken);
    expect(await ending).toBe(true);
  });
});

describe('a login by token on a device', () => {
  it('7.2.4: ends the session that the device had, whoever’s it was, and keeps the token’s own', async () => {
    const t = await open();
    const program = await loggedIn(t, 'alice');
    for (const name of ['alice', 'bob']) {
      const browser = await loggedIn(t, name);
      const device = { id: browser.opened.device_id };
      const { session_token } = program.opened;
      const resumed = await t.call(peer(), 'login.resume', { session_token, device });
      expect(resumed).toMatchObject({
        session_id: program.opened.session_id,
        device_id: program.opened.device_id,
      });
      expect(browser.endings).toEqual(['replaced']);
    }
    const device = { id: program.opened.device_id };
    await t.call(peer(), 'login.resume', { session_token: program.opened.session_token, device });
    expect(program.endings).toEqual([]);
  });

  it('ends nothing when the token is not alive', async () => {
    const t = await open();
    const bob = await loggedIn(t, 'bob');
    const device = { id: bob.opened.device_id };
    const dead = { session_token: `cs1_${'A'.repeat(43)}`, device };
    expect(await refusal(t.call(peer(), 'login.resume', dead))).toEqual(badToken);
    expect(bob.endings).toEqual([]);
    expect(await t.call(bob, 'account.me', {})).toMatchObject({ username: 'bob' });
  });
});
