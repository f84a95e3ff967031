import { randomUUID } from 'node:crypto';
import { createClient } from '@redis/client';
import { Pool } from 'pg';
import type { Stores } from './cluster-lab.ts';
import { exactMicroseconds, familyMicroseconds } from './processor.ts';

/** What a store alone did, and what its processors took for each, in microseconds. */
export interface Floor {
  readonly perSecond: number;
  readonly cpu: number;
}

const text = 'x'.repeat(100);

/**
 * Rows that `pg` alone puts into a table like ours of messages on the same PostgreSQL, so many in a commit and so many commits at a
 * time, each with the conversation's row that gives out the numbers.
 */
export async function bareInserts(
  { postgres, postgresPid }: Stores,
  { lanes, rowsPerCommit, seconds }: { lanes: number; rowsPerCommit: number; seconds: number },
): Promise<Floor> {
  const database = await postgres.createDatabase();
  const pool = poolOf(database.url, lanes);
  await pool.query(`
    CREATE TABLE conversations (id text PRIMARY KEY, last_seq int8 NOT NULL);
    CREATE TABLE messages (conversation_id text NOT NULL, seq int8 NOT NULL, id text NOT NULL UNIQUE, sender_id text NOT NULL,
      sent_at int8 NOT NULL, body text, idempotency_key text, PRIMARY KEY (conversation_id, seq));
    CREATE UNIQUE INDEX keys ON messages (idempotency_key, sender_id) WHERE idempotency_key IS NOT NULL`);
  for (let lane = 0; lane < lanes; lane++)
    await pool.query('INSERT INTO conversations VALUES ($1, 0)', [String(lane)]);
  let count = 0;
  const cpuBefore = familyMicroseconds(postgresPid);
  const start = performance.now();
  const end = start + seconds * 1_000;
  const lane = async (conversation: string): Promise<void> => {
    const client = await pool.connect();
    while (performance.now() < end) {
      const ids = Array.from({ length: rowsPerCommit }, () => randomUUID());
      await client.query('BEGIN');
      const { rows } = await client.query(
        'UPDATE conversations SET last_seq = last_seq + $2 WHERE id = $1 RETURNING last_seq',
        [conversation, rowsPerCommit],
      );
      await client.query(
        `INSERT INTO messages SELECT $1, $2 + nr, id, 'sender', 0, $3, id FROM unnest($4::text[]) WITH ORDINALITY AS new (id, nr)`,
        [conversation, Number(rows[0].last_seq) - rowsPerCommit, text, ids],
      );
      await client.query('COMMIT');
      count += rowsPerCommit;
    }
    client.release();
  };
  await Promise.all(Array.from({ length: lanes }, (_, index) => lane(String(index))));
  const perSecond = (count / (performance.now() - start)) * 1_000;
  const cpu = (familyMicroseconds(postgresPid) - cpuBefore) / count;
  await pool.end();
  await database.drop();
  return { perSecond, cpu };
}

/** A pool whose connections may be cut off when their database is taken away: nobody uses them then. */
function poolOf(url: string, max: number): Pool {
  const pool = new Pool({ connectionString: url, max });
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

/** Updates of one row by its key, each with its commit, over so many connections: the least that noting a session's use can cost. */
export async function bareUpdates(
  { postgres, postgresPid }: Stores,
  { lanes, seconds }: { lanes: number; seconds: number },
): Promise<Floor> {
  const database = await postgres.createDatabase();
  const pool = poolOf(database.url, lanes);
  await pool.query('CREATE TABLE sessions (id int8 PRIMARY KEY, used_at int8 NOT NULL)');
  await pool.query('INSERT INTO sessions SELECT id, 0 FROM generate_series(1, 10000) AS ids (id)');
  let count = 0;
  const cpuBefore = familyMicroseconds(postgresPid);
  const start = performance.now();
  const end = start + seconds * 1_000;
  const lane = async (): Promise<void> => {
    while (performance.now() < end) {
      count += 1;
      await pool.query('UPDATE sessions SET used_at = used_at + 1 WHERE id = $1', [(count % 10_000) + 1]);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  const perSecond = (count / (performance.now() - start)) * 1_000;
  const cpu = (familyMicroseconds(postgresPid) - cpuBefore) / count;
  await pool.end();
  await database.drop();
  return { perSecond, cpu };
}

/** Messages of 300 bytes published by one client of Node and had by so many others, the last of them awaited after each hundred. */
export async function barePublishes(
  { redis, redisPid }: Stores,
  { subscribers, seconds }: { subscribers: number; seconds: number },
): Promise<Floor> {
  const clients = await Promise.all(
    Array.from({ length: subscribers + 1 }, async () => {
      const client = createClient({ url: redis.url });
      client.on('error', () => {});
      await client.connect();
      return client;
    }),
  );
  const [publisher, ...others] = clients;
  if (!publisher) throw new Error('nobody publishes');
  let had = 0;
  const count = (): void => {
    had += 1;
  };
  for (const other of others) await other.subscribe('floor', count);
  const message = 'x'.repeat(300);
  let sent = 0;
  const cpuBefore = exactMicroseconds(redisPid);
  const start = performance.now();
  while (performance.now() < start + seconds * 1_000) {
    await Promise.all(Array.from({ length: 100 }, () => publisher.publish('floor', message)));
    sent += 100;
    while (had < sent * subscribers) await new Promise((resolve) => setImmediate(resolve));
  }
  const perSecond = (sent / (performance.now() - start)) * 1_000;
  const cpu = (exactMicroseconds(redisPid) - cpuBefore) / sent;
  for (const client of clients) client.destroy();
  return { perSecond, cpu };
}
