import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe } from 'vitest';
import { redisBus } from '../../src/server/bus/redis.ts';
import { presenceOverBus } from '../../src/server/presence/over-bus.ts';
import { redisConnection } from '../../src/server/redis/connection.ts';
import { until } from '../server/support/until.ts';
import { hasRedisServer, type RedisServer, startRedis } from '../support/redis-server.ts';
import { describePresenceBoard } from './presence.exam.ts';

describe.skipIf(!hasRedisServer())('with a Redis', { timeout: 60_000 }, () => {
  let redis: RedisServer;
  let isDown = false;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(async () => {
    await redis.close();
  });

  describePresenceBoard('presence over the bus of Redis', () => {
    const secret = randomBytes(32);
    const closes: (() => Promise<void>)[] = [];
    return {
      async open() {
        const onFailure = (): void => {};
        const connection = redisConnection({ url: redis.url, secret, realm: 'exam', onFailure });
        const bus = redisBus({ connection, node: 'one', onFailure });
        closes.push(async () => {
          await bus.close();
          connection.close();
        });
        await until(() => bus.health().isHeard);
        return { board: presenceOverBus(bus), kill: () => connection.close() };
      },
      async setWeather(weather) {
        const isToBeDown = weather === 'lost';
        if (isToBeDown !== isDown) await (isToBeDown ? redis.kill() : redis.start());
        isDown = isToBeDown;
      },
      async close() {
        for (const close of closes) await close();
      },
      pass: (ms) => wait(ms),
    };
  });
});
