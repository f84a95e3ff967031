import { describe, expect, test } from 'vitest';
import type { Account } from '../../../src/core/model/account.ts';
import type { Code } from '../../../src/core/model/code.ts';
import type { Examined } from '../support/examined.ts';
import { digest, opening, people, person, verifier } from '../support/people.ts';

/** One-time codes: each works once, for one account, one purpose and until one moment. */
export function examineCodes(on: Examined): void {
  const next = { ...verifier, cost: 13, storedKey: digest(4), serverKey: digest(5) };

  /** A code that is alive until 5,000. */
  function code(account: Account, n: number, other: Partial<Code> = {}): Code {
    return {
      hash: digest(n),
      kind: 'reset-by-mail',
      userId: account.id,
      email: account.email,
      expiresAt: 5_000,
      ...other,
    };
  }
  async function alice(): Promise<Account> {
    const account = person('alice', { email: 'Alice@Example.org' });
    await on.store.createAccount({ account, verifier });
    return account;
  }
  const reset = (n: number, now = 100, privacy: Account['privacy'] = 'private') =>
    on.store.resetPassword({ hash: digest(n), now, verifier: next, privacy });
  const verify = (account: Account, n: number, now = 100) =>
    on.store.verifyEmail({ hash: digest(n), userId: account.id, now });

  const confirmed = { kind: 'confirmed', email: 'Alice@Example.org' };

  describe('a code that sets a password', () => {
    test.each(['reset-by-mail', 'reset-by-admin'] as const)(
      'puts a verifier in place, says who saw the password, and ends every session: %s',
      async (kind) => {
        const account = await alice();
        const [bob] = await people(on.store, 'bob');
        const [one, two, other] = [opening(account), opening(account), opening(bob)];
        for (const opened of [one, two, other]) await on.store.openSession(opened);
        expect(await on.store.putCode(code(account, 1, { kind }))).toBe(true);
        await on.reopen();
        const outcome = await reset(1, 100, 'open');
        const changed = { ...account, privacy: 'open' };
        expect(outcome?.account).toEqual(changed);
        expect(new Set(outcome?.ended)).toEqual(new Set([one.session.id, two.session.id]));
        await on.reopen();
        expect(await on.store.credential(account.username)).toEqual({ account: changed, verifier: next });
        expect(await on.store.credential(bob.username)).toEqual({ account: bob, verifier });
        expect(await on.store.sessionByToken(one.tokenHash)).toBeUndefined();
        expect(await on.store.sessionByToken(other.tokenHash)).toEqual(other.session);
      },
    );

    test('works once: of two at once one succeeds', async () => {
      const account = await alice();
      await on.store.putCode(code(account, 1));
      const outcomes = await Promise.all([reset(1), reset(1)]);
      expect(outcomes.map((outcome) => outcome?.account.username)).toEqual(['alice', undefined]);
      expect(await reset(1)).toBeUndefined();
    });

    test('is alive a millisecond before its end, and dead at it', async () => {
      const account = await alice();
      await on.store.putCode(code(account, 1));
      expect(await on.store.accountOfResetCode({ hash: digest(1), now: 5_000 })).toBeUndefined();
      expect(await reset(1, 5_000)).toBeUndefined();
      expect(await on.store.credential(account.username)).toEqual({ account, verifier });
      expect(await on.store.accountOfResetCode({ hash: digest(1), now: 4_999 })).toEqual(account);
      expect(await reset(1, 4_999)).toEqual({ account, ended: [] });
    });

    test('is not used up by a look at whose it is', async () => {
      const account = await alice();
      await on.store.putCode(code(account, 1));
      for (let time = 0; time < 2; time++) {
        expect(await on.store.accountOfResetCode({ hash: digest(1), now: 100 })).toEqual(account);
      }
      expect(await on.store.accountOfResetCode({ hash: digest(2), now: 100 })).toBeUndefined();
      expect(await reset(1)).toBeDefined();
    });

    test('is in the place of the older one of its kind, and beside one of the other kind', async () => {
      const account = await alice();
      const [bob] = await people(on.store, 'bob');
      await on.store.putCode(code(account, 1));
      await on.store.putCode(code(bob, 2));
      await on.store.putCode(code(account, 3, { kind: 'reset-by-admin' }));
      await on.store.putCode(code(account, 4));
      const alive = async (n: number) =>
        (await on.store.accountOfResetCode({ hash: digest(n), now: 100 }))?.username;
      expect(await Promise.all([1, 2, 3, 4].map(alive))).toEqual([undefined, 'bob', 'alice', 'alice']);
    });

    test('takes the other kind of its account with it: nobody has a second try', async () => {
      const account = await alice();
      const [bob] = await people(on.store, 'bob');
      await on.store.putCode(code(account, 1));
      await on.store.putCode(code(account, 2, { kind: 'reset-by-admin' }));
      await on.store.putCode(code(bob, 3));
      await reset(2);
      expect(await reset(1)).toBeUndefined();
      expect(await reset(3)).toEqual({ account: bob, ended: [] });
    });

    test('is none that confirms an address, and that one is left as it was', async () => {
      const account = await alice();
      await on.store.putCode(code(account, 1, { kind: 'verify-email', email: account.email }));
      expect(await on.store.accountOfResetCode({ hash: digest(1), now: 100 })).toBeUndefined();
      expect(await reset(1)).toBeUndefined();
      expect(await on.store.credential(account.username)).toEqual({ account, verifier });
      expect(await verify(account, 1)).toEqual(confirmed);
    });

    test('of a mail works only while the account has the address that it was sent to', async () => {
      const account = await alice();
      await on.store.putCode(code(account, 1, { email: 'old@example.org' }));
      expect(await on.store.accountOfResetCode({ hash: digest(1), now: 100 })).toBeUndefined();
      expect(await reset(1)).toBeUndefined();
      expect(await on.store.credential(account.username)).toEqual({ account, verifier });
    });

    test('is not kept for an account that is not there', async () => {
      expect(await on.store.putCode(code(person('nobody'), 1))).toBe(false);
      expect(await reset(1)).toBeUndefined();
    });
  });

  describe('a code that confirms an address', () => {
    const kind = 'verify-email';

    test('marks the address as confirmed at that time, once', async () => {
      const account = await alice();
      await on.store.putCode(code(account, 1, { kind, email: account.email }));
      await on.reopen();
      expect(await Promise.all([verify(account, 1, 4_999), verify(account, 1, 4_999)])).toEqual([
        confirmed,
        undefined,
      ]);
      expect(await (await on.reopen()).account(account.username)).toEqual({
        ...account,
        emailVerifiedAt: 4_999,
      });
    });

    test('is refused at its end, from another account, and as one that sets a password; each leaves it as it was', async () => {
      const account = await alice();
      const [bob] = await people(on.store, 'bob');
      await on.store.putCode(code(account, 1, { kind, email: account.email }));
      await on.store.putCode(code(account, 2, { email: account.email }));
      expect(await verify(account, 1, 5_000)).toBeUndefined();
      expect(await verify(bob, 1)).toBeUndefined();
      expect(await verify(account, 2)).toBeUndefined();
      expect(await on.store.account(account.username)).toEqual(account);
      expect(await on.store.account(bob.username)).toEqual(bob);
      expect(await verify(account, 1)).toEqual(confirmed);
      expect(await reset(2)).toBeDefined();
    });
  });

  describe('an address', () => {
    test('that is set is unconfirmed, and found whatever its case; the old one is free', async () => {
      const account = await alice();
      const [bob] = await people(on.store, 'bob');
      await on.store.putCode(code(account, 1, { kind: 'verify-email', email: account.email }));
      await verify(account, 1);
      expect(await on.store.setEmail({ userId: account.id, email: 'New@Example.org' })).toBe(true);
      await on.reopen();
      expect(await on.store.account(account.username)).toEqual({ ...account, email: 'New@Example.org' });
      expect(await on.store.usernameByEmail('new@example.org')).toBe('alice');
      expect(await on.store.usernameByEmail('alice@example.org')).toBeUndefined();
      expect(await on.store.setEmail({ userId: bob.id, email: 'alice@example.org' })).toBe(true);
    });

    test('that is set kills the codes which were sent to the old one, and no others', async () => {
      const account = await alice();
      const [bob] = await people(on.store, 'bob');
      await on.store.putCode(code(account, 1, { kind: 'verify-email', email: account.email }));
      await on.store.putCode(code(account, 2, { email: account.email }));
      await on.store.putCode(code(account, 3, { kind: 'reset-by-admin', email: null }));
      await on.store.putCode(code(bob, 4));
      await on.store.setEmail({ userId: account.id, email: 'new@example.org' });
      // Back at the old one they are as dead as before: who reads it may be another person meanwhile.
      await on.store.setEmail({ userId: account.id, email: account.email ?? '' });
      expect((await on.store.account(account.username))?.email).toBe(account.email);
      expect(await verify(account, 1)).toBeUndefined();
      expect(await reset(2)).toBeUndefined();
      expect(await reset(3)).toBeDefined();
      expect(await reset(4)).toBeDefined();
    });

    test('of another account goes on leading there, whatever its case, until one of them has confirmed it', async () => {
      const account = await alice();
      const [bob, carol] = await people(on.store, 'bob', 'carol');
      for (const { id } of [bob, carol])
        expect(await on.store.setEmail({ userId: id, email: 'ALICE@example.org' })).toBe(true);
      const leadsTo = async () => await (await on.reopen()).usernameByEmail('alice@Example.org');
      expect(await leadsTo()).toBe('alice');
      await on.store.putCode(code(bob, 1, { kind: 'verify-email', email: 'ALICE@example.org' }));
      expect(await verify(bob, 1)).toEqual({ kind: 'confirmed', email: 'ALICE@example.org' });
      expect(await leadsTo()).toBe('bob');
      expect(await on.store.account(bob.username)).toMatchObject({
        email: 'ALICE@example.org',
        emailVerifiedAt: 100,
      });
      // The others learn nothing of it.
      expect(await on.store.account(account.username)).toEqual(account);
      expect(await on.store.account(carol.username)).toEqual({ ...carol, email: 'ALICE@example.org' });
    });

    test('is confirmed for one account at a time, and a code for another one waits until it is free', async () => {
      const account = await alice();
      const [bob] = await people(on.store, 'bob');
      await on.store.putCode(code(account, 1, { kind: 'verify-email', email: account.email }));
      await verify(account, 1);
      await on.store.setEmail({ userId: bob.id, email: 'alice@example.org' });
      await on.store.putCode(code(bob, 2, { kind: 'verify-email', email: 'alice@example.org' }));
      expect(await verify(bob, 2)).toEqual({ kind: 'taken' });
      expect(await on.store.usernameByEmail('alice@example.org')).toBe('alice');
      expect((await on.store.account(bob.username))?.emailVerifiedAt).toBeNull();
      await on.store.setEmail({ userId: account.id, email: 'new@example.org' });
      expect(await on.store.usernameByEmail('alice@example.org')).toBeUndefined();
      expect(await verify(bob, 2)).toEqual({ kind: 'confirmed', email: 'alice@example.org' });
      expect(await on.store.usernameByEmail('alice@example.org')).toBe('bob');
    });

    test('that is given once more leads to the account when it leads to nobody, and changes nothing else', async () => {
      const account = await alice();
      const email = 'alice@example.org';
      const [bob] = await people(on.store, 'bob');
      await on.store.setEmail({ userId: bob.id, email });
      await on.store.putCode(code(bob, 1, { kind: 'verify-email', email }));
      await on.store.setEmail({ userId: account.id, email: 'new@example.org' });
      expect(await on.store.usernameByEmail(email)).toBeUndefined();
      expect(await on.store.setEmail({ userId: bob.id, email })).toBe(true);
      expect(await on.store.usernameByEmail(email)).toBe('bob');
      expect(await verify(bob, 1)).toEqual({ kind: 'confirmed', email });
      await on.store.setEmail({ userId: bob.id, email });
      expect((await on.store.account(bob.username))?.emailVerifiedAt).toBe(100);
    });

    test('is given to nobody who is not there', async () => {
      const nobody = person('nobody').id;
      expect(await on.store.setEmail({ userId: nobody, email: 'n@example.org' })).toBe(false);
    });

    test('of an account may be spelled in another case', async () => {
      const account = await alice();
      expect(await on.store.setEmail({ userId: account.id, email: 'alice@example.org' })).toBe(true);
      expect((await on.store.account(account.username))?.email).toBe('alice@example.org');
    });
  });

  test('a sweep takes the codes that are dead, and no others', async () => {
    const account = await alice();
    const [bob] = await people(on.store, 'bob');
    await on.store.putCode(code(account, 1));
    await on.store.putCode(code(bob, 2, { expiresAt: 5_001 }));
    expect(await on.store.sweepCodes({ now: 4_999 })).toBe(0);
    expect(await on.store.sweepCodes({ now: 5_000 })).toBe(1);
    expect(await on.store.sweepCodes({ now: 5_000 })).toBe(0);
    expect(await reset(1, 100)).toBeUndefined();
    expect(await reset(2, 100)).toBeDefined();
  });
}
