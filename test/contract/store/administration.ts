import { describe, expect, test } from 'vitest';
import type { Examined } from '../support/examined.ts';
import { digest, people, person, verifier } from '../support/people.ts';

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
}
