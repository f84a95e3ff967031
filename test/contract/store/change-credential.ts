import { describe, expect, test } from 'vitest';
import type { Account, Verifier } from '../../../src/core/model/account.ts';
import type { SessionId } from '../../../src/core/model/ids.ts';
import type { NewSession } from '../../../src/core/ports/store/sessions.ts';
import type { Examined } from '../support/examined.ts';
import { digest, opening, people, person, verifier } from '../support/people.ts';

/** The change of a password: new verifier, who has seen it, and the end of everything else, or nothing of that. */
export function examineCredentialChange(on: Examined): void {
  const [next, third] = [4, 5].map((n) => ({
    ...verifier,
    salt: new Uint8Array(16).fill(n),
    cost: 6 + n,
    storedKey: digest(n),
    serverKey: digest(n + 10),
  })) as [Verifier, Verifier];

  const change = (
    account: Account,
    except: SessionId,
    made = next,
    replaces = verifier.storedKey,
    privacy: Account['privacy'] = 'open',
  ) => on.store.changeCredential({ userId: account.id, replaces, verifier: made, privacy, except });

  async function opened(account: Account): Promise<NewSession> {
    const session = opening(account);
    await on.store.openSession(session);
    return session;
  }
  const isAlive = async ({ tokenHash }: NewSession) =>
    (await on.store.sessionByToken(tokenHash)) !== undefined;
  const refresh = ({ refreshHash }: NewSession) =>
    on.store.refreshSession({
      refreshHash,
      nextTokenHash: digest(7_001),
      nextRefreshHash: digest(7_002),
      now: 2_000,
      graceMs: 20,
      absoluteMs: 100,
    });

  describe('a changed password', () => {
    test('is a new verifier, who has seen it, and the end of every other session, kept over a restart', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const own = await opened(alice);
      const others = [await opened(alice), await opened(alice)] as const;
      const his = await opened(bob);
      expect(new Set(await change(alice, own.session.id))).toEqual(
        new Set(others.map(({ session }) => session.id)),
      );
      await on.reopen();
      expect(await on.store.credential(alice.username)).toEqual({
        account: { ...alice, privacy: 'open' },
        verifier: next,
      });
      expect(await on.store.credential(bob.username)).toEqual({ account: bob, verifier });
      expect(await Promise.all([own, ...others, his].map(isAlive))).toEqual([true, false, false, true]);
      expect(await refresh(others[0])).toEqual({ kind: 'unknown' });
      expect(await refresh(own)).toMatchObject({ kind: 'rotated' });
    });

    test('changes nothing when another one has come into the place of the one that was proven', async () => {
      const [alice] = await people(on.store, 'alice');
      const [own, other] = [await opened(alice), await opened(alice)];
      expect(await change(alice, own.session.id, third, next.storedKey)).toBeUndefined();
      expect(await change(person('nobody'), own.session.id)).toBeUndefined();
      expect(await on.store.credential(alice.username)).toEqual({ account: alice, verifier });
      expect(await Promise.all([own, other].map(isAlive))).toEqual([true, true]);
    });

    test('of two at once is one’s: the other finds nothing to replace, and its session has ended', async () => {
      const [alice] = await people(on.store, 'alice');
      const [one, other] = [await opened(alice), await opened(alice)];
      expect(
        await Promise.all([
          change(alice, one.session.id, next, verifier.storedKey, 'private'),
          change(alice, other.session.id, third),
        ]),
      ).toEqual([[other.session.id], undefined]);
      expect(await on.store.credential(alice.username)).toEqual({ account: alice, verifier: next });
      expect(await Promise.all([one, other].map(isAlive))).toEqual([true, false]);
    });

    test('kills the codes that would set another one', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const own = await opened(alice);
      const code = (account: Account, n: number, kind: 'reset-by-mail' | 'reset-by-admin') =>
        on.store.putCode({ hash: digest(n), kind, userId: account.id, email: null, expiresAt: 5_000 });
      await code(alice, 1, 'reset-by-mail');
      await code(alice, 2, 'reset-by-admin');
      await code(bob, 3, 'reset-by-mail');
      await change(alice, own.session.id);
      const owner = (n: number) => on.store.accountOfResetCode({ hash: digest(n), now: 100 });
      expect(await Promise.all([1, 2, 3].map(owner))).toEqual([undefined, undefined, bob]);
    });

    test('lets nobody in whose login was proven against the one before', async () => {
      const [alice] = await people(on.store, 'alice');
      const own = await opened(alice);
      const late = opening(alice, {}, { provenKey: verifier.storedKey });
      expect(await on.store.openSession(opening(alice, {}, { provenKey: verifier.storedKey }))).toMatchObject(
        { kind: 'opened' },
      );
      await change(alice, own.session.id);
      expect(await on.store.openSession(late)).toEqual({ kind: 'stale' });
      expect(await isAlive(late)).toBe(false);
      expect(await on.store.openSession({ ...late, provenKey: next.storedKey })).toMatchObject({
        kind: 'opened',
      });
    });
  });
}
