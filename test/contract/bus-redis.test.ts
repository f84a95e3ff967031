import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe } from 'vitest';
import { redisBus } from '../../src/server/bus/redis.ts';
import { redisConnection } from '../../src/server/redis/connection.ts';
import { until } from '../server/support/until.ts';
import { hasRedisServer, type RedisServer, startRedis } from '../support/redis-server.ts';
import { describeBus } from './bus.exam.ts';

describe.skipIf(!hasRedisServer())('with a Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(async () => {
    await redis.close();
  });

  describeBus('the bus of two nodes', async () => {
    const failures: unknown[] = [];
    const onFailure = (error: unknown): void => {
      failures.push(error);
    };
    const secret = randomBytes(32);
    const nodes = ['here', 'there'].map((node) => {
      const connection = redisConnection({
        url: redis.url,
        secret,
        realm: 'exam',
        onFailure,
        answerMs: 20_000,
      });
      return { connection, bus: redisBus({ connection, node, onFailure }) };
    });
    const [here, there] = nodes.map(({ bus }) => bus);
    if (!here || !there) throw new Error('there are two');
    // What they missed of each other while they were starting has been told as well.
    await until(() => [here, there].every((bus) => bus.health().isHeard && bus.health().peers.length === 1));
    await until(() => [here, there].every((bus) => !bus.health().isInDoubt));
    return {
      here,
      there,
      failures,
      async close() {
        await Promise.all(nodes.map(({ bus }) => bus.close()));
        for (const { connection } of nodes) connection.close();
      },
    };
  });
});
