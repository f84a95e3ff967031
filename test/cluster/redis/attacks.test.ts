import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTcpProxy, type TcpProxy } from '../../../scripts/campaigns/tcp-proxy.ts';
import type { SessionId } from '../../../src/core/model/ids.ts';
import type { Notice } from '../../../src/core/ports/bus.ts';
import { type FrameKind, sealFrame } from '../../../src/server/bus/frame.ts';
import { type RedisBus, redisBus } from '../../../src/server/bus/redis.ts';
import { redisCounter } from '../../../src/server/counter/redis.ts';
import { type RedisConnection, redisConnection } from '../../../src/server/redis/connection.ts';
import { answerMs as usualMs } from '../../../src/server/redis/link.ts';
import { redisSessionCache } from '../../../src/server/session-cache/redis.ts';
import { turn, until } from '../../server/support/until.ts';
import { hasRedisServer, type RedisServer, startRedis } from '../../support/redis-server.ts';

/** A node, as far as it has to do with Redis. */
interface Node {
  readonly connection: RedisConnection;
  readonly bus: RedisBus;
  /** Ids of `session-changed` that it was told, in order. */
  readonly heard: string[];
  doubts: number;
}

interface NodeOptions {
  readonly url?: string;
  readonly of?: Uint8Array;
  readonly realm?: string;
  readonly answerMs?: number;
  /** The bus's time; left out, the process's. */
  readonly elapsed?: () => number;
}

/** Where nothing is to time out, however busy the machine is. */
const patientMs = 20_000;

const changed = (id: string | number): Notice => ({ type: 'session-changed', id: String(id) as SessionId });

