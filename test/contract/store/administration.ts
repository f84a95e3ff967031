import { describe, expect, test } from 'vitest';
import type { InviteId } from '../../../src/core/model/invite.ts';
import type { Username } from '../../../src/core/model/username.ts';
import { uuidV7 } from '../../../src/core/random.ts';
import type { Examined } from '../support/examined.ts';
import { digest, idsOf, opening, people, person, verifier } from '../support/people.ts';

/** Who administers. */
export function examineAdministration(on: Examined): void {
  describe('the first administrator', () => {
    test('is whoever brings the digest that was offered last, also after a restart', async () => {
      const [alice] = await people(on.store, 'alice');
      expect(await on.store.offerClaim({ codeHash: digest(1) })).toBe(true);
      expect(await on.store.offerClaim({ codeHash: digest(2) })).toBe(true);
      const claim = (n: number) => on.store.claimAdministration({ codeHash: digest(n), userId: alice.id });
      expect(await claim(1)).toBe('wrong');
      await on.reopen();
      expect((await on.store.account(alice.username))?.isAdmin).toBe(false);
      expect(await claim(2)).toBe('claimed');
      await on.reopen();
      expect((await on.store.account(alice.username))?.isAdmin).toBe(true);
      expect(await claim(2)).toBe('taken');
      expect(await on.store.offerClaim({ codeHash: digest(3) })).toBe(false);
    });

    test('is nobody without an offer', async () => {
      const [alice] = await people(on.store, 'alice');
      expect(await on.store.claimAdministration({ codeHash: digest(1), userId: alice.id })).toBe('wrong');
    });

    test('is one of two who claim at once', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      await on.store.offerClaim({ codeHash: digest(1) });
      expect(
        await Promise.all(
          [alice, bob].map(({ id }) => on.store.claimAdministration({ codeHash: digest(1), userId: id })),
        ),
      ).toEqual(['claimed', 'taken']);
    });
  });

  describe('accounts', () => {
    test('are listed whole, in order of name, a page at a time', async () => {
      const carol = person('carol', { email: 'carol@example.org', privacy: 'open', isAdmin: true });
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      await on.store.createAccount({ account: carol, verifier });
      expect(await on.store.accounts({ after: '', limit: 2 })).toEqual([alice, bob]);
      expect(await on.store.accounts({ after: 'bob', limit: 2 })).toEqual([carol]);
      expect(await on.store.accounts({ after: 'carol', limit: 2 })).toEqual([]);
    });
  });

  describe('administrators', () => {
    test('are made and unmade, but never the last one who can log in', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const set = (username: Username, isAdmin: boolean) => on.store.setAdministrator({ username, isAdmin });
      expect(await set('nobody' as Username, true)).toBe('missing');
      expect(await set(alice.username, true)).toBe('done');
      expect(await set(alice.username, false)).toBe('last-administrator');
      expect(await set(bob.username, false)).toBe('done');
      expect(await set(bob.username, true)).toBe('done');
      await on.reopen();
      expect(await set(alice.username, false)).toBe('done');
      expect(await on.store.account(alice.username)).toEqual(alice);
      expect(await on.store.account(bob.username)).toEqual({ ...bob, isAdmin: true });
    });

    test('are not counted while they are disabled', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      for (const { username } of [alice, bob]) await on.store.setAdministrator({ username, isAdmin: true });
      const outcomes = await Promise.all(
        [alice, bob].map(({ username }) => on.store.disableAccount({ username, now: 5 })),
      );
      expect(outcomes).toEqual([{ kind: 'disabled', ended: [] }, { kind: 'last-administrator' }]);
      const unmake = { username: bob.username, isAdmin: false };
      expect(await on.store.setAdministrator(unmake)).toBe('last-administrator');
      await on.store.enableAccount({ username: alice.username });
      expect(await on.store.setAdministrator(unmake)).toBe('done');
    });
  });

  describe('a disabled account', () => {
    test('has no session and gets none, until it is enabled', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const own = opening(alice);
      await on.store.openSession(own);
      const other = opening(bob);
      await on.store.openSession(other);
      const { username } = alice;
      expect(await on.store.disableAccount({ username, now: 5 })).toEqual({
        kind: 'disabled',
        ended: [own.session.id],
      });
      expect(await on.store.sessionByToken(own.tokenHash)).toBeUndefined();
      expect(idsOf(await on.store.existingSessions([own.session.id, other.session.id]))).toEqual([
        other.session.id,
      ]);
      expect(await on.store.openSession(opening(alice))).toEqual({ kind: 'disabled' });
      await on.reopen();
      expect(await on.store.openSession(opening(alice))).toEqual({ kind: 'disabled' });
      expect(await on.store.account(username)).toEqual({ ...alice, disabledAt: 5 });
      expect(await on.store.disableAccount({ username, now: 6 })).toEqual({ kind: 'disabled', ended: [] });
      expect((await on.store.account(username))?.disabledAt).toBe(5);
      expect(await on.store.enableAccount({ username })).toBe(true);
      expect(await on.store.account(username)).toEqual(alice);
      expect((await on.store.openSession(opening(alice))).kind).toBe('opened');
    });

    test('is somebody: nobody is neither disabled nor enabled', async () => {
      const username = 'nobody' as Username;
      expect(await on.store.disableAccount({ username, now: 5 })).toEqual({ kind: 'missing' });
      expect(await on.store.enableAccount({ username })).toBe(false);
    });
  });

  describe('invites', () => {
    const invite = (n: number, uses = 1) => ({
      id: uuidV7() as InviteId,
      codeHash: digest(n),
      createdAt: 100,
      expiresAt: 200,
      uses,
    });
    const admission = (n: number, now = 150, takesInvites = true) => ({
      codeHash: digest(n),
      takesInvites,
      now,
    });
    const create = (name: string, n: number, now?: number) =>
      on.store.createAccount({ account: person(name), verifier, admission: admission(n, now) });

    test('let in as many as they are for, and are gone then', async () => {
      const [alice] = await people(on.store, 'alice');
      const made = invite(1, 2);
      await on.store.createInvite({ ...made, by: alice.id });
      const listed = { id: made.id, by: alice.username, createdAt: 100, expiresAt: 200, uses: 2 };
      const list = () => on.store.invites({ after: '', limit: 10, now: 150 });
      expect(await list()).toEqual([{ ...listed, usesLeft: 2 }]);
      expect(await create('bob', 1)).toEqual({ kind: 'created' });
      expect(await list()).toEqual([{ ...listed, usesLeft: 1 }]);
      await on.reopen();
      expect(await create('carol', 1)).toEqual({ kind: 'created' });
      expect(await list()).toEqual([]);
      expect(await on.store.isAdmitted(admission(1))).toBe(false);
      expect(await create('dave', 1)).toEqual({ kind: 'not-admitted' });
      expect(await on.store.account('dave' as Username)).toBeUndefined();
    });

    test('6.5.1: let in one of two at once on the last use, and none for a name that is taken', async () => {
      const [alice] = await people(on.store, 'alice');
      await on.store.createInvite({ ...invite(1), by: alice.id });
      expect(await create('alice', 1)).toEqual({ kind: 'taken', field: 'username' });
      expect(await on.store.isAdmitted(admission(1))).toBe(true);
      expect(await Promise.all([create('bob', 1), create('carol', 1)])).toEqual([
        { kind: 'created' },
        { kind: 'not-admitted' },
      ]);
    });

    test('6.4.1: are over at their end, and tell nobody without one which names are taken', async () => {
      const [alice] = await people(on.store, 'alice');
      await on.store.createInvite({ ...invite(1), by: alice.id });
      expect(await create('bob', 1, 200)).toEqual({ kind: 'not-admitted' });
      expect(await create('alice', 1, 200)).toEqual({ kind: 'not-admitted' });
      expect(await create('alice', 2)).toEqual({ kind: 'not-admitted' });
      expect(await on.store.invites({ after: '', limit: 10, now: 200 })).toEqual([]);
      expect(await on.store.isAdmitted(admission(1, 200))).toBe(false);
      expect(await create('bob', 1, 199)).toEqual({ kind: 'created' });
    });

    test('do not count where registration is closed, the code for the first administrator does', async () => {
      const [alice] = await people(on.store, 'alice');
      await on.store.createInvite({ ...invite(1), by: alice.id });
      expect(await on.store.isAdmitted(admission(1, 150, false))).toBe(false);
      await on.store.offerClaim({ codeHash: digest(2) });
      expect(await on.store.isAdmitted(admission(2, 150, false))).toBe(true);
      expect(await create('bob', 2)).toEqual({ kind: 'created' });
      expect(await create('carol', 2)).toEqual({ kind: 'created' });
      await on.store.claimAdministration({ codeHash: digest(2), userId: alice.id });
      expect(await on.store.isAdmitted(admission(2, 150, false))).toBe(false);
    });

    test('are listed a page at a time, taken back, and forgotten when the next one is made after their end', async () => {
      const [alice] = await people(on.store, 'alice');
      // Two that are made in one millisecond have ids in any order.
      const [one, other] = [invite(1), invite(2)];
      const isInOrder = one.id < other.id;
      const first = { ...one, id: isInOrder ? one.id : other.id };
      const second = { ...other, id: isInOrder ? other.id : one.id };
      for (const made of [first, second]) await on.store.createInvite({ ...made, by: alice.id });
      const page = await on.store.invites({ after: '', limit: 1, now: 150 });
      expect(page.map(({ id }) => id)).toEqual([first.id]);
      const next = await on.store.invites({ after: first.id, limit: 10, now: 150 });
      expect(next.map(({ id }) => id)).toEqual([second.id]);
      expect(await on.store.revokeInvite({ id: first.id })).toBe(true);
      expect(await on.store.revokeInvite({ id: first.id })).toBe(false);
      expect(await on.store.isAdmitted(admission(1))).toBe(false);
      await on.store.createInvite({ ...invite(3), createdAt: 200, expiresAt: 300, by: alice.id });
      expect(await on.store.isAdmitted(admission(2))).toBe(false);
    });
  });
}
