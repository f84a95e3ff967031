import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import type { AuditEntry } from '../../src/core/audit.ts';
import { auditChain } from '../../src/core/audit-chain.ts';
import type { ConversationId } from '../../src/core/model/ids.ts';
import type { Store } from '../../src/core/ports/store.ts';
import { usualPatience } from '../../src/server/store/postgres/connections.ts';
import { databaseAddress } from '../../src/server/store/postgres/database-address.ts';
import { nodeLock } from '../../src/server/store/postgres/node-lock.ts';
import { type PostgresStore, postgresStore } from '../../src/server/store/postgres/store.ts';
import { inRoom, message, people, room, withUser } from '../contract/support/people.ts';
import { until } from '../server/support/until.ts';
import { type PostgresServer, startPostgres, type TestDatabase } from '../support/postgres-server.ts';
import { impatient, insistently, leakyWay, sendOn, type Told } from './support/faulty-store.ts';

const chain = auditChain({ realm: 'chat.example', serverSecret: new Uint8Array(32).fill(7) });
const entry: AuditEntry = {
  at: 1,
  operation: 'login.finish',
  user: 'alice',
  door: 'line',
  address: '192.0.2.1',
  outcome: 'ok',
};

const isMissing = inject('postgresPort') === undefined;

describe.skipIf(isMissing)('a store whose PostgreSQL fails', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.close());

  async function opened(port = server.port): Promise<{ store: PostgresStore; database: TestDatabase }> {
    const database = await server.createDatabase();
    const url = database.url.replace(`:${server.port}/`, `:${port}/`);
    const store = await postgresStore({ url, patience: impatient });
    onTestFinished(async () => {
      await store.close();
      await database.drop();
    });
    return { store, database };
  }

  async function bystander(database: TestDatabase): Promise<Client> {
    const client = new Client({ connectionString: database.url });
    client.on('error', () => {});
    await client.connect();
    onTestFinished(() => client.end().catch(() => {}));
    return client;
  }

  /** Three senders, with and without keys, in two rooms and between two people, until `work` is done; then all is compared. */
  async function whileSending(
    store: Store,
    work: () => Promise<void>,
  ): Promise<{ told: Told[]; refused: number }> {
    const [alice, bob, carol] = await people(store, 'alice', 'bob', 'carol');
    await store.createRoom({ room: room('dev'), by: bob.id, now: 1 });
    let isOver = false;
    const places = [inRoom('lobby'), inRoom('dev'), withUser('alice')];
    const senders = [alice, bob, carol].flatMap((sender, index) =>
      [true, false].map((hasKey) =>
        sendOn(
          store,
          sender,
          (n) => {
            const to = sender === bob ? (places[n % 3] ?? inRoom('lobby')) : inRoom('lobby');
            const text = `${sender.username} ${hasKey} ${n}`;
            return message(sender, to, { key: hasKey ? `${index} ${n}` : undefined, body: { text } });
          },
          () => isOver,
        ),
      ),
    );
    try {
      await work();
    } finally {
      isOver = true;
    }
    const all = await Promise.all(senders);
    const told = all.flatMap((one) => one.told);
    for (const conversation of new Set(told.map((one) => one.conversation))) {
      const kept = await store.messages({ conversation: conversation as ConversationId, limit: 100_000 });
      expect(kept.map(({ seq }) => seq)).toEqual(kept.map((_, i) => i + 1));
      for (const one of told) {
        if (one.conversation === conversation) expect(kept[one.seq - 1]?.id).toBe(one.id);
      }
      // Nothing twice: every text is another one, and was sent again under its key alone.
      const texts = kept.map(({ body }) => ('text' in body ? body.text : ''));
      const keyed = texts.filter((text) => text.includes('true'));
      expect(new Set(keyed).size).toBe(keyed.length);
    }
    return { told, refused: all.reduce((sum, one) => sum + one.refused, 0) };
  }

  test('that is killed and started again keeps all that was acknowledged, nothing twice, and is found again', async () => {
    const { store } = await opened();
    const { told, refused } = await whileSending(store, async () => {
      for (const end of [() => server.stop('immediate'), () => server.kill()]) {
        const before = store.figures().commitSeconds.sum;
        await vi.waitUntil(() => store.figures().commitSeconds.sum > before, { timeout: 30_000 });
        await end();
        await vi.waitUntil(() => store.figures().remote?.isUp === false, { timeout: 30_000 });
        const unavailable = store.figures().remote?.unavailable ?? 0;
        await vi.waitUntil(() => (store.figures().remote?.unavailable ?? 0) > unavailable, {
          timeout: 30_000,
        });
        await server.start();
        await vi.waitUntil(() => store.figures().remote?.isUp === true, { timeout: 30_000 });
      }
    });
    expect(told.length).toBeGreaterThan(10);
    expect(refused).toBeGreaterThan(0);
    expect(store.figures().remote).toMatchObject({ isUp: true });
  });

  test('whose connections are ended at any moment stores every message once, and no sender hears of it', async () => {
    const { store, database } = await opened();
    const { told, refused } = await whileSending(store, async () => {
      for (let round = 0; round < 40; round++) {
        const before = store.figures().remote?.lost ?? 0;
        await vi.waitUntil(
          async () => {
            await server.sql(
              `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = '${database.name}' AND application_name = 'chat' AND random() < 0.5`,
            );
            return (store.figures().remote?.lost ?? 0) > before;
          },
          { timeout: 30_000, interval: 1 },
        );
      }
    });
    expect(told.length).toBeGreaterThan(40);
    expect(refused).toBe(0);
  });

  test('whose connection ends within a commit that is undone stores the message by another one', async () => {
    const { store, database } = await opened();
    const [alice] = await people(store, 'alice');
    // Ends its own connection at the commit of the first message.
    await server.sql(
      `CREATE TABLE deaths (at timestamptz);
       CREATE SEQUENCE tries;
       CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
           IF nextval('tries') <= 3 THEN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1); END IF;
           RETURN NULL;
         END $$;
       CREATE CONSTRAINT TRIGGER dies AFTER INSERT ON messages DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION die()`,
      database.name,
    );
    const outcome = await store.appendMessage(message(alice, inRoom('lobby')));
    expect(outcome).toMatchObject({ kind: 'stored', seq: 1 });
    expect(await server.sql('SELECT seq::int FROM messages', database.name)).toEqual([{ seq: 1 }]);
    const [tries] = await server.sql<{ last_value: string }>('SELECT last_value FROM tries', database.name);
    expect(Number(tries?.last_value)).toBe(4);
  });

  test('whose answer to a commit is lost has stored the message once, and says so', async () => {
    const way = await leakyWay(server.port);
    onTestFinished(() => way.close());
    const { store, database } = await opened(way.port);
    const [alice] = await people(store, 'alice');
    for (const key of [undefined, 'k']) {
      // The commit takes a while, in which the way back is closed.
      await server.sql(
        `CREATE OR REPLACE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END $$;
         DROP TRIGGER IF EXISTS waits ON messages;
         CREATE CONSTRAINT TRIGGER waits AFTER INSERT ON messages DEFERRABLE INITIALLY DEFERRED
           FOR EACH ROW EXECUTE FUNCTION wait()`,
        database.name,
      );
      const sending = store.appendMessage(message(alice, inRoom('lobby'), { key }));
      const isCommitting = `SELECT 1 FROM pg_stat_activity WHERE datname = '${database.name}' AND query = 'COMMIT' AND state = 'active'`;
      await vi.waitUntil(async () => (await server.sql(isCommitting)).length > 0, { interval: 5 });
      way.holdAnswers();
      const count = key === undefined ? 1 : 2;
      await vi.waitUntil(
        async () => (await server.sql('SELECT 1 FROM messages', database.name)).length === count,
        { interval: 5 },
      );
      way.cut();
      expect(await sending).toMatchObject({ kind: 'stored', seq: count });
      expect(await server.sql('SELECT 1 FROM messages', database.name)).toHaveLength(count);
    }
  });

  test('whose answer to another commit is lost says that nobody knows', async () => {
    const way = await leakyWay(server.port);
    onTestFinished(() => way.close());
    const { store, database } = await opened(way.port);
    const [alice] = await people(store, 'alice');
    await server.sql(
      `CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END $$;
       CREATE CONSTRAINT TRIGGER waits AFTER INSERT ON conversations DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION wait()`,
      database.name,
    );
    const making = store.createRoom({ room: room('dev'), by: alice.id, now: 1 });
    const refused = expect(making).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('connection to the database was lost'),
    });
    const isCommitting = `SELECT 1 FROM pg_stat_activity WHERE datname = '${database.name}' AND query = 'COMMIT' AND state = 'active'`;
    await vi.waitUntil(async () => (await server.sql(isCommitting)).length > 0, { interval: 5 });
    way.holdAnswers();
    await vi.waitUntil(
      async () =>
        (await server.sql(`SELECT 1 FROM conversations WHERE room = 'dev'`, database.name)).length > 0,
      { interval: 5 },
    );
    way.cut();
    await refused;
    const again = await insistently(() => store.createRoom({ room: room('dev'), by: alice.id, now: 1 }));
    expect(again.result).toBe('taken');
  });

  test('whose answer to a commit of the audit trail is lost has each row once, and says so', async () => {
    const way = await leakyWay(server.port);
    onTestFinished(() => way.close());
    const { store, database } = await opened(way.port);
    await server.sql(
      `CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END $$;
       CREATE CONSTRAINT TRIGGER waits AFTER INSERT ON audit DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION wait()`,
      database.name,
    );
    const appending = store.appendAudit({ entries: [entry], chain });
    const isCommitting = `SELECT 1 FROM pg_stat_activity WHERE datname = '${database.name}' AND query = 'COMMIT' AND state = 'active'`;
    await vi.waitUntil(async () => (await server.sql(isCommitting)).length > 0, { interval: 5 });
    // The answer is on no way any more, and the database still commits.
    way.cut();
    expect(await appending).toMatchObject({ seq: 1 });
    expect(await server.sql('SELECT 1 FROM audit', database.name)).toHaveLength(1);
    expect(await store.appendAudit({ entries: [entry], chain })).toMatchObject({ seq: 2 });
  });

  test('in which somebody holds a room refuses what is sent there in time, and serves everybody else', async () => {
    const { store, database } = await opened();
    const [alice] = await people(store, 'alice');
    await store.createRoom({ room: room('dev'), by: alice.id, now: 1 });
    const holder = await bystander(database);
    await holder.query('BEGIN');
    await holder.query(`SELECT 1 FROM conversations WHERE room = 'dev' FOR UPDATE`);
    const start = performance.now();
    const held = Array.from({ length: 5 }, () => store.appendMessage(message(alice, inRoom('dev'))));
    const refusals = Promise.allSettled(held);
    for (let n = 1; n <= 20; n++) {
      expect(await store.appendMessage(message(alice, inRoom('lobby')))).toMatchObject({ seq: n });
    }
    for (const outcome of await refusals) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
    }
    expect(performance.now() - start).toBeLessThan(20_000);
    await holder.query('ROLLBACK');
    expect(await store.appendMessage(message(alice, inRoom('dev')))).toMatchObject({
      kind: 'stored',
      seq: 1,
    });
  });

  test('in which somebody is storing the same key refuses that message in time, and stores what was sent with it elsewhere', async () => {
    const { store, database } = await opened();
    const [alice] = await people(store, 'alice');
    await store.createRoom({ room: room('dev'), by: alice.id, now: 1 });
    await store.createRoom({ room: room('ops'), by: alice.id, now: 1 });
    // What another node has inserted and not committed, in a room that this one does not write in.
    const holder = await bystander(database);
    await holder.query('BEGIN');
    await holder.query(
      `INSERT INTO messages (conversation_id, seq, id, sender_id, sent_at, latest_at, body, idempotency_key)
       SELECT id, 1, 'of the other node', $1, 1, 1, 'x', 'same' FROM conversations WHERE room = 'ops'`,
      [alice.id],
    );
    const held = store.appendMessage(message(alice, inRoom('lobby'), { key: 'same' }));
    const refused = expect(held).rejects.toMatchObject({ code: 'unavailable' });
    const others = [inRoom('dev'), withUser('alice')].map((to) => store.appendMessage(message(alice, to)));
    await refused;
    await holder.query('ROLLBACK');
    expect(await Promise.all(others)).toMatchObject([{ seq: 1 }, { seq: 1 }]);
    expect(await store.appendMessage(message(alice, inRoom('lobby'), { key: 'same' }))).toMatchObject({
      kind: 'stored',
      seq: 1,
    });
  });

  test('that stands still is unavailable in time, and works again by itself', async () => {
    const { store } = await opened();
    const [alice] = await people(store, 'alice');
    await store.appendMessage(message(alice, inRoom('lobby')));
    server.pause();
    try {
      const calls = [
        store.appendMessage(message(alice, inRoom('lobby'), { key: 'a' })),
        store.account(alice.username),
        store.createRoom({ room: room('dev'), by: alice.id, now: 1 }),
      ];
      for (const outcome of await Promise.allSettled(calls)) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
      }
    } finally {
      server.resume();
    }
    const { result } = await insistently(() =>
      store.appendMessage(message(alice, inRoom('lobby'), { key: 'a' })),
    );
    expect(result).toMatchObject({ seq: 2 });
    expect(await insistently(() => store.account(alice.username))).toMatchObject({ result: alice });
  });

  test('that stands still keeps no node from ending', async () => {
    const { store } = await opened();
    const hold = await store.holdNode({ as: 'shared', onLost() {} });
    server.pause();
    try {
      const start = performance.now();
      await hold.letGo();
      expect(performance.now() - start).toBeLessThan(20_000);
    } finally {
      server.resume();
    }
  });

  test('keeps no connection for a hold that is let go while it is taken again', async () => {
    const way = await leakyWay(server.port);
    onTestFinished(() => way.close());
    const database = await server.createDatabase();
    onTestFinished(() => database.drop());
    const address = databaseAddress(database.url.replace(`:${server.port}/`, `:${way.port}/`));
    const hold = await nodeLock(address, usualPatience)({ as: 'sole', onLost() {} });
    server.pause();
    try {
      way.cut();
      await until(() => way.open > 0);
      await hold.letGo();
    } finally {
      server.resume();
    }
    await until(() => way.open === 0);
  });
});

