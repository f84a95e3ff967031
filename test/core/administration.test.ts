import { describe, expect, test } from 'vitest';
import { nobleDigests } from '../../src/core/crypto/digests.ts';
import { formatHashedPassword } from '../../src/core/crypto/hashed-password.ts';
import type { UserId } from '../../src/core/model/ids.ts';
import type { Username } from '../../src/core/model/username.ts';
import { offerClaim } from '../../src/core/offer-claim.ts';
import { newOneTimeCode } from '../../src/core/one-time-code.ts';
import { operations } from '../../src/core/operations/index.ts';
import {
  authSecret,
  badCredentials,
  badToken,
  FakePeer,
  loggedIn,
  logInFirst,
  login,
  openChat,
  password,
  refusal,
  register,
  registration,
  saltOf,
  type TestChat,
} from './support/chat.ts';

const notAnAdministrator = { code: 'forbidden', message: 'only an administrator may do this' };

/** The code that a start of the server prints. */
async function claimCode(t: TestChat): Promise<string> {
  const code = await offerClaim(t.store, nobleDigests);
  if (code === undefined) throw new Error('there is an administrator');
  return code;
}

describe('the first administrator', () => {
  test('is whoever has the code of the last start, on the session that claims and on those that are open', async () => {
    const t = await openChat();
    await register(t, 'alice', 'bob');
    const alice = await loggedIn(t, 'alice');
    const elsewhere = await loggedIn(t, 'alice');
    expect(await refusal(t.call(alice, 'admin.users', {}))).toEqual(notAnAdministrator);
    const code = await claimCode(t);
    expect(await t.call(alice, 'admin.claim', { code })).toEqual({ username: 'alice' });
    for (const session of [alice, elsewhere]) {
      const { users, next } = await t.call(session, 'admin.users', {});
      expect(next).toBeNull();
      expect(users.map(({ username, admin, online }) => [username, admin, online])).toEqual([
        ['alice', true, true],
        ['bob', false, false],
      ]);
    }
    expect((await t.call(elsewhere, 'account.me', {})).admin).toBe(true);
    const bob = await loggedIn(t, 'bob');
    expect(await refusal(t.call(bob, 'admin.users', {}))).toEqual(notAnAdministrator);
  });

  test('sees which accounts are to be erased, and when', async () => {
    const t = await openChat();
    await register(t, 'alice', 'bob');
    const alice = await loggedIn(t, 'alice');
    await t.call(alice, 'admin.claim', { code: await claimCode(t) });
    const bob = await t.store.account('bob' as Username);
    await t.store.requestErasure({ userId: bob?.id as UserId, dueAt: Date.parse('2031-01-15T08:00:00Z') });
    const { users } = await t.call(alice, 'admin.users', {});
    expect(users.map(({ erases_at }) => erases_at)).toEqual([null, '2031-01-15T08:00:00.000Z']);
  });

  test('is one: of two who claim at once with the same code one wins, and no code works from then on', async () => {
    const t = await openChat();
    await register(t, 'alice', 'bob');
    const [alice, bob] = [await loggedIn(t, 'alice'), await loggedIn(t, 'bob')];
    const code = await claimCode(t);
    const outcomes = await Promise.allSettled([
      t.call(alice, 'admin.claim', { code }),
      t.call(bob, 'admin.claim', { code }),
    ]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const accounts = await t.store.accounts({ after: '', limit: 10 });
    expect(accounts.filter(({ isAdmin }) => isAdmin)).toHaveLength(1);
    const taken = { code: 'conflict', message: 'there is an administrator already' };
    for (const caller of [alice, bob]) {
      expect(await refusal(t.call(caller, 'admin.claim', { code }))).toEqual(taken);
    }
    expect(await offerClaim(t.store, nobleDigests)).toBeUndefined();
  });

  test('6.4.1, 6.5.1: is none for a code of an earlier start, a guessed one or a mistyped one', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    const wrong = {
      code: 'forbidden',
      message: 'this is not the code that the server printed at its last start',
    };
    expect(await refusal(t.call(alice, 'admin.claim', { code: newOneTimeCode() }))).toEqual(wrong);
    const earlier = await claimCode(t);
    const last = await claimCode(t);
    expect(await refusal(t.call(alice, 'admin.claim', { code: earlier }))).toEqual(wrong);
    expect(await refusal(t.call(alice, 'admin.claim', { code: newOneTimeCode() }))).toEqual(wrong);
    expect(await refusal(t.call(alice, 'admin.claim', { code: `${last}0` }))).toEqual({
      code: 'invalid',
      message: 'code: seven groups of four letters and digits are expected; was it copied wrongly?',
      field: 'code',
    });
    expect(await refusal(t.call(new FakePeer(), 'admin.claim', { code: last }))).toEqual(logInFirst);
    expect(await t.call(alice, 'admin.claim', { code: last.toLowerCase() })).toEqual({ username: 'alice' });
    const claims = t.audit.filter(({ operation }) => operation === 'admin.claim');
    // The two that followed the first one are counted when their minute is over.
    expect(claims.map(({ outcome }) => outcome)).toEqual(['forbidden', 'invalid', 'ok']);
  });

  test('sees all accounts, a page at a time', async () => {
    const t = await openChat();
    await register(t, 'alice', 'bob', 'carol');
    const alice = await loggedIn(t, 'alice');
    await t.call(alice, 'admin.claim', { code: await claimCode(t) });
    const first = await t.call(alice, 'admin.users', { limit: 2 });
    expect(first.users.map(({ username }) => username)).toEqual(['alice', 'bob']);
    expect(first.next).toBe('bob');
    const second = await t.call(alice, 'admin.users', { limit: 2, after: 'bob' });
    expect(second.users.map(({ username }) => username)).toEqual(['carol']);
    expect(second.next).toBeNull();
  });
});

