import { describe, expect, test } from 'vitest';
import { parseUsername } from '../../../src/core/model/username.ts';
import type { Examined } from '../support/examined.ts';
import { people } from '../support/people.ts';

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
      expect(await publish(2, 'too early')).toBe(false);
      expect(await publish(1, 'first')).toBe(true);
      expect(await publish(1, 'again')).toBe(false);
      expect(await publish(3, 'left one out')).toBe(false);
      expect(await publish(2, 'second')).toBe(true);
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
      expect(outcomes.filter((isAdded) => isAdded)).toHaveLength(1);
      expect(await on.store.keyRecord({ username })).toEqual({
        newestSeq: 1,
        record: `${outcomes.indexOf(true)}`,
      });
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
      const withoutPassword = { ...backup, password_wrap: undefined };
      expect(await on.store.putKeyBackup({ userId, version: 2, backup: withoutPassword })).toBe(3);
      expect(await on.store.keyBackup({ userId })).toEqual({ version: 3, backup: withoutPassword });
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