describe.skipIf(isMissing || process.getuid?.() !== 0)('a store whose PostgreSQL has a full disk', () => {
  test('says so, keeps reading, and stores again when there is room', async ({ skip }) => {
    const directory = mkdtempSync(join(tmpdir(), 'chat-full-'));
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', directory]);
    // Not every machine lets a test mount anything: then what would be seen is not.
    if (mounted.status !== 0) {
      rmSync(directory, { recursive: true, force: true });
      process.stderr.write('!!! NOT RUN: a PostgreSQL with a full disk: nothing can be mounted here\n');
      skip();
    }
    const server = await startPostgres();
    try {
      const space = join(directory, 'space');
      mkdirSync(space, { mode: 0o700 });
      const { uid, gid } = statSync(server.dataDirectory());
      chownSync(space, uid, gid);
      await server.sql(`CREATE TABLESPACE small LOCATION '${space}'`);
      const database = await server.createDatabase();
      const store = await postgresStore({ url: database.url, patience: impatient, isIndexing: false });
      const [alice] = await people(store, 'alice');
      await server.sql('ALTER TABLE messages SET TABLESPACE small', database.name);
      // Nothing that PostgreSQL could make smaller.
      const text = (): string => Array.from({ length: 400 }, () => Math.random().toString(36)).join('');
      let stored = 0;
      let refusal: unknown;
      while (refusal === undefined) {
        const batch = await Promise.allSettled(
          Array.from({ length: 100 }, () =>
            store.appendMessage(message(alice, inRoom('lobby'), { body: { text: text() } })),
          ),
        );
        stored += batch.filter(({ status }) => status === 'fulfilled').length;
        for (const outcome of batch) if (outcome.status === 'rejected') refusal = outcome.reason;
      }
      expect(refusal).toMatchObject({ code: 'unavailable', message: expect.stringContaining('full') });
      const view = await store.openConversation({ userId: alice.id, ref: inRoom('lobby'), now: 1 });
      expect(view).toMatchObject({ lastSeq: stored });
      await server.sql('ALTER TABLE messages SET TABLESPACE pg_default', database.name);
      expect(await store.appendMessage(message(alice, inRoom('lobby')))).toMatchObject({ seq: stored + 1 });
      await store.close();
    } finally {
      await server.close();
      spawnSync('umount', [directory]);
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
