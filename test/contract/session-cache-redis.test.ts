import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { SessionId } from '../../src/core/model/ids.ts';
import type { CachedSession } from '../../src/core/ports/session-cache.ts';
import { type RedisConnection, redisConnection } from '../../src/server/redis/connection.ts';
import { redisSessionCache } from '../../src/server/session-cache/redis.ts';
import { until } from '../server/support/until.ts';
import { hasRedisServer, type RedisServer, startRedis } from '../support/redis-server.ts';
import { describeSessionCache } from './session-cache.exam.ts';
import { digest, opening, person } from './support/people.ts';

describe.skipIf(!hasRedisServer())('with a Redis', () => {
  let redis: RedisServer;
  const open: RedisConnection[] = [];
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterEach(() => {
    for (const connection of open.splice(0)) connection.close();
    redis.cli('FLUSHALL');
  });
  afterAll(async () => {
    await redis.close();
  });

  async function connect(secret: Uint8Array, realm = 'exam'): Promise<RedisConnection> {
    const onFailure = (error: unknown): void => {
      throw error;
    };
    const connection = redisConnection({ url: redis.url, secret, realm, onFailure, answerMs: 20_000 });
    open.push(connection);
    await until(() => connection.isUp);
    return connection;
  }

  describeSessionCache('the cache of two nodes', async () => {
    const secret = randomBytes(32);
    const [here, there] = await Promise.all([connect(secret), connect(secret)]);
    return { here: redisSessionCache(here), there: redisSessionCache(there) };
  });

  const alice = person('alice', { isAdmin: true });
  const entry = (lifeMs = 60_000): CachedSession => {
    const readAt = Date.now();
    return { session: opening(alice).session, readAt, believedUntil: readAt + lifeMs };
  };
  const entryKeys = (): string[] => redis.cli('KEYS', '*:session:*').split('\n').filter(Boolean);

  it('shows whoever reads Redis neither a name nor an id nor a digest', async () => {
    const cache = redisSessionCache(await connect(randomBytes(32)));
    const kept = entry();
    await cache.put(digest(7), kept);
    const keys = redis.cli('KEYS', '*');
    const values = entryKeys().map((key) => redis.cli('GET', key));
    for (const secret of ['alice', kept.session.id, alice.id, Buffer.from(digest(7)).toString('hex')]) {
      expect(keys).not.toContain(secret);
      expect(values.join()).not.toContain(secret);
    }
  });

  it('takes an entry that was forged, changed, cut, moved or made too large for none', async () => {
    const connection = await connect(randomBytes(32));
    const cache = redisSessionCache(connection);
    await cache.put(digest(1), entry());
    await cache.put(digest(2), entry());
    const [one = '', two = ''] = entryKeys();
    const bytes = (await connection.command(['GET', one], { isBytes: true })) as Buffer;
    const other = (await connection.command(['GET', two], { isBytes: true })) as Buffer;
    const flipped = (at: number): Buffer => {
      const copy = Buffer.from(bytes);
      copy[at] = (copy[at] ?? 0) ^ 1;
      return copy;
    };
    const wrong = [
      ...Array.from(bytes.keys(), flipped),
      ...[0, 1, 43, 44, bytes.length - 1].map((length) => bytes.subarray(0, length)),
      Buffer.concat([bytes, Buffer.alloc(1)]),
      other,
      Buffer.alloc(100_000),
      // Another session's name before what is sealed for this one.
      Buffer.concat([other.subarray(0, 16), bytes.subarray(16)]),
    ];
    for (const value of wrong) {
      await connection.command(['SET', one, value, 'PX', '60000']);
      expect(await Promise.all([1, 2].map((n) => cache.get(digest(n))))).toContain(undefined);
    }
    await connection.command(['SET', one, bytes, 'PX', '60000']);
    expect(await Promise.all([1, 2].map((n) => cache.get(digest(n))))).not.toContain(undefined);
    // One without an end is believed by nobody.
    await connection.command(['PERSIST', one]);
    expect(await Promise.all([1, 2].map((n) => cache.get(digest(n))))).toContain(undefined);
  });

  it('knows nothing of a cluster with another secret or realm', async () => {
    const secret = randomBytes(32);
    const caches = await Promise.all([
      connect(secret),
      connect(randomBytes(32)),
      connect(secret, 'another'),
    ]).then((connections) => connections.map(redisSessionCache));
    const [own, ...others] = caches;
    const kept = entry();
    await own?.put(digest(1), kept);
    for (const other of others) {
      expect(await other.get(digest(1))).toBeUndefined();
      await other.drop([kept.session.id]);
    }
    expect(await own?.get(digest(1))).toMatchObject({ session: kept.session });
    // The very bytes, put where the other looks.
    const [from = ''] = entryKeys();
    await others[0]?.put(digest(1), entry());
    const to = entryKeys().find((key) => key !== from) ?? '';
    redis.cli('COPY', from, to, 'REPLACE');
    expect(await others[0]?.get(digest(1))).toBeUndefined();
    expect(others[0]?.figures()).toMatchObject({ hits: 0, refused: 1 });
  });

  it('has nothing left after a flush, and goes on', async () => {
    const cache = redisSessionCache(await connect(randomBytes(32)));
    await cache.put(digest(1), entry());
    redis.cli('FLUSHALL');
    expect(await cache.get(digest(1))).toBeUndefined();
    await cache.drop(['nobody' as SessionId]);
    const kept = entry();
    await cache.put(digest(1), kept);
    expect(await cache.get(digest(1))).toMatchObject({ session: kept.session });
  });

  it('leaves nothing in Redis once its time is over', async () => {
    const cache = redisSessionCache(await connect(randomBytes(32)));
    for (let n = 0; n < 20; n++) await cache.put(digest(n), entry(100));
    await until(() => redis.cli('DBSIZE') === '0');
  });
});
