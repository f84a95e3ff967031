import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeAuthority, makeLeaf } from '../../../src/server/certificates/make.ts';
import { type RedisConnection, redisConnection, redisScript } from '../../../src/server/redis/connection.ts';
import { answerMs } from '../../../src/server/redis/link.ts';
import { RedisUnavailable } from '../../../src/server/redis/unavailable.ts';
import { until } from '../../server/support/until.ts';
import { hasRedisServer, type RedisServer, startRedis } from '../../support/redis-server.ts';

const secret = randomBytes(32);
const realm = 'realm';

describe.skipIf(!hasRedisServer())('a connection to Redis', () => {
  let redis: RedisServer;
  const open: RedisConnection[] = [];
  const failures: unknown[] = [];

  function connectTo(url: string): RedisConnection {
    const connection = redisConnection({ url, secret, realm, onFailure: (error) => failures.push(error) });
    open.push(connection);
    return connection;
  }

  beforeEach(async () => {
    redis = await startRedis();
  });
  afterEach(async () => {
    for (const connection of open.splice(0)) connection.close();
    await redis.close();
    expect(failures.splice(0)).toEqual([]);
  });

  it('sends commands and scripts, and gives strings or bytes back', async () => {
    const connection = connectTo(redis.url);
    await until(() => connection.isUp);
    const bytes = Buffer.from([0, 255, 13, 10, 128]);
    expect(await connection.command(['SET', 'a', bytes])).toBe('OK');
    expect(await connection.command(['GET', 'a'], { isBytes: true })).toEqual(bytes);
    expect(await connection.command(['GET', 'b'])).toBeNull();
    const script = redisScript('return {KEYS[1], ARGV[1], 7}');
    // Once by its text, then by its name; and once more after Redis has forgotten it.
    for (let time = 0; time < 3; time++) {
      if (time === 2) redis.cli('SCRIPT', 'FLUSH');
      expect(await connection.run(script, ['k'], ['w'])).toEqual(['k', 'w', 7]);
    }
    expect(connection.figures()).toEqual({ isUp: true, reconnects: 0, timeouts: 0, lastError: undefined });
  });

  it('rejects what Redis refuses, and goes on', async () => {
    const connection = connectTo(redis.url);
    await until(() => connection.isUp);
    await expect(connection.command(['NONSENSE'])).rejects.toThrow(/^Redis refuses: ERR unknown command/);
    expect(await connection.command(['PING'])).toBe('PONG');
    expect(connection.figures().reconnects).toBe(0);
  });

  it('rejects at once while there is no Redis, and is up again when there is', async () => {
    const connection = connectTo(redis.url);
    const told: string[] = [];
    connection.onUp(() => told.push('up'));
    connection.onDown(() => told.push('down'));
    await until(() => connection.isUp);
    await redis.kill();
    await until(() => !connection.isUp);
    const askedAt = performance.now();
    for (let time = 0; time < 100; time++) {
      await expect(connection.command(['PING'])).rejects.toThrow(RedisUnavailable);
    }
    expect(performance.now() - askedAt).toBeLessThan(10 * answerMs);
    await redis.start();
    await until(() => connection.isUp);
    expect(await connection.command(['PING'])).toBe('PONG');
    expect(told).toEqual(['up', 'down', 'up']);
    expect(connection.figures()).toMatchObject({ isUp: true, reconnects: 1 });
    expect(connection.figures().lastError).toBeDefined();
  });

  it('gives commands up by time when Redis hangs, finds that out by itself, and comes back', async () => {
    const connection = connectTo(redis.url);
    await until(() => connection.isUp);
    redis.pause();
    const askedAt = performance.now();
    const asked = Array.from({ length: 50 }, () => connection.command(['PING']));
    for (const one of await Promise.allSettled(asked)) {
      expect(one).toMatchObject({ status: 'rejected', reason: expect.any(RedisUnavailable) });
    }
    expect(performance.now() - askedAt).toBeLessThan(10 * answerMs);
    expect(connection.isUp).toBe(false);
    expect(connection.figures().timeouts).toBeGreaterThan(0);
    redis.resume();
    await until(() => connection.isUp);
    // Nobody asks anything now: the pause is found out all the same.
    redis.pause();
    await until(() => !connection.isUp);
    redis.resume();
    await until(() => connection.isUp);
    expect(await connection.command(['PING'])).toBe('PONG');
  });

  it('is not taken in by a replica, nor stays with what has become one', async () => {
    const connection = connectTo(redis.url);
    await until(() => connection.isUp);
    redis.cli('REPLICAOF', '127.0.0.1', '1');
    await expect(connection.command(['SET', 'a', 'b'])).rejects.toThrow(/READONLY/);
    expect(connection.isUp).toBe(false);
    await until(() => connection.figures().lastError?.includes('replica') === true);
    redis.cli('REPLICAOF', 'NO', 'ONE');
    await until(() => connection.isUp);
    expect(await connection.command(['SET', 'a', 'b'])).toBe('OK');
  });

  it('shows a password, and is never up with a wrong one', async () => {
    const password = 'p@ss/w:rd %';
    const guarded = await startRedis({ password });
    try {
      const right = connectTo(guarded.url);
      const wrong = connectTo(`redis://:wrong@127.0.0.1:${guarded.port}`);
      const none = connectTo(`redis://127.0.0.1:${guarded.port}`);
      await until(() => right.isUp);
      await until(() => wrong.figures().lastError?.includes('WRONGPASS') === true);
      await until(() => none.figures().lastError?.includes('NOAUTH') === true);
      expect([wrong.isUp, none.isUp]).toEqual([false, false]);
      await expect(wrong.command(['PING'])).rejects.toThrow(RedisUnavailable);
      expect(await right.command(['PING'])).toBe('PONG');
      expect(JSON.stringify(wrong.figures())).not.toContain('wrong@');
    } finally {
      await guarded.close();
    }
  });

  it('speaks TLS with a Redis whose authority it was given, and with no other', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'chat-redis-tls-'));
    const pair = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const write = (name: string, text: string | Buffer): string => {
      const path = join(directory, name);
      writeFileSync(path, text);
      return path;
    };
    const [authorityKey, key, now] = [pair(), pair(), Date.now()];
    const authority = await makeAuthority(authorityKey, 'redis', now);
    const leaf = await makeLeaf({ key, authorityKey, authority, hosts: ['127.0.0.1'], now });
    const ca = write('ca.pem', authority);
    const other = write('other.pem', await makeAuthority(pair(), 'other', now));
    const tls = {
      ca,
      cert: write('cert.pem', leaf),
      key: write('key.pem', key.export({ type: 'pkcs8', format: 'pem' })),
    };
    const guarded = await startRedis({ password: 'secret', tls });
    try {
      const right = connectTo(`${guarded.url}/?ca=${ca}`);
      const wrong = [connectTo(guarded.url), connectTo(`${guarded.url}/?ca=${other}`)];
      await until(() => right.isUp && wrong.every((one) => one.figures().lastError !== undefined));
      expect(await right.command(['PING'])).toBe('PONG');
      expect(wrong.map(({ isUp }) => isUp)).toEqual([false, false]);
      expect(wrong.map((one) => one.figures().lastError).join()).toMatch(/certificate/);
      expect(() => connectTo(`${guarded.url}/?ca=${directory}/none.pem`)).toThrow(/'ca' that cannot be read/);
    } finally {
      await guarded.close();
      rmSync(directory, { recursive: true });
    }
  });

  it('hears a channel on another connection, and says when it may have missed something', async () => {
    const connection = connectTo(redis.url);
    const heard: string[] = [];
    const subscription = connection.subscribe('news', (bytes) => heard.push(bytes.toString()));
    const told: string[] = [];
    subscription.onUp(() => told.push('up'));
    subscription.onDown(() => told.push('down'));
    await until(() => connection.isUp && subscription.isUp);
    await connection.command(['PUBLISH', 'news', 'one']);
    await connection.command(['PUBLISH', 'olds', 'none']);
    await connection.command(['PUBLISH', 'news', 'two']);
    await until(() => heard.length === 2);
    subscription.reset('for the test');
    await until(() => subscription.isUp);
    expect(connection.figures().reconnects).toBe(0);
    await connection.command(['PUBLISH', 'news', 'three']);
    await until(() => heard.length === 3);
    expect([heard, told]).toEqual([
      ['one', 'two', 'three'],
      ['up', 'down', 'up'],
    ]);
    subscription.stop();
    expect(await connection.command(['PUBLISH', 'news', 'four'])).toBeTypeOf('number');
    expect(heard).toHaveLength(3);
  });

  it('rejects what waits when it is closed, and stays closed', async () => {
    const connection = connectTo(redis.url);
    await until(() => connection.isUp);
    redis.pause();
    const asked = connection.command(['PING']);
    connection.close();
    await expect(asked).rejects.toThrow(/closed/);
    await expect(connection.command(['PING'])).rejects.toThrow(RedisUnavailable);
    redis.resume();
  });

  it('tells of a listener that throws, and goes on', async () => {
    const connection = connectTo(redis.url);
    let ups = 0;
    connection.onUp(() => {
      throw new Error('a bug');
    });
    connection.onUp(() => {
      ups += 1;
    });
    await until(() => connection.isUp);
    expect([ups, failures.splice(0)]).toEqual([1, [new Error('a bug')]]);
  });
});
