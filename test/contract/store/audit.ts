import { describe, expect, test } from 'vitest';
import type { AuditEntry } from '../../../src/core/audit.ts';
import { type AuditRow, auditChain, walkTrail } from '../../../src/core/audit-chain.ts';
import type { AuditQuery } from '../../../src/core/ports/store/audit.ts';
import type { Examined } from '../support/examined.ts';

const chain = auditChain({ realm: 'chat.example', serverSecret: new Uint8Array(32).fill(7) });

/** An entry of millisecond `at`. */
function entry(at: number, other: Partial<AuditEntry> = {}): AuditEntry {
  return {
    at,
    operation: 'login.finish',
    user: 'alice',
    door: 'line',
    address: '192.0.2.1',
    outcome: 'ok',
    ...other,
  };
}

const entries = (count: number): AuditEntry[] => Array.from({ length: count }, (_, i) => entry(i + 1));

/** The audit trail: one chain whoever appends, pages of it, and its shortening. */
export function examineAudit(on: Examined): void {
  const page = (query: Partial<AuditQuery> = {}) => on.store.auditPage({ limit: 1_000, ...query });
  const seqs = async (query: Partial<AuditQuery> = {}) => (await page(query)).rows.map(({ seq }) => seq);

  /** What is wrong with the whole trail. */
  async function fault() {
    const ends = await on.store.auditEnds(chain);
    if (!ends.isSealed) return 'unsealed';
    const walk = walkTrail(ends);
    let after: number | undefined = 0;
    while (after !== undefined) {
      const read: { rows: readonly AuditRow[]; next: number | undefined } = await page({ after });
      for (const row of read.rows) {
        const found = walk.step(row);
        if (found) return found;
      }
      after = read.next;
    }
    return walk.finish();
  }

  describe('the audit trail', () => {
    test('keeps entries as they were, in their order, over a restart', async () => {
      const full = entry(5, {
        factor: 'password+totp',
        details: { session: 'x', reused: true, count: 3 },
      });
      const bare = entry(6, {
        operation: 'audit.lost',
        user: undefined,
        door: undefined,
        address: undefined,
        outcome: 'unavailable',
      });
      expect((await on.store.appendAudit({ entries: [full, bare], chain })).seq).toBe(2);
      await on.reopen();
      expect((await page()).rows).toEqual([
        {
          seq: 1,
          at: 5,
          operation: 'login.finish',
          user: 'alice',
          door: 'line',
          factor: 'password+totp',
          address: '192.0.2.1',
          outcome: 'ok',
          details: '{"session":"x","reused":true,"count":3}',
          hash: expect.any(Uint8Array),
        },
        {
          seq: 2,
          at: 6,
          operation: 'audit.lost',
          user: null,
          door: null,
          factor: null,
          address: null,
          outcome: 'unavailable',
          details: null,
          hash: expect.any(Uint8Array),
        },
      ]);
      expect(await fault()).toBeUndefined();
      expect((await on.store.appendAudit({ entries: [entry(7)], chain })).seq).toBe(3);
      expect(await fault()).toBeUndefined();
    });

    test('is one chain without a gap when many append at once', async () => {
      const heads = await Promise.all(
        Array.from({ length: 50 }, (_, i) => on.store.appendAudit({ entries: entries((i % 3) + 1), chain })),
      );
      const count = heads.length * 2 - 1;
      expect(heads.at(-1)?.seq).toBe(count);
      expect(await seqs()).toEqual(Array.from({ length: count }, (_, i) => i + 1));
      expect(await fault()).toBeUndefined();
    });

    test('that nothing was written to has no seal and no rows', async () => {
      expect(await page()).toEqual({ rows: [], next: undefined });
      expect(await on.store.auditEnds(chain)).toEqual({
        start: { seq: 0, hash: chain.first },
        head: { seq: 0, hash: chain.first },
        isSealed: false,
      });
    });

    test('is not sealed for who has another secret', async () => {
      await on.store.appendAudit({ entries: [entry(1)], chain });
      const other = auditChain({ realm: 'chat.example', serverSecret: new Uint8Array(32).fill(8) });
      expect((await on.store.auditEnds(chain)).isSealed).toBe(true);
      expect((await on.store.auditEnds(other)).isSealed).toBe(false);
    });

    test('is read in pages from either end', async () => {
      await on.store.appendAudit({ entries: entries(5), chain });
      expect(await seqs({ limit: 2 })).toEqual([1, 2]);
      expect((await page({ limit: 2 })).next).toBe(2);
      expect(await seqs({ after: 2, limit: 2 })).toEqual([3, 4]);
      expect((await page({ after: 2, limit: 4 })).next).toBeUndefined();
      expect(await seqs({ newest: true, limit: 2 })).toEqual([4, 5]);
      expect((await page({ newest: true, limit: 2 })).next).toBe(4);
      expect(await seqs({ newest: true, before: 4, limit: 9 })).toEqual([1, 2, 3]);
      expect(await seqs({ after: 5 })).toEqual([]);
    });

    test('is filtered by time, account and operation', async () => {
      await on.store.appendAudit({
        entries: [
          entry(1),
          entry(2, { user: 'bob' }),
          entry(3, { operation: 'session.end' }),
          entry(4, { user: undefined }),
        ],
        chain,
      });
      expect(await seqs({ since: 2 })).toEqual([2, 3, 4]);
      expect(await seqs({ user: 'bob' })).toEqual([2]);
      expect(await seqs({ user: 'alice' })).toEqual([1, 3]);
      expect(await seqs({ operation: 'session.end' })).toEqual([3]);
      expect(await seqs({ user: 'alice', operation: 'login.finish', since: 2 })).toEqual([]);
      expect(await seqs({ user: "' OR '1'='1" })).toEqual([]);
    });

    test('one look goes over 10,000 rows, and says where another one goes on', async () => {
      const many = [entry(1, { user: 'bob' }), ...entries(9_999), entry(1, { user: 'bob' })];
      await on.store.appendAudit({ entries: many, chain });
      const first = await page({ user: 'bob' });
      expect(first.rows.map(({ seq }) => seq)).toEqual([1]);
      expect(first.next).toBe(10_000);
      expect(await seqs({ user: 'bob', after: 10_000 })).toEqual([10_001]);
      const last = await page({ user: 'bob', newest: true });
      expect(last.rows.map(({ seq }) => seq)).toEqual([10_001]);
      expect(last.next).toBe(2);
      expect(await seqs({ user: 'bob', newest: true, before: 2 })).toEqual([1]);
    });
  });

  describe('shortening the audit trail', () => {
    const cut = (before: number) => on.store.cutAudit({ before, now: 900, chain });

    test('takes the rows from before a moment, says so in the trail, and leaves a chain', async () => {
      await on.store.appendAudit({ entries: entries(5), chain });
      const second = (await page()).rows[1];
      expect(await cut(1)).toBe(0);
      expect(await seqs()).toEqual([1, 2, 3, 4, 5]);
      expect(await cut(3)).toBe(2);
      const { rows } = await page();
      expect(rows.map(({ seq, operation }) => [seq, operation])).toEqual([
        [3, 'login.finish'],
        [4, 'login.finish'],
        [5, 'login.finish'],
        [6, 'audit.cut'],
      ]);
      expect(rows.at(-1)).toMatchObject({
        at: 900,
        user: null,
        details: JSON.stringify({ through: 2, hash: second?.hash.toHex() }),
      });
      expect((await on.store.auditEnds(chain)).start).toEqual({ seq: 2, hash: second?.hash });
      expect(await fault()).toBeUndefined();
      await on.reopen();
      await on.store.appendAudit({ entries: entries(1), chain });
      expect(await cut(3)).toBe(0);
      expect(await fault()).toBeUndefined();
    });

    test('takes no old row that stands behind a young one', async () => {
      await on.store.appendAudit({ entries: [entry(1), entry(9), entry(2)], chain });
      expect(await cut(5)).toBe(1);
      expect((await seqs()).slice(0, 2)).toEqual([2, 3]);
      expect(await fault()).toBeUndefined();
    });

    test('takes all of it but the row that says so when all is old', async () => {
      await on.store.appendAudit({ entries: entries(3), chain });
      expect(await cut(4)).toBe(3);
      expect(await seqs()).toEqual([4]);
      expect(await cut(4)).toBe(0);
      expect(await fault()).toBeUndefined();
    });

    test('takes 10,000 rows in one call, and the next one takes the rest', async () => {
      await on.store.appendAudit({ entries: Array.from({ length: 10_001 }, () => entry(1)), chain });
      expect(await cut(2)).toBe(10_000);
      expect(await cut(2)).toBe(1);
      expect(await fault()).toBeUndefined();
    });
  });
}
