import { describe, expect, test } from 'vitest';
import type { KeyBackupChange } from '../../../src/core/e2ee/key-backup.ts';
import { parseUsername } from '../../../src/core/model/username.ts';
import type { Examined } from '../support/examined.ts';
import { digest, opening, people, verifier } from '../support/people.ts';

/** Key records, each behind the one before, and sealed backups, each over the one that was read. */
export function examineKeys(on: Examined): void {
  const backup = { contents: 'c', recovery_wrap: 'r', password_wrap: 'p' };

  describe('key records', () => {
    test('are added one behind the other, and found by number or as the newest', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const { id: userId, username } = alice;
      expect(await on.store.keyRecord({ username })).toEqual({ newestSeq: 0, record: undefined });
      const publish = (seq: number, record: string) =>
        on.store.publishKeyRecord({ userId, seq, record, now: 5 });
      expect(await publish(2, 'too early')).toBe('other-record');
      expect(await publish(1, 'first')).toBe('published');
      expect(await publish(1, 'again')).toBe('other-record');
      expect(await publish(3, 'left one out')).toBe('other-record');
      expect(await publish(2, 'second')).toBe('published');
      await on.reopen();
      expect(await on.store.keyRecord({ username })).toEqual({ newestSeq: 2, record: 'second' });
      expect(await on.store.keyRecord({ username, seq: 1 })).toEqual({ newestSeq: 2, record: 'first' });
      expect(await on.store.keyRecord({ username, seq: 2 })).toEqual({ newestSeq: 2, record: 'second' });
      expect(await on.store.keyRecord({ username, seq: 3 })).toEqual({ newestSeq: 2, record: undefined });
      expect(await on.store.keyRecord({ username: bob.username })).toEqual({
        newestSeq: 0,
        record: undefined,
      });
      expect(await on.store.keyRecord({ username: parseUsername('nobody') })).toBeUndefined();
    });

    test('of one number are added once, of many at once', async () => {
      const [{ id: userId, username }] = await people(on.store, 'alice');
      const outcomes = await Promise.all(
        Array.from({ length: 10 }, (_, index) =>
          on.store.publishKeyRecord({ userId, seq: 1, record: `${index}`, now: 5 }),
        ),
      );
      expect(outcomes.filter((outcome) => outcome === 'published')).toHaveLength(1);
      expect(await on.store.keyRecord({ username })).toEqual({
        newestSeq: 1,
        record: `${outcomes.indexOf('published')}`,
      });
    });

    test('come together with their backup, or neither does', async () => {
      const [{ id: userId, username }] = await people(on.store, 'alice');
      const publish = (seq: number, version: number, contents: string) =>
        on.store.publishKeyRecord({
          userId,
          seq,
          record: `record ${seq}`,
          now: 5,
          backup: { ...backup, contents, version },
        });
      expect(await publish(1, 1, 'too early')).toBe('other-backup');
      expect(await on.store.keyRecord({ username })).toEqual({ newestSeq: 0, record: undefined });
      expect(await publish(1, 0, 'first')).toBe('published');
      expect(await publish(1, 1, 'again')).toBe('other-record');
      await on.reopen();
      expect(await on.store.keyRecord({ username })).toEqual({ newestSeq: 1, record: 'record 1' });
      expect(await on.store.keyBackup({ userId })).toEqual({
        version: 1,
        backup: { ...backup, contents: 'first' },
      });
    });

    test('are listed in order, a page at a time, each account’s own', async () => {
      const [{ id: userId }, bob] = await people(on.store, 'alice', 'bob');
      for (const seq of [1, 2, 3])
        await on.store.publishKeyRecord({ userId, seq, record: `record ${seq}`, now: seq * 10 });
      const page = (after: number, limit: number) => on.store.keyRecords({ userId, after, limit });
      expect(await page(0, 2)).toEqual([
        { seq: 1, record: 'record 1', publishedAt: 10 },
        { seq: 2, record: 'record 2', publishedAt: 20 },
      ]);
      expect((await page(2, 2)).map(({ seq }) => seq)).toEqual([3]);
      expect(await on.store.keyRecords({ userId: bob.id, after: 0, limit: 9 })).toEqual([]);
    });
  });

  describe('a backup of keys', () => {
    test('takes the place of the one it was made over, and of no other', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const { id: userId } = alice;
      const put = (version: number, contents: string) =>
        on.store.putKeyBackup({ userId, version, backup: { ...backup, contents } });
      expect(await on.store.keyBackup({ userId })).toBeUndefined();
      expect(await put(1, 'too early')).toBeUndefined();
      expect(await put(0, 'first')).toBe(1);
      expect(await put(0, 'again')).toBeUndefined();
      expect(await put(1, 'second')).toBe(2);
      await on.reopen();
      expect(await on.store.keyBackup({ userId })).toEqual({
        version: 2,
        backup: { ...backup, contents: 'second' },
      });
      expect(await on.store.keyBackup({ userId: bob.id })).toBeUndefined();
      const change = (version: number, changed: KeyBackupChange) =>
        on.store.putKeyBackup({ userId, version, backup: changed });
      expect(await change(2, { recovery_wrap: 'other' })).toBe(3);
      expect(await on.store.keyBackup({ userId })).toEqual({
        version: 3,
        backup: { contents: 'second', recovery_wrap: 'other', password_wrap: 'p' },
      });
      expect(await change(3, { password_wrap: null })).toBe(4);
      expect(await on.store.keyBackup({ userId })).toEqual({
        version: 4,
        backup: { contents: 'second', recovery_wrap: 'other', password_wrap: undefined },
      });
    });

    test('is made whole at first, and opens by a new password from the moment that there is one', async () => {
      const [alice] = await people(on.store, 'alice');
      const { id: userId } = alice;
      expect(await on.store.putKeyBackup({ userId, version: 0, backup: { contents: 'c' } })).toBeUndefined();
      await on.store.putKeyBackup({ userId, version: 0, backup });
      const anew = { contents: 'anew', recovery_wrap: 'r2', password_wrap: 'new' };
      const own = opening(alice);
      await on.store.openSession(own);
      const change = (
        replaces: number | undefined,
        next: number,
        keys?: { version: number; contents: string; recovery_wrap: string; password_wrap?: string },
      ) =>
        on.store.changeCredential({
          userId,
          replaces: replaces === undefined ? verifier.storedKey : digest(replaces),
          verifier: { ...verifier, storedKey: digest(next) },
          privacy: 'private',
          except: own.session.id,
          keys,
        });
      const kept = async () => {
        const found = await on.store.keyBackup({ userId });
        return [found?.version, found?.backup.contents, found?.backup.password_wrap];
      };
      expect(await change(undefined, 2, { ...anew, version: 2 })).toBeUndefined();
      expect(await change(9, 2, { ...anew, version: 1 })).toBeUndefined();
      expect(await kept()).toEqual([1, 'c', 'p']);
      expect(await change(undefined, 2, { ...anew, version: 1 })).toEqual([]);
      await on.reopen();
      expect(await kept()).toEqual([2, 'anew', 'new']);
      // Whoever does not say what it is wrapped by wants nothing that the old one opens.
      expect(await change(2, 3)).toEqual([]);
      expect(await kept()).toEqual([3, 'anew', undefined]);
    });

    test('is not opened any more by a password that a code has replaced', async () => {
      const [{ id: userId }] = await people(on.store, 'alice');
      await on.store.putKeyBackup({ userId, version: 0, backup });
      await on.store.putCode({ hash: digest(5), kind: 'reset-by-admin', userId, email: null, expiresAt: 99 });
      expect(
        await on.store.resetPassword({ hash: digest(5), now: 9, verifier, privacy: 'private' }),
      ).toMatchObject({ ended: [] });
      expect(await on.store.keyBackup({ userId })).toEqual({
        version: 2,
        backup: { contents: 'c', recovery_wrap: 'r', password_wrap: undefined },
      });
    });

    test('is taken from one of many that overwrite it at once', async () => {
      const [{ id: userId }] = await people(on.store, 'alice');
      const outcomes = await Promise.all(
        Array.from({ length: 10 }, (_, index) =>
          on.store.putKeyBackup({ userId, version: 0, backup: { ...backup, contents: `${index}` } }),
        ),
      );
      expect(outcomes.filter((version) => version === 1)).toHaveLength(1);
      const kept = await on.store.keyBackup({ userId });
      expect(kept?.backup.contents).toBe(`${outcomes.indexOf(1)}`);
    });
  });
}