describe('an administrator', () => {
  async function three() {
    // Wrong secrets are tried here on purpose.
    const t = await openChat({ policy: { freeFailedLogins: 0 } });
    await register(t, 'alice', 'bob', 'carol');
    const alice = await loggedIn(t, 'alice');
    await t.call(alice, 'admin.claim', { code: await claimCode(t) });
    return { t, alice };
  }
  /** What makes `username` an administrator, with the proof of `by`. */
  const made = async (username: string, by: string, secret = password) => {
    const proven = await authSecret(by, secret, saltOf(by), 10);
    return { username, admin: true, proof: { hashed_password: formatHashedPassword(proven) } };
  };

  test('7.5.1: makes nobody an administrator by the session alone', async () => {
    const { t, alice } = await three();
    const refused = (params: object) => refusal(t.send(alice, 'admin.set-administrator', params));
    expect(await refused({ username: 'bob', admin: true })).toEqual({
      code: 'invalid',
      message: 'proof: give a fresh proof of your own secret',
      field: 'proof',
    });
    expect(await refused(await made('bob', 'alice', 'wrong horse'))).toMatchObject({
      code: 'unauthenticated',
    });
    expect(await refused(await made('bob', 'bob'))).toMatchObject({ code: 'unauthenticated' });
    const accounts = await t.store.accounts({ after: '', limit: 10 });
    expect(accounts.filter(({ isAdmin }) => isAdmin).map(({ username }) => username)).toEqual(['alice']);
  });

  test('makes others, at once on their open connections, and unmakes them', async () => {
    const { t, alice } = await three();
    const bob = await loggedIn(t, 'bob');
    await t.call(alice, 'admin.set-administrator', await made('bob', 'alice'));
    await t.call(bob, 'admin.users', {});
    await t.call(bob, 'admin.set-administrator', { username: 'alice', admin: false });
    expect(await refusal(t.call(alice, 'admin.users', {}))).toEqual(notAnAdministrator);
    expect(await refusal(t.call(bob, 'admin.set-administrator', { username: 'bob', admin: false }))).toEqual({
      code: 'conflict',
      message: 'this is the last administrator who can log in: make another one first',
      field: 'username',
    });
    expect(await refusal(t.call(bob, 'admin.set-administrator', await made('x', 'bob')))).toEqual({
      code: 'not-found',
      message: 'there is no user @x',
      field: 'username',
    });
  });

  test('8.2.1: does what nobody else does, with a session or without one', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    const theirs = operations.map(({ name }) => name).filter((name) => name.startsWith('admin.'));
    expect(theirs.length).toBeGreaterThan(10);
    for (const name of theirs) {
      expect(await refusal(t.send(new FakePeer(), name, {}))).toEqual(logInFirst);
      // Whoever has its code may claim: that is how there comes to be a first one.
      if (name !== 'admin.claim') expect(await refusal(t.send(alice, name, {}))).toEqual(notAnAdministrator);
    }
  });

  test('7.4.2: disables an account: its connections close, nothing of its sessions is left, and it is told so who logs in', async () => {
    const { t, alice } = await three();
    const bob = await loggedIn(t, 'bob');
    const token = bob.opened.session_token;
    const elsewhere = new FakePeer();
    await t.call(elsewhere, 'login.resume', { session_token: token });
    await t.call(alice, 'admin.disable', { username: 'bob' });
    expect([bob.endings, elsewhere.endings]).toEqual([['disabled'], ['disabled']]);
    expect(await refusal(t.call(new FakePeer(), 'login.resume', { session_token: token }))).toEqual(badToken);
    const refresh = t.call(new FakePeer(), 'session.refresh', { refresh_token: bob.opened.refresh_token });
    expect(await refusal(refresh)).toMatchObject({ code: 'unauthenticated' });
    expect(await refusal(login(t, new FakePeer(), 'bob'))).toEqual({
      code: 'forbidden',
      message: 'this account is disabled: ask an administrator',
    });
    const { details } = t.audit.find(({ operation }) => operation === 'admin.disable') ?? {};
    expect(details).toMatchObject({ account: 'bob' });
    const { users } = await t.call(alice, 'admin.users', {});
    expect(users.filter(({ disabled_at }) => disabled_at !== null).map(({ username }) => username)).toEqual([
      'bob',
    ]);
    await t.call(alice, 'message.send', { to: '@bob', text: 'for later' });
    await t.call(alice, 'admin.enable', { username: 'bob' });
    const again = await loggedIn(t, 'bob');
    const { messages } = await t.call(again, 'message.history', { to: '@alice' });
    expect(messages.map(({ text }) => text)).toEqual(['for later']);
  });

  test('6.3.8: a disabled account answers a wrong secret as every other does, and as nobody does', async () => {
    const { t, alice } = await three();
    await t.call(new FakePeer(), 'account.register', { username: 'dave', password });
    await t.call(alice, 'admin.disable', { username: 'bob' });
    await t.call(alice, 'admin.disable', { username: 'dave' });
    for (const username of ['bob', 'carol', 'nobody']) {
      expect(await refusal(login(t, new FakePeer(), username, { password: 'not this one' }))).toEqual(
        badCredentials,
      );
    }
    const shown = async (username: string, secret: string) =>
      await refusal(t.call(new FakePeer(), 'login.password', { username, password: secret }));
    expect(await shown('dave', 'not this one')).toEqual(await shown('nobody', 'not this one'));
    expect(await shown('dave', password)).toEqual({
      code: 'forbidden',
      message: 'this account is disabled: ask an administrator',
    });
    expect(
      await refusal(t.call(new FakePeer(), 'account.register', await registration('bob'))),
    ).toMatchObject({
      code: 'conflict',
    });
  });

  test('disables neither the own account, nor nobody, nor with another at once both', async () => {
    const { t, alice } = await three();
    const bob = await loggedIn(t, 'bob');
    expect(await refusal(t.call(alice, 'admin.disable', { username: 'alice' }))).toEqual({
      code: 'conflict',
      message: 'nobody disables the own account: another administrator can',
      field: 'username',
    });
    for (const name of ['admin.disable', 'admin.enable'] as const) {
      expect(await refusal(t.call(alice, name, { username: 'x' }))).toMatchObject({ code: 'not-found' });
      expect(await refusal(t.call(bob, name, { username: 'carol' }))).toEqual(notAnAdministrator);
    }
    await t.call(alice, 'admin.set-administrator', await made('bob', 'alice'));
    await Promise.allSettled([
      t.call(alice, 'admin.disable', { username: 'bob' }),
      t.call(bob, 'admin.disable', { username: 'alice' }),
    ]);
    const accounts = await t.store.accounts({ after: '', limit: 10 });
    expect(accounts.filter(({ disabledAt }) => disabledAt !== null)).toHaveLength(1);
  });

  test('7.4.2: disables who is sending: of what is sent after the answer nothing is stored', async () => {
    const { t, alice } = await three();
    const bob = await loggedIn(t, 'bob');
    const sends: Promise<unknown>[] = [];
    const send = (text: string) => sends.push(t.call(bob, 'message.send', { to: '#lobby', text }));
    for (let n = 0; n < 20; n++) send(`before ${n}`);
    const disabled = t.call(alice, 'admin.disable', { username: 'bob' });
    for (let n = 0; n < 20; n++) send(`during ${n}`);
    await disabled;
    for (let n = 0; n < 20; n++) send(`after ${n}`);
    const outcomes = await Promise.allSettled(sends);
    expect(outcomes.slice(0, 20).every(({ status }) => status === 'fulfilled')).toBe(true);
    expect(outcomes.slice(40).every(({ status }) => status === 'rejected')).toBe(true);
    const { messages } = await t.call(alice, 'message.history', { to: '#lobby', limit: 100 });
    const stored = outcomes.filter(({ status }) => status === 'fulfilled').length;
    expect(messages).toHaveLength(stored);
    expect(messages.filter(({ text }) => text?.startsWith('after'))).toEqual([]);
  });

  test('7.4.2: disables an account while it logs in: either the login is refused or its session has ended', async () => {
    const { t, alice } = await three();
    for (let round = 0; round < 5; round++) {
      const bob = new FakePeer();
      const [opened] = await Promise.allSettled([
        login(t, bob, 'bob'),
        t.call(alice, 'admin.disable', { username: 'bob' }),
      ]);
      if (opened.status === 'fulfilled') expect(bob.endings).toEqual(['disabled']);
      expect(bob.session).toBeUndefined();
      await t.call(alice, 'admin.enable', { username: 'bob' });
    }
  });
});
