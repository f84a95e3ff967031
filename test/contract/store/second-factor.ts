import { describe, expect, test } from 'vitest';
import type { Account } from '../../../src/core/model/account.ts';
import type { SessionId } from '../../../src/core/model/ids.ts';
import type { HashedRecoveryCode } from '../../../src/core/model/second-factor.ts';
import type { Examined } from '../support/examined.ts';
import { digest, opening, people } from '../support/people.ts';

/** The second factor of an account, and its recovery codes. */
export function examineSecondFactor(on: Examined): void {
  const secret = new Uint8Array([1, 2, 3]);
  const other = new Uint8Array([9]);
  const codes = (from: number): HashedRecoveryCode[] =>
    [0, 1, 2].map((number) => ({ number, salt: new Uint8Array(16).fill(from), hash: digest(from + number) }));
  const nobody = '' as SessionId;

  async function withFactor(name: string): Promise<Account> {
    const [account] = await people(on.store, name);
    await on.store.beginSecondFactor({ userId: account.id, secret, now: 10 });
    await on.store.confirmSecondFactor({
      userId: account.id,
      secret,
      step: 5,
      now: 20,
      codes: codes(100),
      except: nobody,
    });
    return account;
  }

  describe('a second factor', () => {
    test('is nobody’s at first, then set up, then on, also after a restart', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const userId = alice.id;
      expect(await on.store.secondFactor(userId)).toBeUndefined();
      expect(await on.store.beginSecondFactor({ userId, secret, now: 10 })).toBe(true);
      const begun = { secret, begunAt: 10, confirmedAt: null, lastStep: 0, recoveryCodesLeft: 0 };
      expect(await on.store.secondFactor(userId)).toEqual(begun);
      expect((await on.store.account(alice.username))?.hasSecondFactor).toBe(false);
      expect(
        await on.store.confirmSecondFactor({
          userId,
          secret,
          step: 5,
          now: 20,
          codes: codes(100),
          except: nobody,
        }),
      ).toEqual([]);
      const store = await on.reopen();
      expect(await store.secondFactor(userId)).toEqual({
        secret,
        begunAt: 10,
        confirmedAt: 20,
        lastStep: 5,
        recoveryCodesLeft: 3,
      });
      expect((await store.account(alice.username))?.hasSecondFactor).toBe(true);
      expect((await store.credential(alice.username))?.account.hasSecondFactor).toBe(true);
      expect((await store.accounts({ after: '', limit: 10 })).map((one) => one.hasSecondFactor)).toEqual([
        true,
        false,
      ]);
      expect(await store.secondFactor(bob.id)).toBeUndefined();
    });

    test('that is being set up gives way to another one, one that is on does not', async () => {
      const [alice] = await people(on.store, 'alice');
      const userId = alice.id;
      const confirm = (which: Uint8Array) =>
        on.store.confirmSecondFactor({ userId, secret: which, step: 5, now: 20, codes: [], except: nobody });
      await on.store.beginSecondFactor({ userId, secret: other, now: 10 });
      expect(await on.store.beginSecondFactor({ userId, secret, now: 11 })).toBe(true);
      expect(await confirm(other)).toBeUndefined();
      expect(await confirm(secret)).toEqual([]);
      expect(await confirm(secret)).toBeUndefined();
      expect(await on.store.beginSecondFactor({ userId, secret: other, now: 30 })).toBe(false);
      expect((await on.store.secondFactor(userId))?.secret).toEqual(secret);
    });

    test('ends the other sessions as it is turned on and as it is turned off', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const userId = alice.id;
      const [first, second, his] = [opening(alice), opening(alice), opening(bob)];
      for (const one of [first, second, his]) await on.store.openSession(one);
      await on.store.beginSecondFactor({ userId, secret, now: 10 });
      const ended = await on.store.confirmSecondFactor({
        userId,
        secret,
        step: 5,
        now: 20,
        codes: codes(100),
        except: first.session.id,
      });
      expect(ended).toEqual([second.session.id]);
      expect((await on.store.sessionByToken(first.tokenHash))?.hasSecondFactor).toBe(true);
      expect((await on.store.sessionByToken(his.tokenHash))?.hasSecondFactor).toBe(false);
      const third = opening({ ...alice, hasSecondFactor: true });
      await on.store.openSession(third);
      expect(await on.store.removeSecondFactor({ userId, except: first.session.id })).toEqual([
        third.session.id,
      ]);
      expect((await on.store.sessionByToken(first.tokenHash))?.hasSecondFactor).toBe(false);
      expect(await on.store.secondFactor(userId)).toBeUndefined();
      expect(await on.store.recoveryCode({ userId, number: 0 })).toBeUndefined();
      expect(await on.store.removeSecondFactor({ userId, except: first.session.id })).toBeUndefined();
    });

    test('says since when somebody else took it away, until it is on again or turned off', async () => {
      const alice = await withFactor('alice');
      const userId = alice.id;
      const takenAt = async () => (await on.store.account(alice.username))?.factorTakenAt;
      expect(await takenAt()).toBeUndefined();
      const [one, two] = [{ ...alice, hasSecondFactor: true }, alice].map((account) => opening(account));
      if (!one || !two) throw new Error('there are two');
      await on.store.openSession(one);
      expect(await on.store.removeSecondFactor({ userId, takenAt: 70 })).toEqual([one.session.id]);
      expect(await takenAt()).toBe(70);
      expect(await on.store.removeSecondFactor({ userId, takenAt: 80 })).toBeUndefined();
      expect(await (await on.reopen()).account(alice.username)).toMatchObject({
        factorTakenAt: 70,
        hasSecondFactor: false,
      });
      await on.store.beginSecondFactor({ userId, secret, now: 90 });
      expect(await takenAt()).toBe(70);
      const confirmed = { userId, secret, step: 5, now: 90, codes: [], except: nobody };
      await on.store.confirmSecondFactor(confirmed);
      expect(await takenAt()).toBeUndefined();
      await on.store.removeSecondFactor({ userId, takenAt: 100 });
      await on.store.beginSecondFactor({ userId, secret, now: 110 });
      await on.store.confirmSecondFactor(confirmed);
      await on.store.removeSecondFactor({ userId, except: nobody });
      expect(await takenAt()).toBeUndefined();
    });

    test('that is being set up is not turned off', async () => {
      const [alice] = await people(on.store, 'alice');
      await on.store.beginSecondFactor({ userId: alice.id, secret, now: 10 });
      expect(await on.store.removeSecondFactor({ userId: alice.id, except: nobody })).toBeUndefined();
      expect(await on.store.secondFactor(alice.id)).toBeDefined();
    });

    test('keeps out a session that was judged by what held before, with nothing opened', async () => {
      const alice = await withFactor('alice');
      const before = opening(alice);
      expect(await on.store.openSession(before)).toEqual({ kind: 'factor-changed' });
      expect(await on.store.sessionByToken(before.tokenHash)).toBeUndefined();
      const [bob] = await people(on.store, 'bob');
      const after = opening({ ...bob, hasSecondFactor: true });
      expect(await on.store.openSession(after)).toEqual({ kind: 'factor-changed' });
    });
  });

  describe('a step', () => {
    test('is used by one of many at once, and none up to it after that', async () => {
      const alice = await withFactor('alice');
      const use = (step: number, which = secret) =>
        on.store.useTotpStep({ userId: alice.id, secret: which, step });
      expect(await use(5)).toBe(false);
      expect(await use(7, other)).toBe(false);
      const outcomes = await Promise.all(Array.from({ length: 20 }, () => use(7)));
      expect(outcomes.filter((isUsed) => isUsed)).toHaveLength(1);
      expect([await use(6), await use(7), await use(8)]).toEqual([false, false, true]);
      expect((await on.store.secondFactor(alice.id))?.lastStep).toBe(8);
    });

    test('of a factor that is not on yet is used by nobody', async () => {
      const [alice] = await people(on.store, 'alice');
      await on.store.beginSecondFactor({ userId: alice.id, secret, now: 10 });
      expect(await on.store.useTotpStep({ userId: alice.id, secret, step: 7 })).toBe(false);
    });
  });

  describe('a recovery code', () => {
    test('is found by its number until one of many at once has used it', async () => {
      const alice = await withFactor('alice');
      const bob = await withFactor('bob');
      const [, code] = codes(100);
      if (!code) throw new Error('there are three');
      const of = { userId: alice.id, number: 1 };
      expect(await on.store.recoveryCode(of)).toEqual(code);
      expect(await on.store.useRecoveryCode({ ...of, hash: digest(7) })).toBe(false);
      const outcomes = await Promise.all(
        Array.from({ length: 20 }, () => on.store.useRecoveryCode({ ...of, hash: code.hash })),
      );
      expect(outcomes.filter((isUsed) => isUsed)).toHaveLength(1);
      expect(await on.store.recoveryCode(of)).toBeUndefined();
      expect((await on.store.secondFactor(alice.id))?.recoveryCodesLeft).toBe(2);
      expect((await on.store.secondFactor(bob.id))?.recoveryCodesLeft).toBe(3);
    });

    test('gives way to a new set, all at once, where a factor is on', async () => {
      const alice = await withFactor('alice');
      const userId = alice.id;
      expect(await on.store.replaceRecoveryCodes({ userId, codes: codes(200).slice(0, 2) })).toBe(true);
      expect(await on.store.recoveryCode({ userId, number: 0 })).toEqual(codes(200)[0]);
      expect(await on.store.recoveryCode({ userId, number: 2 })).toBeUndefined();
      const [bob] = await people(on.store, 'bob');
      expect(await on.store.replaceRecoveryCodes({ userId: bob.id, codes: codes(200) })).toBe(false);
      await on.store.beginSecondFactor({ userId: bob.id, secret, now: 10 });
      expect(await on.store.replaceRecoveryCodes({ userId: bob.id, codes: codes(200) })).toBe(false);
      expect(await on.store.recoveryCode({ userId: bob.id, number: 0 })).toBeUndefined();
    });
  });
}
