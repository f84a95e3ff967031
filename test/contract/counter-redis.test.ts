import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { failureWaits } from '../../src/core/policy.ts';
import { type RedisCounter, redisCounter } from '../../src/server/counter/redis.ts';
import { type RedisConnection, redisConnection } from '../../src/server/redis/connection.ts';
import { until } from '../server/support/until.ts';
import { hasRedisServer, type RedisServer, startRedis } from '../support/redis-server.ts';
import { counterExam } from './counter.exam.ts';

describe.skipIf(!hasRedisServer())('with a Redis', () => {
  let redis: RedisServer;
  /** Made while the clock is the real one, by which they find out whether Redis answers. */
  const connections: RedisConnection[] = [];
  const told: string[] = [];
  let ticking: ReturnType<typeof setInterval> | undefined;
  /** How far the nodes are ahead of this test, in milliseconds. */
  let aheadMs = 0;

  beforeAll(async () => {
    redis = await startRedis();
    const secret = randomBytes(32);
    const onFailure = (error: unknown): void => {
      throw error;
    };
    for (let node = 0; node < 2; node++) {
      connections.push(
        redisConnection({ url: redis.url, secret, realm: 'exam', onFailure, answerMs: 20_000 }),
      );
    }
    await until(() => connections.every(({ isUp }) => isUp));
  });
  afterEach(async () => {
    clearInterval(ticking);
    await until(() => connections.every(({ isUp }) => isUp));
    redis.cli('CONFIG', 'SET', 'maxmemory', '0');
    redis.cli('FLUSHALL');
    told.length = 0;
    aheadMs = 0;
  });
  afterAll(async () => {
    for (const connection of connections) connection.close();
    await redis.close();
  });

  function counterOf(node: number, clock?: () => number): RedisCounter {
    const connection = connections[node];
    if (!connection) throw new Error('there are two nodes');
    return redisCounter({
      connection,
      onLocal: () => told.push('local'),
      onShared: () => told.push('shared'),
      elapsed: () => performance.now() + aheadMs,
      ...(clock && { clock }),
    });
  }

  counterExam(async () => {
    // Redis's clock, in the time of the exam: it goes on with the timers, and nobody sets it back.
    let now = Date.now();
    ticking = setInterval(() => {
      now += 1;
    }, 1);
    return counterOf(0, () => now);
  });

  it('counts exactly over two nodes: of twice as many at once as may pass, half do', async () => {
    const counters = [counterOf(0), counterOf(1)];
    const most = 200;
    const taken = await Promise.all(
      Array.from({ length: 2 * most }, (_, one) => counters[one % 2]?.take('a', most, 60_000)),
    );
    expect(taken.filter((ms) => ms === 0)).toHaveLength(most);
    expect(taken.filter((ms) => ms !== undefined && ms > 0 && ms <= 60_000)).toHaveLength(most);
    expect(told).toEqual([]);
  });

  it('closes for one of many on two nodes that find it open at once', async () => {
    const counters = [counterOf(0), counterOf(1)];
    const closed = await Promise.all(
      Array.from({ length: 100 }, (_, one) => counters[one % 2]?.closeIfOpen('a', 60_000)),
    );
    expect(closed.filter(Boolean)).toHaveLength(1);
    expect(await counters[1]?.closedFor('a')).toBeGreaterThan(50_000);
    await counters[0]?.forget('a');
    expect(await counters[1]?.closedFor('a')).toBe(0);
  });

  it('goes by the time of Redis: a window ends, a key opens, and nothing of them stays', async () => {
    const counter = counterOf(0);
    await counter.close('b', 150);
    expect(await counter.take('a', 1, 150)).toBe(0);
    const left = await counter.take('a', 1, 150);
    expect(left).toBeLessThanOrEqual(150);
    await until(() => redis.cli('DBSIZE') === '0');
    expect(await counter.take('a', 1, 60_000)).toBe(0);
    expect(await counter.closedFor('b')).toBe(0);
  });

  it('shows whoever reads Redis no name and no address', async () => {
    await counterOf(0).add('login alice 192.0.2.1', 60_000);
    expect(redis.cli('KEYS', '*')).toMatch(/^chat:exam:[0-9a-f]{16}:count:[0-9a-f]{32}$/);
  });

  it('believes no count and no closing that somebody has written there for longer than it would have written itself', async () => {
    const counter = counterOf(0);
    const minuteMs = 60_000;
    const longestMs = failureWaits.mostMs;
    await counter.add('a', minuteMs);
    const key = redis.cli('KEYS', '*').trim();
    const inTenYears = String(Date.now() + 10 * 365 * 24 * 60 * minuteMs);
    for (const ever of [inTenYears, '9007199254740991', '1e300', 'inf']) {
      redis.cli('HSET', key, 'n', '1000000', 'u', ever, 'w', ever, 'c', ever, 'd', ever);
      redis.cli('PERSIST', key);
      const closedMs = await counter.closedFor('a');
      expect(closedMs).toBeGreaterThan(longestMs - minuteMs);
      expect(closedMs).toBeLessThanOrEqual(longestMs);
      // And it goes by from there on.
      await until(() => Number(redis.cli('HGET', key, 'c')) - Date.now() < longestMs);
      const leftMs = await counter.take('a', 1, minuteMs);
      expect(leftMs).toBeGreaterThan(0);
      expect(leftMs).toBeLessThanOrEqual(minuteMs);
      const lifeMs = Number(redis.cli('PTTL', key));
      expect(lifeMs).toBeGreaterThan(0);
      expect(lifeMs).toBeLessThanOrEqual(longestMs);
    }
    for (const nothing of ['nan', '-inf', '-1', 'x', '']) {
      redis.cli('HSET', key, 'n', nothing, 'u', nothing, 'w', nothing, 'c', nothing, 'd', nothing);
      expect(await counter.closedFor('a')).toBe(0);
      expect(await counter.take('a', 1, minuteMs)).toBe(0);
    }
    expect(told).toEqual([]);
  });

  it('counts by itself while Redis is gone, says so once, and counts with the others when it is back', async () => {
    const counter = counterOf(0);
    expect(await counter.add('a', 60_000)).toBe(1);
    await redis.kill();
    // The first may still go out to the Redis that is gone.
    const counts = [await counter.add('a', 60_000), await counter.add('a', 60_000)];
    expect(counts).toEqual([1, 2]);
    expect(await counter.take('b', 1, 60_000)).toBe(0);
    expect(await counter.take('b', 1, 60_000)).toBeGreaterThan(0);
    await counter.close('c', 60_000);
    expect(await counter.closeIfOpen('c', 60_000)).toBe(false);
    expect(await counter.closedFor('c')).toBeGreaterThan(0);
    expect([told, counter.figures().isLocal]).toEqual([['local'], true]);
    await redis.start();
    await until(() => connections.every(({ isUp }) => isUp));
    aheadMs += 2_000;
    expect(await counter.add('a', 60_000)).toBe(1);
    expect(await counterOf(1).add('a', 60_000)).toBe(2);
    expect([told, counter.figures().isLocal]).toEqual([['local', 'shared'], false]);
    // What this node has closed meanwhile stays closed here; what is opened is open.
    expect(await counter.closedFor('c')).toBeGreaterThan(0);
    expect(await counter.closeIfOpen('c', 60_000)).toBe(false);
    await counter.close('c', 0);
    expect(await counter.closedFor('c')).toBe(0);
  });

  it('counts by itself while Redis is full, which it says once however often it asks', async () => {
    const counter = counterOf(0);
    redis.cli('CONFIG', 'SET', 'maxmemory', '1');
    for (let time = 1; time <= 3; time++) {
      expect(await counter.closedFor('a')).toBe(0);
      expect(await counter.add('a', 60_000)).toBe(time);
      aheadMs += 2_000;
    }
    expect(told).toEqual(['local']);
    redis.cli('CONFIG', 'SET', 'maxmemory', '0');
    expect(await counter.add('a', 60_000)).toBe(1);
    expect(told).toEqual(['local', 'shared']);
  });
});
