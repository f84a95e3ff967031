import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signUp } from '../../scripts/campaigns/people.ts';
import { mustStart, type ServerProcess } from '../../scripts/campaigns/server-process.ts';
import type { Chat, ConnectionState, Message } from '../../src/library/contract.ts';
import { connect } from '../../src/library/open-chat.ts';
import { freePorts } from '../support/free-ports.ts';
import { type BalancedNode, type Balancer, hasHaproxy, startHaproxy } from '../support/haproxy.ts';
import { hasPostgres, type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { hasRedisServer, type RedisServer, startRedis } from '../support/redis-server.ts';

const missing = [
  ...(hasHaproxy() ? [] : ['haproxy']),
  ...(hasPostgres() ? [] : ['postgresql']),
  ...(hasRedisServer() ? [] : ['redis-server']),
];
if (missing.length > 0) {
  process.stderr.write(`\n!!! NOT RUN: the rolling restart: ${missing.join(', ')} not installed here\n`);
}

const count = 3;
/** Each keeps one message under way: who waits for it is without service. */
const senders = 4;
/** Between two messages of a sender, in milliseconds. */
const pauseMs = 5;
/** Longest that a message may wait for its acknowledgement while nodes go and come, in milliseconds. */
const mostWaitMs = 5_000;

describe.skipIf(missing.length > 0)('nodes that are replaced one after the other behind a balancer', () => {
  const directory = mkdtempSync(join(tmpdir(), 'chat-rolling-'));
  const places: BalancedNode[] = [];
  const nodes: ServerProcess[] = [];
  let postgres: PostgresServer;
  let redis: RedisServer;
  let balancer: Balancer;
  let flags: readonly string[];

  const start = (index: number): Promise<ServerProcess> => {
    const { port, metricsPort } = places[index] as BalancedNode;
    return mustStart({
      command: [process.execPath, 'dist/chat.mjs', 'serve'],
      data: join(directory, `node-${index}`),
      port,
      flags: [...flags, '--metrics-listen', `127.0.0.1:${metricsPort}`],
    });
  };
  beforeAll(async () => {
    [postgres, redis] = await Promise.all([startPostgres({ fsync: true }), startRedis()]);
    const database = await postgres.createDatabase();
    const secret = join(directory, 'cluster-secret');
    writeFileSync(secret, randomBytes(32).toString('hex'), { mode: 0o600 });
    flags = [
      ...['--store', database.url, '--bus', redis.url, '--cluster-secret', secret],
      ...['--trusted-proxy', '127.0.0.0/8', '--proxy-protocol', '--shutdown-delay', '2'],
    ];
    const ports = await freePorts(2 * count);
    for (let index = 0; index < count; index++) {
      places.push({ port: ports[index] ?? 0, metricsPort: ports[count + index] ?? 0 });
      nodes.push(await start(index));
    }
    balancer = await startHaproxy(places);
    for (let index = 0; index < count; index++) await balancer.whenUp(index);
  });
  afterAll(async () => {
    for (const node of nodes) await node.kill();
    await balancer?.close();
    await redis?.close();
    await postgres?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it('no message is lost, doubled or out of order, and nobody sees an error', async () => {
    const server = `plain://127.0.0.1:${balancer.port}`;
    const states: ConnectionState[] = [];
    const open = async (username: string): Promise<Chat> =>
      connect({
        server,
        token: await signUp(balancer.port, username),
        onState: (state) => states.push(state),
      });

    const writers = await Promise.all(Array.from({ length: senders }, (_, n) => open(`writer${n}`)));
    const readers = await Promise.all(Array.from({ length: count }, (_, n) => open(`reader${n}`)));
    /** What each reader was handed. */
    const got: Message[][] = readers.map(() => []);
    const loops = readers.map(async (reader, index) => {
      for await (const message of reader.follow('#lobby', { last: 0 })) got[index]?.push(message);
    });
    await expect.poll(() => states.filter(({ kind }) => kind === 'following').length).toBe(readers.length);

    const stop = new AbortController();
    /** Every message that was acknowledged, by its text, and how long its sender waited. */
    const acknowledged = new Map<
      string,
      { readonly id: string; readonly seq: number; readonly waitMs: number }
    >();
    const talking = writers.map(async (writer, index) => {
      for (let n = 1; !stop.signal.aborted; n++) {
        const text = `${index}.${n}`;
        const began = performance.now();
        const { id, seq } = await writer.send('#lobby', text, { key: text });
        acknowledged.set(text, { id, seq, waitMs: performance.now() - began });
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    });
    // Who fails is told of at once.
    const failed = Promise.race([Promise.all(talking), Promise.all(loops)]);
    failed.catch(() => {});
    const more = async (): Promise<void> => {
      const before = acknowledged.size;
      await Promise.race([
        expect.poll(() => acknowledged.size - before, { timeout: 30_000 }).toBeGreaterThan(100),
        failed,
      ]);
    };

    await more();
    for (let index = 0; index < count; index++) {
      const end = await (nodes[index] as ServerProcess).kill('SIGTERM');
      expect({ code: end.code, signal: end.signal }, end.errors).toEqual({ code: 0, signal: null });
      await more();
      nodes[index] = await start(index);
      await balancer.whenUp(index);
      await more();
    }
    stop.abort();
    await Promise.all(talking);

    const stored: Message[] = [];
    for await (const message of (readers[0] as Chat).history('#lobby')) stored.push(message);
    const texts = stored.map(textOf);
    expect(new Set(texts).size).toBe(texts.length);
    expect(texts.toSorted()).toEqual([...acknowledged.keys()].toSorted());
    expect(stored.map(({ seq }) => seq)).toEqual(stored.map((_, index) => index + 1));
    for (const message of stored)
      expect(acknowledged.get(textOf(message))).toMatchObject({ id: message.id, seq: message.seq });
    for (let index = 0; index < senders; index++) {
      const own = texts
        .filter((text) => text.startsWith(`${index}.`))
        .map((text) => Number(text.split('.')[1]));
      expect(own).toEqual(own.map((_, n) => n + 1));
    }
    for (const messages of got) {
      await expect.poll(() => messages.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(stored.length);
      expect(messages.map(textOf)).toEqual(texts);
    }
    const longest = Math.max(...[...acknowledged.values()].map(({ waitMs }) => waitMs));
    process.stderr.write(
      `rolling restart: ${stored.length} messages; the longest wait for an acknowledgement was ${Math.round(longest)} ms\n`,
    );
    expect(longest).toBeLessThan(mostWaitMs);
    // Each connection was lost at least once, and came again by itself.
    expect(states.filter(({ kind }) => kind === 'waiting').length).toBeGreaterThan(0);
    for (const chat of [...writers, ...readers]) await chat.close();
    await Promise.all(loops);
  });
});

function textOf(message: Message): string {
  return 'text' in message && typeof message.text === 'string' ? message.text : '';
}
