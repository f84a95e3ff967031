import { describe, expect, test } from 'vitest';
import type { Username } from '../../../src/core/model/username.ts';
import type { Examined } from '../support/examined.ts';
import { people, person, verifier } from '../support/people.ts';

/** Settings and accounts. */
export function examineAccounts(on: Examined): void {
  const name = (text: string): Username => text as Username;

  describe('settings', () => {
    const fresh = { realm: 'chat.example', serverSecret: new Uint8Array(32).fill(7) };

    test('the first start makes them, later ones get the same', async () => {
      expect(await on.store.settings(fresh)).toEqual(fresh);
      const other = { realm: 'other.example', serverSecret: new Uint8Array(32).fill(8) };
      expect(await on.store.settings(other)).toEqual(fresh);
      expect(await (await on.reopen()).settings(other)).toEqual(fresh);
    });

    test('two at once get the same', async () => {
      const other = { realm: 'other.example', serverSecret: new Uint8Array(32).fill(8) };
      expect(await Promise.all([on.store.settings(fresh), on.store.settings(other)])).toEqual([fresh, fresh]);
    });
  });

  describe('accounts', () => {
    test('an account is found by its name with every field, also after a restart', async () => {
      const account = person('alice', {
        email: 'Alice@Example.org',
        privacy: 'open',
        isAdmin: true,
        createdAt: 1_795_245_036_215,
      });
      expect(await on.store.createAccount({ account, verifier })).toEqual({ kind: 'created' });
      expect(await on.store.account(name('alice'))).toEqual(account);
      expect(await on.store.credential(name('alice'))).toEqual({ account, verifier });
      await on.reopen();
      expect(await on.store.account(name('alice'))).toEqual(account);
      expect(await on.store.credential(name('alice'))).toEqual({ account, verifier });
    });

    test('an unknown name has no account and no credential', async () => {
      expect(await on.store.account(name('nobody'))).toBeUndefined();
      expect(await on.store.credential(name('nobody'))).toBeUndefined();
    });

    test('a name has no credential because of its neighbours', async () => {
      const [bob, carol] = await people(on.store, 'bob', 'carol');
      for (const other of ['alice', 'bo', 'bob2', 'carol.', 'zoe', '', '~']) {
        expect(await on.store.credential(name(other))).toBeUndefined();
      }
      expect(await on.store.credential(bob.username)).toEqual({ account: bob, verifier });
      expect(await on.store.credential(carol.username)).toEqual({ account: carol, verifier });
    });

    test('a name is taken once, and a refused account leaves nothing behind', async () => {
      const first = person('alice');
      await on.store.createAccount({ account: first, verifier });
      const second = person('alice', { email: 'second@example.org' });
      expect(await on.store.createAccount({ account: second, verifier })).toEqual({
        kind: 'taken',
        field: 'username',
      });
      expect(await on.store.account(name('alice'))).toEqual(first);
      const third = person('carol', { email: 'second@example.org' });
      expect(await on.store.createAccount({ account: third, verifier })).toEqual({ kind: 'created' });
    });

    test('an email that leads to an account is taken, whatever its case, for who has no other name', async () => {
      const first = person('alice', { email: 'A@Example.org' });
      await on.store.createAccount({ account: first, verifier, isNamedByEmail: true });
      const second = person('bob', { email: 'a@example.ORG' });
      expect(await on.store.createAccount({ account: second, verifier, isNamedByEmail: true })).toEqual({
        kind: 'taken',
        field: 'email',
      });
      expect(await on.store.account(name('bob'))).toBeUndefined();
      expect(await on.store.account(name('alice'))).toEqual(first);
    });

    test('an email may be given by many, is kept as each wrote it, and leads to the first', async () => {
      const emails = { alice: 'A@Example.org', bob: 'a@example.ORG', carol: 'a@example.org' };
      for (const [who, email] of Object.entries(emails))
        expect(await on.store.createAccount({ account: person(who, { email }), verifier })).toEqual({
          kind: 'created',
        });
      const store = await on.reopen();
      for (const [who, email] of Object.entries(emails))
        expect((await store.account(name(who)))?.email).toBe(email);
      expect(await store.usernameByEmail('A@EXAMPLE.org')).toBe('alice');
    });

    test('an email says whose it is, whatever its case, and nobody else is found by it', async () => {
      await on.store.createAccount({ account: person('alice', { email: 'A@Example.org' }), verifier });
      await people(on.store, 'bob');
      expect(await on.store.usernameByEmail('a@example.ORG')).toBe('alice');
      for (const other of ['b@example.org', '', 'a@example.or_', '%']) {
        expect(await on.store.usernameByEmail(other)).toBeUndefined();
      }
    });

    test('any number of accounts have no email', async () => {
      await people(on.store, 'alice', 'bob');
      expect(await on.store.usernames({ after: '', limit: 10 })).toEqual(['alice', 'bob']);
    });

    test('100 registrations of one name at once make one account', async () => {
      const all = Array.from({ length: 100 }, () => person('alice'));
      const outcomes = await Promise.all(all.map((account) => on.store.createAccount({ account, verifier })));
      expect(outcomes).toEqual([
        { kind: 'created' },
        ...Array.from({ length: 99 }, () => ({ kind: 'taken', field: 'username' })),
      ]);
      expect(await on.store.account(name('alice'))).toEqual(all[0]);
      expect(await on.store.usernames({ after: '', limit: 1_000 })).toEqual(['alice']);
    });

    test('a verifier is replaced only in the place of the one that is expected there', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const [next, third] = [4, 5].map((n) => ({
        ...verifier,
        salt: new Uint8Array(16).fill(n),
        cost: 10 + n - 4,
        storedKey: new Uint8Array(32).fill(n),
        serverKey: new Uint8Array(32).fill(n + 10),
      })) as [typeof verifier, typeof verifier];
      const replace = (userId: typeof alice.id, replaces: Uint8Array, made: typeof verifier) =>
        on.store.replaceVerifier({ userId, replaces, verifier: made });
      expect(await replace(alice.id, next.storedKey, third)).toBe(false);
      expect(await on.store.credential(alice.username)).toEqual({ account: alice, verifier });
      expect(
        await Promise.all([
          replace(alice.id, verifier.storedKey, next),
          replace(alice.id, verifier.storedKey, third),
        ]),
      ).toEqual([true, false]);
      expect(await replace(person('nobody').id, verifier.storedKey, next)).toBe(false);
      await on.reopen();
      expect(await on.store.credential(alice.username)).toEqual({ account: alice, verifier: next });
      expect(await on.store.credential(bob.username)).toEqual({ account: bob, verifier });
    });

    test('names are listed in order, page by page', async () => {
      await people(on.store, 'carol', 'alice', 'bob', 'b.b', 'b-b', '0x');
      const ordered = ['0x', 'alice', 'b-b', 'b.b', 'bob', 'carol'];
      expect(await on.store.usernames({ after: '', limit: 100 })).toEqual(ordered);
      expect(await on.store.usernames({ after: '', limit: 2 })).toEqual(['0x', 'alice']);
      expect(await on.store.usernames({ after: 'alice', limit: 2 })).toEqual(['b-b', 'b.b']);
      expect(await on.store.usernames({ after: 'alicf', limit: 1 })).toEqual(['b-b']);
      expect(await on.store.usernames({ after: 'carol', limit: 2 })).toEqual([]);
    });
  });
}
