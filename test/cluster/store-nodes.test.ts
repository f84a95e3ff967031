import { Client } from 'pg';
import { describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import type { ConversationId } from '../../src/core/model/ids.ts';
import { hasTerms, parseSearch } from '../../src/core/search-terms.ts';
import { updateHeads } from '../../src/server/store/postgres/insertions.ts';
import type { MembershipCursor } from '../../src/server/store/postgres/membership-changes.ts';
import { lockNumber, lockSpace } from '../../src/server/store/postgres/migrate.ts';
import { preparedStatement } from '../../src/server/store/postgres/session.ts';
import { type PostgresStoreOptions, postgresStore } from '../../src/server/store/postgres/store.ts';
import '../../src/server/store/queries/index.ts';
import { statements } from '../../src/server/store/statement.ts';
import { inRoom, message, people, room, withUser } from '../contract/support/people.ts';
import { createDatabase, runSql, type TestDatabase } from '../support/postgres-server.ts';

const port = inject('postgresPort');

describe.skipIf(port === undefined)('nodes on one PostgreSQL', () => {
  async function fresh(): Promise<TestDatabase> {
    const database = await createDatabase(port ?? 0);
    onTestFinished(() => database.drop());
    return database;
  }
  async function opened({ url }: TestDatabase, options: Partial<PostgresStoreOptions> = {}) {
    const store = await postgresStore({ url, ...options });
    onTestFinished(() => store.close());
    return store;
  }

  describe('changes of members', () => {
    test('are told once to every node that asks, in their order, also those that began early and were committed late', async () => {
      const database = await fresh();
      const [one, other] = [await opened(database), await opened(database)];
      const [alice, bob] = await people(one, 'alice', 'bob');
      let cursor: MembershipCursor | undefined = (await other.membershipChanges()).next;
      /** What has changed since the last time. */
      async function told() {
        const { changes, isWhole, next } = await other.membershipChanges(cursor);
        cursor = next;
        expect(isWhole).toBe(true);
        return changes.map(({ kind, username, conversation: { ref } }) => [
          kind,
          username,
          ref.kind === 'room' ? ref.room : ref.peer,
        ]);
      }
      expect(await told()).toEqual([]);
      await one.createRoom({ room: room('dev'), by: alice.id, now: 1 });
      await one.joinRoom({ room: room('dev'), userId: bob.id, now: 1 });
      expect(await told()).toEqual([
        ['joined', 'alice', 'dev'],
        ['joined', 'bob', 'dev'],
      ]);
      expect(await told()).toEqual([]);
      // A transaction that takes its number now, and ends after another one has come and gone.
      await runSql(
        port ?? 0,
        `CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN PERFORM pg_sleep(0.4); RETURN NULL; END $$;
         CREATE TRIGGER waits AFTER INSERT ON conversations FOR EACH ROW
           WHEN (NEW.room = 'slow') EXECUTE FUNCTION wait()`,
        database.name,
      );
      const slow = one.createRoom({ room: room('slow'), by: alice.id, now: 1 });
      await one.leaveRoom({ room: room('dev'), userId: bob.id });
      await one.joinRoom({ room: room('dev'), userId: bob.id, now: 1 });
      expect(await told()).toEqual([
        ['left', 'bob', 'dev'],
        ['joined', 'bob', 'dev'],
      ]);
      await slow;
      await one.appendMessage(message(alice, withUser('bob')));
      // Of the two of a direct conversation either may be first.
      expect((await told()).sort((a, b) => String(b).localeCompare(String(a)))).toEqual([
        ['joined', 'bob', 'alice'],
        ['joined', 'alice', 'slow'],
        ['joined', 'alice', 'bob'],
      ]);
      const { changes } = await other.membershipChanges({ snapshot: '1:1:', at: Date.now() });
      expect(
        changes.find(({ conversation: { ref } }) => ref.kind === 'room' && ref.room === 'dev'),
      ).toMatchObject({
        kind: 'joined',
        userId: alice.id,
        conversation: { lastSeq: 0, readSeq: 0 },
      });
    });

    test('are not kept for ever, and who has asked nothing for as long is told that some may be missing', async () => {
      const database = await fresh();
      const store = await opened(database);
      await people(store, 'alice');
      const { next } = await store.membershipChanges();
      expect((await store.membershipChanges({ ...next, at: next.at - 599_000 })).isWhole).toBe(true);
      expect((await store.membershipChanges({ ...next, at: next.at - 600_001 })).isWhole).toBe(false);
      expect((await store.membershipChanges({ ...next, snapshot: '900000000:900000001:' })).isWhole).toBe(
        false,
      );
      const count = () => runSql(port ?? 0, 'SELECT count(*)::int AS n FROM member_changes', database.name);
      expect(await count()).toEqual([{ n: 1 }]);
      await runSql(
        port ?? 0,
        `UPDATE member_changes SET noted_at = now() - interval '21 minutes'`,
        database.name,
      );
      // The first call of a node sweeps.
      await (await opened(database)).membershipChanges();
      expect(await count()).toEqual([{ n: 0 }]);
    });
  });

  describe('a hold', () => {
    const never = (): void => {
      throw new Error('the hold was lost');
    };

    test('is for one node alone or for those that share it, and is let go of', async () => {
      const database = await fresh();
      const [one, other] = [await opened(database), await opened(database)];
      const sole = await one.holdNode({ as: 'sole', onLost: never });
      const refused = {
        code: 'unavailable',
        message: expect.stringContaining('start each of them with --bus'),
      };
      await expect(other.holdNode({ as: 'sole', onLost: never })).rejects.toMatchObject(refused);
      await expect(other.holdNode({ as: 'shared', onLost: never })).rejects.toMatchObject({
        message: expect.stringContaining('a node without a bus'),
      });
      // Another node may be about to end: it is waited for.
      const waiting = other.holdNode({ as: 'shared', onLost: never });
      await sole.letGo();
      const shared = [await waiting, await one.holdNode({ as: 'shared', onLost: never })];
      await expect(one.holdNode({ as: 'sole', onLost: never })).rejects.toMatchObject(refused);
      for (const held of shared) await held.letGo();
    });

    test('is taken again when its connection was lost, and told of when another node was first', async () => {
      const database = await fresh();
      const store = await opened(database);
      const lost = vi.fn();
      const held = await store.holdNode({ as: 'sole', onLost: lost });
      const holders = () =>
        runSql<{ pid: number }>(
          port ?? 0,
          `SELECT pid FROM pg_locks JOIN pg_database d ON d.oid = database
            WHERE locktype = 'advisory' AND objid = 3 AND granted AND datname = '${database.name}'`,
        );
      const [before] = await holders();
      await runSql(port ?? 0, `SELECT pg_terminate_backend(${before?.pid})`);
      await vi.waitUntil(async () => {
        const [after] = await holders();
        return after !== undefined && after.pid !== before?.pid;
      });
      expect(lost).not.toHaveBeenCalled();
      // Somebody who waits for it has it in the moment in which it is lost.
      const thief = new Client({ connectionString: database.url });
      await thief.connect();
      onTestFinished(() => thief.end());
      const stolen = thief.query('SELECT pg_advisory_lock($1, $2)', [lockSpace, lockNumber.node]);
      await vi.waitUntil(
        async () =>
          (await runSql(port ?? 0, `SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory'`)).length >
          0,
      );
      const [again] = await holders();
      await runSql(port ?? 0, `SELECT pg_terminate_backend(${again?.pid})`);
      await stolen;
      await vi.waitUntil(() => lost.mock.calls.length > 0, { timeout: 60_000 });
      expect(lost.mock.calls).toEqual([
        [expect.objectContaining({ code: 'unavailable', message: expect.stringContaining('another node') })],
      ]);
      await held.letGo();
    });
  });

  describe('the index of words', () => {
    /** All that a search finds, and whether the index alone has found it. */
    async function found(
      store: Awaited<ReturnType<typeof opened>>,
      userId: Parameters<typeof store.searchMessages>[0]['userId'],
      id: ConversationId,
      query: string,
    ) {
      const seqs: number[] = [];
      for (let before: number | undefined = Number.MAX_SAFE_INTEGER; before !== undefined; ) {
        const [step] = await store.searchMessages({
          userId,
          conversations: [{ id, before }],
          terms: parseSearch(query),
          limit: 1_000,
        });
        seqs.push(...(step?.found ?? []).map(({ seq }) => seq));
        before = step?.next?.before;
      }
      return seqs;
    }
    const indexed = async (database: TestDatabase): Promise<number> =>
      (
        await runSql<{ n: number }>(
          port ?? 0,
          'SELECT coalesce(sum(next_seq - first_seq), 0)::int AS n FROM search_parts',
          database.name,
        )
      )[0]?.n ?? 0;

    test('has what a node left that is gone, as soon as another one asks', async () => {
      const database = await fresh();
      const dead = await opened(database, { isIndexing: false });
      const [alice] = await people(dead, 'alice');
      await Promise.all(
        Array.from({ length: 300 }, (_, n) =>
          dead.appendMessage(message(alice, inRoom('lobby'), { body: { text: `needle n${n}` } })),
        ),
      );
      expect(await indexed(database)).toBe(0);
      const alive = await opened(database, { pace: { gatherMs: 1, askMs: 50 } });
      await vi.waitUntil(async () => (await indexed(database)) === 300, { timeout: 30_000 });
      // … and what it leaves while this one has nothing to do.
      await dead.appendMessage(message(alice, inRoom('lobby'), { body: { text: 'needle late' } }));
      await vi.waitUntil(async () => (await indexed(database)) === 301, { timeout: 30_000 });
      await vi.waitUntil(() => alive.figures().indexLag === 0);
    });

    test('is filled without long rests while much is missing', async () => {
      const database = await fresh();
      const left = await opened(database, { isIndexing: false });
      const [alice] = await people(left, 'alice');
      await Promise.all(
        Array.from({ length: 1_500 }, () => left.appendMessage(message(alice, inRoom('lobby')))),
      );
      // After one step of 256 it would rest for hours.
      const pace = { gatherMs: 1, rests: 1e6, retryMs: 1e9, pressing: 500 };
      const store = await opened(database, { pace });
      await vi.waitUntil(async () => (await indexed(database)) >= 1_000, { timeout: 30_000 });
      expect(store.figures().indexLag).toBeLessThanOrEqual(500);
      expect(store.figures().indexLag).toBeGreaterThan(0);
    });

    test('finds in messages of any length what core finds in them', async () => {
      const database = await fresh();
      const store = await opened(database, { pace: { gatherMs: 1, rests: 0 } });
      const [alice] = await people(store, 'alice');
      const texts = [
        'a b c',
        // More of one word than a tsvector keeps places of, and more words than it has places.
        `${'a '.repeat(600)}b c`,
        `${'日'.repeat(17_000)}本 end`,
        `x ${'y '.repeat(300)}x z`,
        '\u{20000}'.repeat(40),
        `${'w'.repeat(5_000)} tail`,
        "it's 10.0.0.1 \\ ' & | ! <-> :*",
      ];
      let id = 0 as ConversationId;
      for (const text of texts) {
        const outcome = await store.appendMessage(message(alice, inRoom('lobby'), { body: { text } }));
        if ('seq' in outcome) id = outcome.conversation;
      }
      await vi.waitUntil(async () => (await indexed(database)) === texts.length, { timeout: 30_000 });
      for (const query of [
        'a',
        '"b c"',
        '"a b"',
        '"a b c"',
        '"c a"',
        '日本',
        'en*',
        '"日 日"',
        '"x z"',
        '"z x"',
        'ta*',
        `${'w'.repeat(64)}`,
        `${'w'.repeat(9)}*`,
        '𠀀𠀀',
        "it's",
        '10.0.0.1',
        '1*',
        '"b c" a',
      ]) {
        const terms = parseSearch(query);
        const meant = texts.flatMap((text, i) => (hasTerms(text, terms) ? [i + 1] : [])).reverse();
        expect(await found(store, alice.id, id, query), query).toEqual(meant);
      }
    });
  });

  test('no statement of the store reads all of a table that grows, but for those that count', async () => {
    const database = await fresh();
    await (await opened(database)).close();
    const found: string[] = [];
    for (const of of [...statements]) {
      let prepared: ReturnType<typeof preparedStatement>;
      try {
        prepared = preparedStatement(of);
      } catch {
        // What only the embedded database understands has another one here.
        continue;
      }
      const { sql } = prepared;
      if (/search_index_seg|MATCH/.test(sql)) continue;
      const count = Math.max(0, ...[...sql.matchAll(/\$(\d+)/g)].map(([, n]) => Number(n)));
      // As it is planned for any values.
      const nulls = Array.from({ length: count }, () => 'NULL').join(', ');
      const rows = await runSql<{ 'QUERY PLAN': string }>(
        port ?? 0,
        `SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan;
         PREPARE looked AS ${sql}; EXPLAIN EXECUTE looked${count > 0 ? `(${nulls})` : ''}`,
        database.name,
      );
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
      const [, table] = /Seq Scan on (\w+)/.exec(plan) ?? [];
      if (table !== undefined) found.push(`${table}: ${sql.slice(0, 60)}`);
    }
    expect(statements.length).toBeGreaterThan(150);
    expect(found.sort()).toEqual([
      expect.stringMatching(/^conversations: select count/),
      expect.stringMatching(/^users: select count/),
    ]);
  });

  test('where conversations have come to is written without a look at others, however few there are', async () => {
    const database = await fresh();
    await (await opened(database)).close();
    const planned = async () =>
      (
        await runSql<{ 'QUERY PLAN': string }>(
          port ?? 0,
          `SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan;
           PREPARE looked AS ${updateHeads}; EXPLAIN EXECUTE looked(NULL, NULL)`,
          database.name,
        )
      )
        .map((row) => row['QUERY PLAN'])
        .join('\n');
    expect(await planned()).toContain('Index Cond: (id = ANY ($1))');
    await runSql(
      port ?? 0,
      `INSERT INTO conversations (room, last_seq, latest_at, created_at)
         SELECT 'room-' || n, 0, 0, 1 FROM generate_series(1, 300) n;
       ANALYZE conversations`,
      database.name,
    );
    expect(await planned()).toContain('Index Cond: (id = ANY ($1))');
  });
});
