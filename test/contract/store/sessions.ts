import { describe, expect, test } from 'vitest';
import type { DeviceId, SessionId } from '../../../src/core/model/ids.ts';
import { uuidV7 } from '../../../src/core/random.ts';
import type { Examined } from '../support/examined.ts';
import { digest, idsOf, opening, people, person, verifier } from '../support/people.ts';

/** Sessions: opening, finding, listing, ending, sweeping. */
export function examineSessions(on: Examined): void {
  const nobody = uuidV7() as SessionId;

  describe('opening sessions', () => {
    test('an opened session is found by its token with every field, also after a restart', async () => {
      const alice = person('alice', { isAdmin: true });
      await on.store.createAccount({ account: alice, verifier });
      const opened = opening(alice, {
        door: 'websocket',
        address: '2001:db8::1',
        deviceLabel: 'Lucía’s phone',
      });
      expect(await on.store.openSession(opened)).toMatchObject({ kind: 'opened', ended: [] });
      expect(await on.store.sessionByToken(opened.tokenHash)).toEqual(opened.session);
      expect(await (await on.reopen()).sessionByToken(opened.tokenHash)).toEqual(opened.session);
      expect(await on.store.sessionByToken(digest(1))).toBeUndefined();
      expect(await on.store.sessionByToken(opened.refreshHash)).toBeUndefined();
    });

    test('nobody opens a session for an account that is not there', async () => {
      const opened = opening(person('ghost'));
      expect(await on.store.openSession(opened)).toEqual({ kind: 'no-account' });
      expect(await on.store.sessionByToken(opened.tokenHash)).toBeUndefined();
    });

    test('a device has one session: a new one ends the old, its tokens with it', async () => {
      const [alice] = await people(on.store, 'alice');
      const first = opening(alice);
      await on.store.openSession(first);
      const second = opening(
        alice,
        { deviceId: first.session.deviceId, deviceLabel: 'desk', createdAt: 2_000, lastUsedAt: 2_000 },
        { isNewDevice: false },
      );
      expect(await on.store.openSession(second)).toMatchObject({ kind: 'opened', ended: [first.session.id] });
      expect(await on.store.sessionByToken(first.tokenHash)).toBeUndefined();
      expect(await on.store.sessionByToken(second.tokenHash)).toEqual(second.session);
      const { refreshHash } = first;
      const refresh = { refreshHash, nextTokenHash: digest(2), nextRefreshHash: digest(3) };
      expect(
        await on.store.refreshSession({ ...refresh, now: 2_000, graceMs: 20, absoluteMs: 7_000 }),
      ).toEqual({ kind: 'unknown' });
    });

    test('a device outlives its session', async () => {
      const [alice] = await people(on.store, 'alice');
      const first = opening(alice);
      await on.store.openSession(first);
      await on.store.endSession({ id: first.session.id, userId: alice.id });
      const second = opening(alice, { deviceId: first.session.deviceId }, { isNewDevice: false });
      expect(await on.store.openSession(second)).toMatchObject({ kind: 'opened', ended: [] });
    });

    test("another account's device opens nothing and ends nothing", async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const hers = opening(alice);
      await on.store.openSession(hers);
      const { deviceId } = hers.session;
      for (const isNewDevice of [false, true]) {
        const his = opening(bob, { deviceId }, { isNewDevice });
        expect(await on.store.openSession(his)).toEqual({ kind: 'foreign-device' });
        expect(await on.store.sessionByToken(his.tokenHash)).toBeUndefined();
      }
      expect(await on.store.sessionByToken(hers.tokenHash)).toEqual(hers.session);
    });

    test('a device that nobody knows is a foreign one', async () => {
      const [alice] = await people(on.store, 'alice');
      const opened = opening(alice, { deviceId: uuidV7() as DeviceId }, { isNewDevice: false });
      expect(await on.store.openSession(opened)).toEqual({ kind: 'foreign-device' });
      expect(await on.store.sessions({ userId: alice.id, now: 1_000, idleMs: 1_000 })).toEqual([]);
    });

    test('over the limit the longest idle session gives way, at the limit none does', async () => {
      const [alice] = await people(on.store, 'alice');
      const at = (ms: number) => opening(alice, { createdAt: ms, lastUsedAt: ms }, { maxPerAccount: 3 });
      const [one, two, three, four] = [at(1_000), at(1_001), at(1_002), at(1_003)];
      await on.store.openSession(one);
      await on.store.openSession(two);
      expect(await on.store.openSession(three)).toMatchObject({ kind: 'opened', ended: [] });
      // The first was used since, so that the second is now the longest idle one.
      await on.store.touchSession({ id: one.session.id, lastUsedAt: 1_500 });
      expect(await on.store.openSession(four)).toMatchObject({ kind: 'opened', ended: [two.session.id] });
      expect(
        idsOf(
          await on.store.existingSessions([
            one.session.id,
            two.session.id,
            three.session.id,
            four.session.id,
          ]),
        ),
      ).toEqual([one.session.id, three.session.id, four.session.id]);
    });

    test('when the limit was lowered, all beyond it give way at once, the longest idle one last', async () => {
      const [alice] = await people(on.store, 'alice');
      const at = (ms: number, maxPerAccount: number) => opening(alice, { lastUsedAt: ms }, { maxPerAccount });
      const [one, two, three, four] = [at(1_000, 9), at(1_001, 9), at(1_002, 9), at(1_003, 2)];
      for (const opened of [one, two, three]) await on.store.openSession(opened);
      expect(await on.store.openSession(four)).toMatchObject({
        kind: 'opened',
        ended: [two.session.id, one.session.id],
      });
    });

    test('a session that replaces its device’s counts once against the limit', async () => {
      const [alice] = await people(on.store, 'alice');
      const first = opening(alice, {}, { maxPerAccount: 2 });
      const second = opening(alice, { lastUsedAt: 1_001 }, { maxPerAccount: 2 });
      await on.store.openSession(first);
      await on.store.openSession(second);
      const again = opening(
        alice,
        { deviceId: second.session.deviceId, lastUsedAt: 1_002 },
        { isNewDevice: false, maxPerAccount: 2 },
      );
      expect(await on.store.openSession(again)).toMatchObject({ kind: 'opened', ended: [second.session.id] });
      expect(await on.store.sessionByToken(first.tokenHash)).toEqual(first.session);
    });

    test('a lowered limit ends all that are too many, and a limit of 0 ends none', async () => {
      const [alice] = await people(on.store, 'alice');
      const all = Array.from({ length: 5 }, (_, i) =>
        opening(alice, { lastUsedAt: 1_000 + i }, { maxPerAccount: 0 }),
      );
      for (const one of all)
        expect(await on.store.openSession(one)).toMatchObject({ kind: 'opened', ended: [] });
      const last = opening(alice, { lastUsedAt: 2_000 }, { maxPerAccount: 2 });
      const outcome = await on.store.openSession(last);
      const ids = all.map(({ session }) => session.id);
      expect(outcome.kind === 'opened' && new Set(outcome.ended)).toEqual(new Set(ids.slice(0, 4)));
      expect(idsOf(await on.store.existingSessions(ids))).toEqual([ids[4]]);
    });

    test('one account’s limit is not another’s', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      await on.store.openSession(opening(alice, {}, { maxPerAccount: 1 }));
      expect(await on.store.openSession(opening(bob, {}, { maxPerAccount: 1 }))).toMatchObject({
        kind: 'opened',
        ended: [],
      });
    });
  });

  describe('listing and using sessions', () => {
    test('the living sessions of one account are listed, newest use first, to the millisecond', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const older = opening(alice, { lastUsedAt: 2_000, absoluteExpiresAt: 9_000 });
      const newer = opening(alice, { lastUsedAt: 3_000, absoluteExpiresAt: 3_600 });
      const foreign = opening(bob, { lastUsedAt: 2_500, absoluteExpiresAt: 9_000 });
      for (const one of [older, newer, foreign]) await on.store.openSession(one);
      const listed = (now: number) => on.store.sessions({ userId: alice.id, now, idleMs: 2_000 });
      expect(await listed(3_599)).toEqual([newer.session, older.session]);
      // At its absolute end one is dead, at its idle end the other.
      expect(await listed(3_600)).toEqual([older.session]);
      expect(await listed(3_999)).toEqual([older.session]);
      expect(await listed(4_000)).toEqual([]);
    });

    test('a use moves the last use forward and never back', async () => {
      const [alice] = await people(on.store, 'alice');
      const { session, ...opened } = opening(alice);
      await on.store.openSession({ session, ...opened });
      await on.store.touchSession({ id: session.id, lastUsedAt: 1_500 });
      await on.store.touchSession({ id: session.id, lastUsedAt: 1_200 });
      expect(await on.store.sessionByToken(opened.tokenHash)).toEqual({ ...session, lastUsedAt: 1_500 });
      expect(await on.store.touchSession({ id: nobody, lastUsedAt: 1 })).toBeUndefined();
    });

    test('existing sessions are told from those that are gone, as they are now', async () => {
      const [alice] = await people(on.store, 'alice');
      const [one, two] = [opening(alice), opening(alice)];
      await on.store.openSession(one);
      await on.store.openSession(two);
      await on.store.endSession({ id: one.session.id, userId: alice.id });
      expect(await on.store.existingSessions([])).toEqual([]);
      const left = () => on.store.existingSessions([nobody, one.session.id, two.session.id]);
      expect(await left()).toEqual([two.session]);
      await on.store.touchSession({ id: two.session.id, lastUsedAt: 1_500 });
      await on.store.setCsrfHash({ id: two.session.id, csrfHash: digest(1) });
      const secret = digest(2);
      await on.store.beginSecondFactor({ userId: alice.id, secret, now: 1 });
      const confirmed = { userId: alice.id, secret, step: 1, now: 1, codes: [], except: two.session.id };
      await on.store.confirmSecondFactor(confirmed);
      expect(await left()).toEqual([
        { ...two.session, lastUsedAt: 1_500, csrfHash: digest(1), hasSecondFactor: true },
      ]);
    });
  });

  describe('the digest of a CSRF token', () => {
    test('is kept with the session, is replaced by the next, and is nobody else’s, also after a restart', async () => {
      const [alice] = await people(on.store, 'alice');
      const [one, other] = [opening(alice), opening(alice, { csrfHash: digest(9) })];
      for (const each of [one, other]) await on.store.openSession(each);
      const set = (csrfHash: Uint8Array) => on.store.setCsrfHash({ id: one.session.id, csrfHash });
      expect((await on.store.sessionByToken(one.tokenHash))?.csrfHash).toBeNull();
      expect(await set(digest(1))).toBe(true);
      expect(await on.store.sessionByToken(one.tokenHash)).toEqual({ ...one.session, csrfHash: digest(1) });
      expect(await set(digest(2))).toBe(true);
      const store = await on.reopen();
      expect(await store.sessionByToken(one.tokenHash)).toEqual({ ...one.session, csrfHash: digest(2) });
      expect(await store.sessionByToken(other.tokenHash)).toEqual(other.session);
    });

    test('stays when the session is refreshed, and when the same one is put again', async () => {
      const [alice] = await people(on.store, 'alice');
      const { session, refreshHash, ...opened } = opening(alice);
      await on.store.openSession({ session, refreshHash, ...opened });
      const change = { id: session.id, csrfHash: digest(1) };
      for (const _ of [1, 2]) expect(await on.store.setCsrfHash(change)).toBe(true);
      const refreshed = await on.store.refreshSession({
        refreshHash,
        nextTokenHash: digest(2),
        nextRefreshHash: digest(3),
        now: 2_000,
        graceMs: 20,
        absoluteMs: 7_000,
      });
      expect(refreshed).toMatchObject({ kind: 'rotated', session: { csrfHash: digest(1) } });
      expect((await on.store.sessionByToken(digest(2)))?.csrfHash).toEqual(digest(1));
    });

    test('is not kept for a session that is not there, or has ended', async () => {
      const [alice] = await people(on.store, 'alice');
      const { id } = opening(alice).session;
      expect(await on.store.setCsrfHash({ id, csrfHash: digest(1) })).toBe(false);
      const ended = opening(alice);
      await on.store.openSession(ended);
      await on.store.endSession({ id: ended.session.id, userId: alice.id });
      expect(await on.store.setCsrfHash({ id: ended.session.id, csrfHash: digest(1) })).toBe(false);
      expect(await on.store.sessionByToken(ended.tokenHash)).toBeUndefined();
    });
  });

  describe('ending sessions', () => {
    test('the session of a device ends, its refresh token with it, and the device stays', async () => {
      const [alice] = await people(on.store, 'alice');
      const [one, other] = [opening(alice), opening(alice)];
      for (const each of [one, other]) await on.store.openSession(each);
      const { deviceId } = one.session;
      expect(await on.store.endSessionOnDevice({ deviceId })).toBe(one.session.id);
      expect(await on.store.endSessionOnDevice({ deviceId })).toBeUndefined();
      expect(await on.store.sessionByToken(one.tokenHash)).toBeUndefined();
      expect(await on.store.sessionByToken(other.tokenHash)).toEqual(other.session);
      const refresh = { refreshHash: one.refreshHash, nextTokenHash: digest(2), nextRefreshHash: digest(3) };
      expect(
        await on.store.refreshSession({ ...refresh, now: 2_000, graceMs: 20, absoluteMs: 7_000 }),
      ).toEqual({ kind: 'unknown' });
      const again = opening(alice, { deviceId }, { isNewDevice: false });
      expect(await on.store.openSession(again)).toMatchObject({ kind: 'opened', ended: [] });
    });

    test('a device that nobody knows has no session to end', async () => {
      expect(await on.store.endSessionOnDevice({ deviceId: uuidV7() as DeviceId })).toBeUndefined();
    });

    test('a device is named by the account of its session, and keeps the name at the next login', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const opened = opening(alice, { deviceLabel: 'old' });
      const { id: sessionId, deviceId } = opened.session;
      expect(await on.store.openSession(opened)).toEqual({ kind: 'opened', ended: [], label: 'old' });
      const rename = { sessionId, userId: alice.id, label: 'Lucía’s' };
      expect(await on.store.renameDevice({ ...rename, userId: bob.id })).toBeUndefined();
      expect(await on.store.renameDevice({ ...rename, sessionId: nobody })).toBeUndefined();
      expect(await on.store.sessionByToken(opened.tokenHash)).toEqual(opened.session);
      const renamed = { ...opened.session, deviceLabel: 'Lucía’s' };
      expect(await on.store.renameDevice(rename)).toEqual(renamed);
      expect(await on.store.sessionByToken(opened.tokenHash)).toEqual(renamed);
      const later = { deviceId, createdAt: 2_000, lastUsedAt: 2_000 };
      const same = opening(alice, { ...later, deviceLabel: '' }, { isNewDevice: false });
      expect(await on.store.openSession(same)).toEqual({
        kind: 'opened',
        ended: [sessionId],
        label: 'Lucía’s',
      });
      const other = opening(alice, { ...later, deviceLabel: 'new' }, { isNewDevice: false });
      expect(await on.store.openSession(other)).toMatchObject({ kind: 'opened', label: 'new' });
    });

    test('a session is ended by its own account only, and once', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const opened = opening(alice);
      const { id } = opened.session;
      await on.store.openSession(opened);
      expect(await on.store.endSession({ id, userId: bob.id })).toBe(false);
      expect(await on.store.sessionByToken(opened.tokenHash)).toEqual(opened.session);
      expect(await on.store.endSession({ id, userId: alice.id })).toBe(true);
      expect(await on.store.sessionByToken(opened.tokenHash)).toBeUndefined();
      expect(await on.store.endSession({ id, userId: alice.id })).toBe(false);
    });

    test('all sessions of an account end, but for one that is to stay', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const hers = [opening(alice), opening(alice), opening(alice)] as const;
      const his = opening(bob);
      for (const one of [...hers, his]) await on.store.openSession(one);
      const ids = hers.map(({ session }) => session.id);
      const second = hers[1].session.id;
      const ended = await on.store.endSessions({ userId: alice.id, except: second });
      expect(new Set(ended)).toEqual(new Set([hers[0].session.id, hers[2].session.id]));
      expect(idsOf(await on.store.existingSessions([...ids, his.session.id]))).toEqual([
        second,
        his.session.id,
      ]);
      expect(await on.store.endSessions({ userId: alice.id })).toEqual([second]);
      expect(await on.store.endSessions({ userId: alice.id })).toEqual([]);
      expect(idsOf(await on.store.existingSessions([...ids, his.session.id]))).toEqual([his.session.id]);
    });

    test('a sweep takes the sessions whose family has ended, to the millisecond, and no other', async () => {
      const [alice] = await people(on.store, 'alice');
      const short = opening(alice, { absoluteExpiresAt: 2_000, familyExpiresAt: 5_000 });
      const long = opening(alice, { absoluteExpiresAt: 2_000, familyExpiresAt: 5_001 });
      for (const one of [short, long]) await on.store.openSession(one);
      expect(await on.store.sweepSessions({ now: 4_999 })).toBe(0);
      expect(await on.store.sweepSessions({ now: 5_000 })).toBe(1);
      expect(idsOf(await on.store.existingSessions([short.session.id, long.session.id]))).toEqual([
        long.session.id,
      ]);
      expect(await on.store.sweepSessions({ now: 5_001 })).toBe(1);
      expect(await on.store.sweepSessions({ now: 9_999 })).toBe(0);
    });

    test('a sweep forgets the devices without a session that are old enough, to the millisecond, and no other', async () => {
      const [alice] = await people(on.store, 'alice');
      const [old, young, used] = [
        opening(alice, { createdAt: 1_000 }),
        opening(alice, { createdAt: 1_001 }),
        opening(alice, { createdAt: 1_000 }),
      ];
      for (const one of [old, young, used]) await on.store.openSession(one);
      for (const { session } of [old, young]) {
        await on.store.endSession({ id: session.id, userId: alice.id });
      }
      expect(await on.store.sweepDevices({ madeUntil: 999 })).toBe(0);
      expect(await on.store.sweepDevices({ madeUntil: 1_000 })).toBe(1);
      expect(await on.store.sweepDevices({ madeUntil: 1_000 })).toBe(0);
      const comeBack = ({ session: { deviceId } }: typeof old) =>
        on.store.openSession(opening(alice, { deviceId }, { isNewDevice: false }));
      expect(await comeBack(old)).toEqual({ kind: 'foreign-device' });
      expect(await comeBack(young)).toMatchObject({ kind: 'opened', ended: [] });
      expect(await on.store.sessionByToken(used.tokenHash)).toEqual(used.session);
    });

    test('a sweep takes 1,000 devices at a time', async () => {
      const [alice] = await people(on.store, 'alice');
      const all = Array.from({ length: 1_001 }, () => opening(alice, {}, { maxPerAccount: 1 }));
      await Promise.all(all.map((one) => on.store.openSession(one)));
      expect(await on.store.sweepDevices({ madeUntil: 1_000 })).toBe(1_000);
      expect(await on.store.sweepDevices({ madeUntil: 1_000 })).toBe(0);
    });
  });
}
