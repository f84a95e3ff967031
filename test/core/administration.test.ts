import { describe, expect, test } from 'vitest';
import { nobleDigests } from '../../src/core/crypto/digests.ts';
import { offerClaim } from '../../src/core/offer-claim.ts';
import { newOneTimeCode } from '../../src/core/one-time-code.ts';
import {
  FakePeer,
  loggedIn,
  logInFirst,
  openChat,
  refusal,
  register,
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
      message: 'code: this is no code, or a mistyped one',
      field: 'code',
    });
    expect(await refusal(t.call(new FakePeer(), 'admin.claim', { code: last }))).toEqual(logInFirst);
    expect(await t.call(alice, 'admin.claim', { code: last.toLowerCase() })).toEqual({ username: 'alice' });
    const claims = t.audit.filter(({ operation }) => operation === 'admin.claim');
    expect(claims.map(({ outcome }) => outcome)).toEqual([
      'forbidden',
      'forbidden',
      'forbidden',
      'invalid',
      'unauthenticated',
      'ok',
    ]);
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