describe.skipIf(!hasRedisServer())('a Redis that is not to be trusted', () => {
  let redis: RedisServer;
  const nodes: Node[] = [];
  const proxies: TcpProxy[] = [];
  const failures: unknown[] = [];
  const secret = randomBytes(32);

  beforeEach(async () => {
    redis = await startRedis();
  });
  afterEach(async () => {
    redis.resume();
    await Promise.all(nodes.map(({ bus }) => bus.close()));
    for (const { connection } of nodes.splice(0)) connection.close();
    for (const proxy of proxies.splice(0)) await proxy.close();
    await redis.close();
    expect(failures.splice(0)).toEqual([]);
  });

  async function openNode(
    name: string,
    { url = redis.url, of = secret, realm = 'realm', answerMs = patientMs, elapsed }: NodeOptions = {},
  ): Promise<Node> {
    const onFailure = (error: unknown): void => {
      failures.push(error);
    };
    const connection = redisConnection({ url, secret: of, realm, onFailure, answerMs });
    const bus = redisBus({ connection, node: name, onFailure, ...(elapsed && { elapsed }) });
    const node: Node = { connection, bus, heard: [], doubts: 0 };
    bus.onDoubt(() => {
      node.doubts += 1;
    });
    bus.subscribe((notice) => {
      if (notice.type === 'session-changed') node.heard.push(notice.id);
    });
    nodes.push(node);
    await until(() => connection.isUp && bus.health().isHeard);
    return node;
  }

  /** Two nodes that hear each other; `there` is behind a proxy. */
  async function openPair(answerMs = patientMs): Promise<{ here: Node; there: Node; proxy: TcpProxy }> {
    const proxy = await openTcpProxy({ port: redis.port });
    proxies.push(proxy);
    const here = await openNode('here', { answerMs });
    const there = await openNode('there', { url: `redis://127.0.0.1:${proxy.port}`, answerMs });
    await hearEachOther(here, there);
    return { here, there, proxy };
  }

  async function hearEachOther(...both: readonly Node[]): Promise<void> {
    await until(() => both.every(({ bus }) => bus.health().isHeard && bus.health().peers.length > 0));
    await until(() => both.every(({ bus }) => !bus.health().isInDoubt));
  }

  const channelOf = (node: Node): string => `${node.connection.keys.prefix}bus`;

  /** Publishes until the other node has heard something that was said after this began. */
  async function isHeardAgain(from: Node, by: Node): Promise<void> {
    let turns = 0;
    const mark = `mark ${Buffer.from(randomBytes(8)).toString('hex')} `;
    await until(() => {
      if (turns++ % 20 === 0) from.bus.publish(changed(`${mark}${turns}`));
      return by.heard.some((id) => id.startsWith(mark));
    });
  }

  it('brings nothing of garbage, and the bus goes on', async () => {
    const { here, there } = await openPair();
    const channel = channelOf(here);
    const garbage = [
      Buffer.alloc(0),
      Buffer.from('{"type":"session-changed","id":"x"}'),
      Buffer.from([1, 0]),
      Buffer.alloc(62),
      Buffer.alloc(63, 255),
      ...Array.from({ length: 200 }, (_, length) => randomBytes(length)),
      Buffer.alloc(5_000_000, 65),
    ];
    const { gaps } = there.bus.figures();
    for (const bytes of garbage) await here.connection.command(['PUBLISH', channel, bytes]);
    await until(() => there.bus.figures().refusedFrames === garbage.length);
    await isHeardAgain(here, there);
    expect(there.heard.every((id) => id.startsWith('mark'))).toBe(true);
    expect(there.bus.figures().gaps).toBe(gaps);
  });

  it('brings no frame that was changed in one bit, and none a second time', async () => {
    const { here, there } = await openPair();
    const channel = channelOf(here);
    const frames: Buffer[] = [];
    const spy = here.connection.subscribe(channel, (bytes) => frames.push(Buffer.from(bytes)));
    await until(() => spy.isUp);
    here.bus.publish(changed('once'));
    await until(() => there.heard.includes('once'));
    const frame = frames.find((bytes) => bytes.includes('once')) ?? Buffer.alloc(0);
    spy.stop();
    const before = there.bus.figures();
    const changedFrames = Array.from(frame.keys(), (at) => {
      const copy = Buffer.from(frame);
      copy[at] = (copy[at] ?? 0) ^ (1 << (at % 8));
      return copy;
    });
    for (const bytes of changedFrames) await here.connection.command(['PUBLISH', channel, bytes]);
    for (let time = 0; time < 5; time++) await here.connection.command(['PUBLISH', channel, frame]);
    await until(() => there.bus.figures().repeatedFrames === before.repeatedFrames + 5);
    expect(there.bus.figures().refusedFrames).toBe(before.refusedFrames + changedFrames.length);
    expect(there.heard.filter((id) => id === 'once')).toHaveLength(1);
    expect(there.bus.figures().gaps).toBe(before.gaps);
  });

  it('brings no frame that somebody has kept for later, nor what a newer version says; both are counted', async () => {
    const { here, there } = await openPair();
    const key = here.connection.keys.derive('bus');
    const run = randomBytes(16).toString('hex');
    const post = (count: number, body: string, at = Date.now(), kind: FrameKind = 'notices') =>
      here.connection.command([
        'PUBLISH',
        channelOf(here),
        sealFrame(key, { kind, run, count, at, body: Buffer.from(body) }),
      ]);
    await post(1, JSON.stringify([changed('kept')]), Date.now() - 61_000);
    await until(() => there.bus.figures().staleFrames === 1);
    await post(1, 'not JSON');
    await post(2, '{"no":"array"}');
    await post(
      3,
      JSON.stringify([{ type: 'from the future' }, changed('known'), { ...changed('x'), more: 1 }, null]),
    );
    await until(() => there.bus.figures().unfitNotices === 5);
    expect(there.heard).toEqual(['known']);
    // A number that was left out is a doubt.
    await until(() => !there.bus.health().isInDoubt);
    const { doubts } = there;
    await post(7, JSON.stringify([changed('after the gap')]));
    await until(() => there.heard.includes('after the gap') && there.doubts > doubts);
    expect(failures.splice(0).map(String)).toContainEqual(expect.stringContaining('clocks'));
  });

  it('brings a node that has just started nothing that was said before, but a doubt', async () => {
    let passedMs = 0;
    const node = await openNode('just started', { elapsed: () => passedMs });
    await until(() => !node.bus.health().isInDoubt);
    const key = node.connection.keys.derive('bus');
    const run = randomBytes(16).toString('hex');
    const post = (count: number, id: string, agoMs: number, of = run) =>
      node.connection.command([
        'PUBLISH',
        channelOf(node),
        sealFrame(key, {
          kind: 'notices',
          run: of,
          count,
          at: Date.now() - agoMs,
          body: Buffer.from(JSON.stringify([changed(id)])),
        }),
      ]);
    const { doubts } = node;
    await post(1, 'kept', 30_000);
    await post(2, 'kept too', 20_000);
    await until(() => node.bus.figures().staleFrames === 2 && node.doubts > doubts);
    expect([node.heard, node.bus.health().peers]).toEqual([[], []]);
    expect(failures.splice(0).map(String)).toContainEqual(expect.stringContaining('somebody has kept it'));
    // A clock that is a little behind is none the worse for it.
    await post(1, 'four seconds behind', 4_000, randomBytes(16).toString('hex'));
    await until(() => node.heard.includes('four seconds behind'));
    // One that is half a minute behind is heard from when it has passed this node's start, with a doubt about what came before.
    passedMs = 26_000;
    const { gaps } = node.bus.figures();
    await post(3, 'half a minute behind', 30_000);
    await until(() => node.heard.includes('half a minute behind'));
    expect(node.bus.figures().gaps).toBe(gaps + 1);
    // And whoever is known is heard, also when its clock is set back.
    passedMs = 0;
    await post(4, 'set back', 50_000);
    await until(() => node.heard.includes('set back'));
    expect(node.heard).toEqual(['four seconds behind', 'half a minute behind', 'set back']);
  });

  it('is shared with other clusters that neither hear nor disturb this one', async () => {
    const { here, there } = await openPair();
    const others = [
      await openNode('other realm', { realm: 'other' }),
      await openNode('other secret', { of: randomBytes(32) }),
    ];
    expect(new Set([here, ...others].map(channelOf)).size).toBe(3);
    here.bus.publish(changed('ours'));
    for (const other of others) {
      other.bus.publish(changed('theirs'));
      // Also when somebody carries their frames over.
      const theirs = sealFrame(other.connection.keys.derive('bus'), {
        kind: 'notices',
        run: randomBytes(16).toString('hex'),
        count: 1,
        at: Date.now(),
        body: Buffer.from(JSON.stringify([changed('theirs')])),
      });
      await here.connection.command(['PUBLISH', channelOf(here), theirs]);
    }
    await until(() => there.heard.includes('ours') && there.bus.figures().refusedFrames === 2);
    await isHeardAgain(here, there);
    expect(there.heard).not.toContain('theirs');
    for (const other of others) {
      expect(other.heard).toEqual(['theirs']);
      expect(other.bus.health().peers).toEqual([]);
    }
  });

  const troubles: ReadonlyArray<readonly [string, () => Promise<void>]> = [
    [
      'killed and started again',
      async () => {
        await redis.kill();
        await until(() => nodes.every(({ bus }) => !bus.health().isHeard));
        await redis.start();
      },
    ],
    [
      'paused',
      async () => {
        redis.pause();
        await until(() => nodes.every(({ connection, bus }) => !connection.isUp && !bus.health().isHeard));
        redis.resume();
      },
    ],
    ['flushed', async () => void redis.cli('FLUSHALL')],
    ['made to drop every client', async () => void redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub')],
    [
      'restarted at once',
      async () => {
        await redis.kill();
        await redis.start();
      },
    ],
  ];

  it.each(troubles)(
    'while it is busy is %s: own listeners hear everything, the other node again, and no call waits long',
    async (name, trouble) => {
      const { here, there } = await openPair(usualMs);
      const caches = [here, there].map(({ connection }) => redisSessionCache(connection));
      const told: string[] = [];
      const counters = [here, there].map(({ connection }) =>
        redisCounter({ connection, onLocal: () => told.push('local'), onShared: () => told.push('shared') }),
      );
      const doubts = there.doubts;
      let published = 0;
      let slowestMs = 0;
      let isBusy = true;
      const timed = async (work: () => Promise<unknown>): Promise<void> => {
        const beganAt = performance.now();
        await work();
        slowestMs = Math.max(slowestMs, performance.now() - beganAt);
      };
      const busy = (async () => {
        while (isBusy) {
          here.bus.publish(changed(published++));
          // Without Redis nothing below waits for anything.
          await turn();
          await timed(() => counters[published % 2]?.take('key', 5, 60_000) ?? Promise.resolve());
          // A cache that is not there rejects, which core takes for a miss.
          await timed(() => caches[published % 2]?.get(randomBytes(32)).catch(() => {}) ?? Promise.resolve());
          await timed(
            () => caches[published % 2]?.drop(['s' as SessionId]).catch(() => {}) ?? Promise.resolve(),
          );
        }
      })();
      await until(() => there.heard.length > 10);
      await trouble();
      await until(() =>
        [here, there].every(({ connection, bus }) => connection.isUp && bus.health().isHeard),
      );
      await isHeardAgain(here, there);
      isBusy = false;
      await busy;
      const own = here.heard.filter((id) => !id.startsWith('mark')).map(Number);
      expect(own).toEqual(Array.from({ length: published }, (_, id) => id));
      const others = there.heard.filter((id) => !id.startsWith('mark')).map(Number);
      expect(others).toEqual([...new Set(others)].sort((one, other) => one - other));
      if (name !== 'flushed') await until(() => there.doubts > doubts);
      // Half a second is promised; this machine may be busy.
      expect(slowestMs).toBeLessThan(5_000);
    },
  );

  it.each(['down', 'up'] as const)(
    'that a node cannot talk with one way (%s): it knows, the other knows, and both are well again after',
    async (direction) => {
      const { here, there, proxy } = await openPair(usualMs);
      const before = { here: here.doubts, there: there.doubts };
      proxy.hold(direction);
      await until(() => !there.bus.health().isHeard && !there.connection.isUp);
      await until(() => here.bus.health().peers.length === 0 && here.doubts > before.here);
      here.bus.publish(changed('lost there'));
      there.bus.publish(changed('lost here'));
      expect([here.heard, there.heard]).toEqual([['lost there'], ['lost here']]);
      expect(here.bus.health().isHeard).toBe(true);
      await proxy.heal();
      await hearEachOther(here, there);
      expect(there.doubts).toBeGreaterThan(before.there);
      await isHeardAgain(here, there);
      await isHeardAgain(there, here);
    },
  );

  it('that hangs takes no memory for what it is not told: it is dropped, and the others see that', async () => {
    const { here, there } = await openPair(usualMs);
    redis.pause();
    const large = 'x'.repeat(16_000);
    for (let one = 0; one < 3_000; one++) {
      here.bus.publish({
        type: 'message',
        conversation: 1 as never,
        audience: { kind: 'room', room: 'lobby' },
        message: {
          seq: one + 1,
          id: 'm' as never,
          sender: 'alice' as never,
          sentAt: 1,
          body: { text: large },
        },
      });
    }
    await until(() => here.bus.figures().droppedNotices === 3_000);
    const { doubts } = there;
    redis.resume();
    await hearEachOther(here, there);
    await isHeardAgain(here, there);
    expect(there.doubts).toBeGreaterThan(doubts);
  });

  it('is left with a goodbye, of which nobody is in doubt', async () => {
    const { here, there } = await openPair();
    const { doubts } = here;
    await there.bus.close();
    await until(() => here.bus.health().peers.length === 0);
    const { sentFrames } = here.bus.figures();
    await until(() => here.bus.figures().sentFrames > sentFrames + 4);
    expect(here.doubts).toBe(doubts);
  });
});
