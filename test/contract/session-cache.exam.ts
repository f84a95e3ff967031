import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { SessionId } from '../../src/core/model/ids.ts';
import type { Session } from '../../src/core/model/session.ts';
import type { CachedSession, SessionCache } from '../../src/core/ports/session-cache.ts';
import { digest, opening, person } from './support/people.ts';

/** A cache that is empty, as two nodes have it; the same twice when it is not shared. */
export interface SessionCacheUnderExam {
  readonly here: SessionCache;
  readonly there: SessionCache;
}

/** The exam that every cache of sessions passes; it has room for at least 1,000 entries. */
export function describeSessionCache(
  name: string,
  open: () => SessionCacheUnderExam | Promise<SessionCacheUnderExam>,
): void {
  describe(name, () => {
    let here: SessionCache;
    let there: SessionCache;
    beforeEach(async () => {
      ({ here, there } = await open());
    });

    const alice = person('alice', { isAdmin: true });
    /** An entry that is believed for a minute. */
    const entry = (session: Partial<Session> = {}, lifeMs = 60_000): CachedSession => {
      const readAt = Date.now();
      return { session: opening(alice, session).session, readAt, believedUntil: readAt + lifeMs };
    };

    /** What is given back of an entry; a shared cache counts how long it may be believed by a clock of its own. */
    const again = (kept: CachedSession): CachedSession =>
      here.isShared ? { ...kept, believedUntil: expect.closeTo(kept.believedUntil, -4) } : kept;

    test('says whether it is shared the same on each node', () => {
      expect(there.isShared).toBe(here.isShared);
      if (!here.isShared) expect(there).toBe(here);
    });

    test('knows nothing that was not put into it', async () => {
      expect(await here.get(digest(1))).toBeUndefined();
      await here.drop([entry().session.id]);
      await here.drop([]);
      expect(await here.get(digest(1))).toBeUndefined();
    });

    test('gives every field of an entry back, on each node', async () => {
      const kept = entry({
        door: 'cookie',
        address: '2001:db8::1',
        deviceLabel: 'Lucía’s “phone”\n\u0000\\',
        csrfHash: Uint8Array.from({ length: 32 }, (_, i) => 255 - i),
      });
      await here.put(digest(1), kept);
      expect(await here.get(digest(1))).toEqual(again(kept));
      expect(await there.get(digest(1))).toEqual(again(kept));
      const without = entry({ csrfHash: null, deviceLabel: '' });
      await there.put(digest(2), without);
      expect(await here.get(digest(2))).toEqual(again(without));
    });

    test('keeps digests apart that differ in one bit, wherever it is', async () => {
      const kept = entry();
      await here.put(digest(0), kept);
      for (let bit = 0; bit < 256; bit++) {
        const other = digest(0);
        other[bit >> 3] = 1 << (bit & 7);
        expect(await here.get(other)).toBeUndefined();
      }
      expect(await here.get(digest(0))).toEqual(again(kept));
    });

    test('has the latest entry of a digest, also of another session', async () => {
      const [first, second, third] = [entry({ lastUsedAt: 1 }), entry({ lastUsedAt: 2 }), entry()];
      await here.put(digest(1), first);
      await here.put(digest(1), { ...second, session: { ...second.session, id: first.session.id } });
      expect((await here.get(digest(1)))?.session.lastUsedAt).toBe(2);
      await there.put(digest(1), third);
      expect(await here.get(digest(1))).toEqual(again(third));
      await here.drop([first.session.id]);
      expect(await here.get(digest(1))).toEqual(again(third));
      await here.drop([third.session.id]);
      expect(await here.get(digest(1))).toBeUndefined();
    });

    test('7.4.1: forgets a session under every digest it stands under, on each node, and no other session', async () => {
      const [gone, goneToo, stays] = [entry(), entry(), entry()];
      await here.put(digest(1), gone);
      await there.put(digest(2), gone);
      await here.put(digest(3), goneToo);
      await here.put(digest(4), stays);
      await there.drop([gone.session.id, 'nobody' as SessionId, goneToo.session.id, gone.session.id]);
      for (const cache of [here, there]) {
        expect(await Promise.all([1, 2, 3, 4].map((n) => cache.get(digest(n))))).toEqual([
          undefined,
          undefined,
          undefined,
          again(stays),
        ]);
      }
    });

    test('keeps what is put into it after the session was dropped', async () => {
      const kept = entry();
      await here.put(digest(1), kept);
      await here.drop([kept.session.id]);
      await here.put(digest(2), kept);
      expect(await here.get(digest(1))).toBeUndefined();
      expect(await here.get(digest(2))).toEqual(again(kept));
      await here.drop([kept.session.id]);
      expect(await here.get(digest(2))).toBeUndefined();
    });

    test('does what one node asks in the order in which it asks', async () => {
      const kept = entry();
      const asked = [here.put(digest(1), kept), here.drop([kept.session.id]), here.get(digest(1))];
      expect((await Promise.all(asked))[2]).toBeUndefined();
      const next = [here.drop([kept.session.id]), here.put(digest(1), kept), here.get(digest(1))];
      expect((await Promise.all(next))[2]).toEqual(again(kept));
    });

    test('gives out nothing that is believed no more', async () => {
      await here.put(digest(1), entry({}, -1));
      await here.put(digest(2), entry({}, 0));
      expect(await here.get(digest(1))).toBeUndefined();
      expect(await here.get(digest(2))).toBeUndefined();
      expect(await there.get(digest(2))).toBeUndefined();
    });

    test.each([-30_000, -3_000, 3_000, 30_000])(
      '7.4.1: gives an entry of a clock that is %i ms ahead to nobody for longer than it was to be believed',
      async (aheadMs) => {
        if (!here.isShared) return;
        const now = Date.now();
        vi.useFakeTimers({ now: now + aheadMs, toFake: ['Date'] });
        try {
          const kept = entry({}, 5_000);
          await there.put(digest(1), kept);
          vi.setSystemTime(now);
          const found = await here.get(digest(1));
          if (aheadMs > 0) expect(found?.readAt).toBe(kept.readAt);
          expect(found?.believedUntil ?? 0).toBeLessThanOrEqual(now + 5_000);
          // By the time of the cache, however far back the reader's clock is.
          vi.setSystemTime(now - 60_000);
          expect((await here.get(digest(1)))?.believedUntil ?? 0).toBeLessThanOrEqual(now - 55_000);
        } finally {
          vi.useRealTimers();
        }
      },
    );

    test('keeps the bytes that it was given, whatever becomes of the buffer of the digest', async () => {
      const kept = entry();
      const buffer = new Uint8Array(64).fill(9);
      const hash = buffer.subarray(16, 48);
      await here.put(hash, kept);
      buffer.fill(0);
      expect(await here.get(new Uint8Array(32).fill(9))).toEqual(again(kept));
      expect(await here.get(hash)).toBeUndefined();
    });

    test('takes 1,000 entries at once and forgets a half of them at once', async () => {
      const entries = Array.from({ length: 1_000 }, () => entry());
      await Promise.all(entries.map((one, n) => (n % 2 ? here : there).put(digest(n), one)));
      expect(await Promise.all(entries.map((_, n) => here.get(digest(n))))).toEqual(entries.map(again));
      await here.drop(entries.filter((_, n) => n % 2).map(({ session }) => session.id));
      expect(await Promise.all(entries.map((_, n) => there.get(digest(n))))).toEqual(
        entries.map((one, n) => (n % 2 ? undefined : again(one))),
      );
    });
  });
}
