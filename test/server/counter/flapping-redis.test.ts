import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { type RedisCounter, redisCounter } from '../../../src/server/counter/redis.ts';
import { clusterKeys } from '../../../src/server/redis/cluster-keys.ts';
import { RedisUnavailable } from '../../../src/server/redis/unavailable.ts';

const windowMs = 60_000;

describe('a counter over a Redis that answers some calls and others not', () => {
  /** This node's time, in milliseconds. */
  let now: number;
  let asked: number;
  let answers: boolean;
  let told: Array<readonly [at: number, what: string]>;
  let counter: RedisCounter;

  beforeEach(() => {
    now = 0;
    asked = 0;
    answers = true;
    told = [];
    const run = async (): Promise<number[]> => {
      asked += 1;
      if (!answers) throw new RedisUnavailable('no answer in time');
      // As many as no node counts by itself.
      return [1_000, windowMs];
    };
    counter = redisCounter({
      connection: { keys: clusterKeys(randomBytes(32), 'realm'), run, command: run },
      onLocal: () => told.push([now, 'local']),
      onShared: () => told.push([now, 'shared']),
      elapsed: () => now,
    });
  });

  it('counts by itself for two seconds after a failure, asks nothing meanwhile, and then asks again', async () => {
    answers = false;
    expect(await counter.add('a', windowMs)).toBe(1);
    answers = true;
    now = 1_999;
    expect(await counter.add('a', windowMs)).toBe(2);
    expect([asked, counter.figures()]).toEqual([1, { isLocal: true, localCalls: 2 }]);
    now = 2_000;
    expect(await counter.add('a', windowMs)).toBe(1_000);
    expect([asked, counter.figures().isLocal]).toEqual([2, false]);
    expect(told).toEqual([
      [0, 'local'],
      [2_000, 'shared'],
    ]);
  });

  it('tells of a change once in two seconds, however many calls fail between those that do not', async () => {
    for (; now < 60_000; now += 10) {
      answers = asked % 2 === 1;
      await counter.add('a', windowMs);
    }
    const pauses = told.slice(1).map(([at], before) => at - (told[before]?.[0] ?? 0));
    expect(pauses.length).toBeGreaterThan(10);
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(2_000);
    expect(asked).toBeLessThan(100);
    // What it was told last is what holds in the end.
    answers = false;
    for (const end = now + 10_000; now < end; now += 10) await counter.add('a', windowMs);
    expect(told.at(-1)?.[1]).toBe('local');
    answers = true;
    for (const end = now + 10_000; now < end; now += 10) await counter.add('a', windowMs);
    expect(told.at(-1)?.[1]).toBe('shared');
  });

  it('is not believed to be back by an answer to a call that began before one that failed', async () => {
    const { promise, resolve } = Promise.withResolvers<number[]>();
    const late = redisCounter({
      connection: {
        keys: clusterKeys(randomBytes(32), 'realm'),
        run: () => (asked++ === 0 ? promise : Promise.reject(new RedisUnavailable('no answer in time'))),
        command: () => promise,
      },
      onLocal: () => told.push([now, 'local']),
      onShared: () => told.push([now, 'shared']),
      elapsed: () => now,
    });
    const first = late.add('a', windowMs);
    expect(await late.add('a', windowMs)).toBe(1);
    resolve([7, windowMs]);
    expect(await first).toBe(7);
    expect([late.figures().isLocal, told]).toEqual([true, [[0, 'local']]]);
  });
});
