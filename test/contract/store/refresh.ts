import { describe, expect, test } from 'vitest';
import type { NewSession, RefreshRequest } from '../../../src/core/ports/store/sessions.ts';
import type { Examined } from '../support/examined.ts';
import { digest, opening, people } from '../support/people.ts';

const graceMs = 20_000;
const absoluteMs = 7_000;
/** Digests of the n-th successors of a session's tokens; they are derived, so that the same token has the same ones. */
const token = (n: number): Uint8Array => digest(100 + n);
const refreshToken = (n: number): Uint8Array => digest(200 + n);

/** Presents the refresh token `presented`, whose successors are the n-th. */
function presenting(presented: Uint8Array, n: number, now: number): RefreshRequest {
  return {
    refreshHash: presented,
    nextTokenHash: token(n),
    nextRefreshHash: refreshToken(n),
    now,
    graceMs,
    absoluteMs,
  };
}

/** Rotation of refresh tokens (security 3). */
export function examineRefresh(on: Examined): void {
  async function opened(): Promise<NewSession> {
    const [alice] = await people(on.store, 'alice');
    const made = opening(alice, { familyExpiresAt: 1_000_000 });
    await on.store.openSession(made);
    return made;
  }

  describe('refreshing a session', () => {
    test('a rotation keeps the session and moves its token, its last use and its end', async () => {
      const { session, tokenHash, refreshHash } = await opened();
      const renewed = { ...session, lastUsedAt: 2_000, absoluteExpiresAt: 9_000 };
      expect(await on.store.refreshSession(presenting(refreshHash, 1, 2_000))).toEqual({
        kind: 'rotated',
        session: renewed,
      });
      expect(await on.store.sessionByToken(tokenHash)).toBeUndefined();
      expect(await on.store.sessionByToken(token(1))).toEqual(renewed);
      await on.reopen();
      expect(await on.store.sessionByToken(token(1))).toEqual(renewed);
    });

    test('a session that is long idle and past its absolute end is refreshed all the same', async () => {
      const { session, refreshHash } = await opened();
      expect(await on.store.refreshSession(presenting(refreshHash, 1, 900_000))).toEqual({
        kind: 'rotated',
        session: { ...session, lastUsedAt: 900_000, absoluteExpiresAt: 907_000 },
      });
    });

    test('no token outlives the family', async () => {
      const { session, refreshHash } = await opened();
      const late = 1_000_000 - absoluteMs;
      const first = await on.store.refreshSession(presenting(refreshHash, 1, late - 1));
      expect(first.kind === 'rotated' && first.session.absoluteExpiresAt).toBe(999_999);
      expect(await on.store.refreshSession(presenting(refreshToken(1), 2, late + 1))).toEqual({
        kind: 'rotated',
        session: { ...session, lastUsedAt: late + 1, absoluteExpiresAt: 1_000_000 },
      });
    });

    test('the family ends to the millisecond', async () => {
      const { refreshHash } = await opened();
      expect(await on.store.refreshSession(presenting(refreshHash, 1, 1_000_000))).toEqual({
        kind: 'unknown',
      });
      expect((await on.store.refreshSession(presenting(refreshHash, 1, 999_999))).kind).toBe('rotated');
    });

    test('a token that nobody was given is unknown, and so is a session token', async () => {
      const { tokenHash } = await opened();
      expect(await on.store.refreshSession(presenting(digest(1), 1, 2_000))).toEqual({ kind: 'unknown' });
      expect(await on.store.refreshSession(presenting(tokenHash, 1, 2_000))).toEqual({ kind: 'unknown' });
    });

    test('within the grace the same token gets the same answer, and nothing changes', async () => {
      const { refreshHash } = await opened();
      const first = await on.store.refreshSession(presenting(refreshHash, 1, 2_000));
      expect(await on.store.refreshSession(presenting(refreshHash, 1, 2_000 + graceMs - 1))).toEqual(first);
      expect(await on.store.sessionByToken(token(1))).toEqual(first.kind === 'rotated' && first.session);
      expect((await on.store.refreshSession(presenting(refreshToken(1), 2, 2_500))).kind).toBe('rotated');
    });

    test('at the end of the grace the same token is a stolen one: session and family are gone', async () => {
      const { session, refreshHash } = await opened();
      await on.store.refreshSession(presenting(refreshHash, 1, 2_000));
      expect(await on.store.refreshSession(presenting(refreshHash, 1, 2_000 + graceMs))).toEqual({
        kind: 'reused',
        session: { ...session, lastUsedAt: 2_000, absoluteExpiresAt: 9_000 },
      });
      expect(await on.store.sessionByToken(token(1))).toBeUndefined();
      expect(await on.store.existingSessions([session.id])).toEqual([]);
      for (const presented of [refreshHash, refreshToken(1)]) {
        expect(await on.store.refreshSession(presenting(presented, 3, 2_001))).toEqual({ kind: 'unknown' });
      }
    });

    test('within the grace too it is a stolen one once its successor was used', async () => {
      const { session, refreshHash } = await opened();
      await on.store.refreshSession(presenting(refreshHash, 1, 2_000));
      await on.store.refreshSession(presenting(refreshToken(1), 2, 2_001));
      expect(await on.store.refreshSession(presenting(refreshHash, 1, 2_002))).toEqual({
        kind: 'reused',
        session: { ...session, lastUsedAt: 2_001, absoluteExpiresAt: 9_001 },
      });
      expect(await on.store.sessionByToken(token(2))).toBeUndefined();
      expect(await on.store.refreshSession(presenting(refreshToken(2), 3, 2_003))).toEqual({
        kind: 'unknown',
      });
    });

    test('a stolen token ends its own family only', async () => {
      const { refreshHash } = await opened();
      const [bob] = await people(on.store, 'bob');
      const other = opening(bob);
      await on.store.openSession(other);
      await on.store.refreshSession(presenting(refreshHash, 1, 2_000));
      await on.store.refreshSession(presenting(refreshHash, 1, 2_000 + graceMs));
      expect(await on.store.sessionByToken(other.tokenHash)).toEqual(other.session);
    });

    test('ten at once with one token get one and the same successor', async () => {
      const { session, refreshHash } = await opened();
      const outcomes = await Promise.all(
        Array.from({ length: 10 }, () => on.store.refreshSession(presenting(refreshHash, 1, 2_000))),
      );
      const renewed = { ...session, lastUsedAt: 2_000, absoluteExpiresAt: 9_000 };
      expect(outcomes).toEqual(outcomes.map(() => ({ kind: 'rotated', session: renewed })));
      expect((await on.store.refreshSession(presenting(refreshToken(1), 2, 2_001))).kind).toBe('rotated');
    });

    test('ended sessions are not refreshed', async () => {
      const { session, refreshHash } = await opened();
      await on.store.endSession({ id: session.id, userId: session.userId });
      expect(await on.store.refreshSession(presenting(refreshHash, 1, 2_000))).toEqual({ kind: 'unknown' });
    });
  });
}
