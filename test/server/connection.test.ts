import { connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { jsonRpcEvents } from '../../src/core/codecs/json-rpc.ts';
import { createTurn } from '../../src/core/turn.ts';
import { Connection, type ConnectionParts } from '../../src/server/connection.ts';
import { TestClient } from './support/client.ts';
import { turn, until } from './support/until.ts';

afterEach(() => void vi.useRealTimers());

interface Pair {
  readonly connection: Connection;
  readonly socket: Socket;
  readonly client: TestClient;
  readonly failures: unknown[];
}

async function pair(parts: Partial<ConnectionParts> = {}): Promise<Pair> {
  const failures: unknown[] = [];
  const server = createServer({ allowHalfOpen: true });
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const client = new TestClient(connect({ host: '127.0.0.1', port: address.port }));
  const socket = await accepted;
  server.close();
  onTestFinished(() => {
    socket.destroy();
    client.socket.destroy();
  });
  const connection = new Connection(socket, {
    id: 1,
    door: 'line',
    address: '127.0.0.1',
    channel: { serverKey: new Uint8Array() },
    events: jsonRpcEvents,
    turn: createTurn(setImmediate),
    maxQueuedBytes: 1_048_576,
    takingMs: 0,
    onFailure: (error) => failures.push(error),
    ...parts,
  });
  return { connection, socket, client, failures };
}

/** Fills the way to a client that does not read until bytes wait. */
async function congest({ connection, client }: Pair, bytes: number): Promise<void> {
  client.socket.pause();
  const piece = Buffer.alloc(65_536);
  while (connection.queuedBytes <= bytes) {
    connection.push(piece);
    await turn();
  }
}

describe('a connection', () => {
  it('writes what one turn pushed, in order and in one write', async () => {
    const { connection, socket, client } = await pair();
    const write = vi.spyOn(socket, 'write');
    connection.push(Buffer.from('one '));
    connection.pushText('two é ');
    connection.push(Buffer.from('three'));
    expect([write.mock.calls.length, connection.queuedBytes]).toEqual([0, 15]);
    await until(() => client.text.length >= 15);
    expect([client.text, write.mock.calls.length]).toEqual(['one two é three', 1]);
  });

  it('hands a single shared buffer on without a copy', async () => {
    const { connection, socket } = await pair();
    const write = vi.spyOn(socket, 'write');
    const bytes = Buffer.from('shared');
    connection.push(bytes);
    await until(() => write.mock.calls.length > 0);
    expect(write.mock.calls[0]?.[0]).toBe(bytes);
  });

  it('writes several large buffers of one turn in one vector', async () => {
    const { connection, socket, client } = await pair();
    const writev = vi.spyOn(socket as unknown as { _writev(): void }, '_writev');
    const parts = ['a', 'b', 'c'].map((letter) => letter.repeat(20_000));
    connection.push(Buffer.from(parts[0] ?? ''));
    connection.pushText(parts[1] ?? '');
    connection.push(Buffer.from(parts[2] ?? ''));
    await until(() => client.text.length === 60_000);
    expect([client.text === parts.join(''), writev.mock.calls.length]).toEqual([true, 1]);
  });

  it('resolves drained at once when nothing waits, and otherwise when everything was taken', async () => {
    const both = await pair();
    const { connection, client } = both;
    await connection.drained();
    await congest(both, 100_000);
    let isDrained = false;
    const drained = connection.drained().then(() => {
      isDrained = true;
    });
    await turn();
    expect(isDrained).toBe(false);
    client.socket.resume();
    await drained;
    expect(connection.queuedBytes).toBe(0);
  });

  it('is congested above its bound, and says so when half of it was taken', async () => {
    const both = await pair({ maxQueuedBytes: 200_000 });
    const { connection, client } = both;
    let rooms = 0;
    connection.onRoom = () => {
      rooms += 1;
    };
    connection.push(Buffer.alloc(200_000));
    expect(connection.isCongested).toBe(false);
    connection.push(Buffer.alloc(1));
    expect(connection.isCongested).toBe(true);
    await congest(both, 200_000);
    expect(connection.isCongested).toBe(true);
    client.socket.resume();
    await until(() => rooms > 0);
    expect([connection.isCongested, connection.queuedBytes <= 100_000]).toEqual([false, true]);
    const unbounded = await pair({ maxQueuedBytes: 0 });
    unbounded.connection.push(Buffer.alloc(10_000_000));
    expect(unbounded.connection.isCongested).toBe(false);
  });

  it('says why it ends, after what was queued, and closes its side', async () => {
    const { connection, client } = await pair();
    connection.pushText('queued\n');
    connection.end('revoked');
    expect(connection.isGone).toBe(true);
    await client.ended();
    expect(client.text).toBe(
      'queued\n{"jsonrpc":"2.0","method":"session-ended","params":{"reason":"revoked"}}\n',
    );
  });

  it('delivers its last words also when the peer has sent what nobody read', async () => {
    const { connection, socket, client } = await pair();
    socket.pause();
    client.write(Buffer.alloc(500_000));
    await until(() => socket.readableLength > 0);
    connection.end('expired');
    await client.ended();
    expect([client.text.includes('"expired"'), client.error]).toEqual([true, undefined]);
  });

  it('destroys a socket whose peer does not close, after exactly five seconds', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const { connection, socket, client } = await pair();
    client.socket.allowHalfOpen = true;
    connection.close();
    await client.ended();
    vi.advanceTimersByTime(4_999);
    expect(socket.destroyed).toBe(false);
    vi.advanceTimersByTime(1);
    expect(socket.destroyed).toBe(true);
  });

  it('drops what is pushed after its end, silently', async () => {
    const { connection, client } = await pair();
    connection.close();
    connection.push(Buffer.from('late'));
    connection.end('revoked');
    await connection.drained();
    await client.ended();
    expect([client.text, connection.queuedBytes]).toEqual(['', 0]);
  });

  it('tells each listener once that it is gone, and late ones at once', async () => {
    const { connection, client } = await pair();
    const heard: string[] = [];
    connection.onGone(() => heard.push('one'));
    connection.onGone(() => heard.push('two'));
    client.socket.resetAndDestroy();
    await until(() => connection.isGone);
    connection.destroy();
    connection.onGone(() => heard.push('late'));
    expect(heard).toEqual(['one', 'two', 'late']);
  });

  it('resolves drained when the peer goes without taking anything', async () => {
    const both = await pair();
    await congest(both, 100_000);
    const drained = both.connection.drained();
    both.client.socket.resetAndDestroy();
    await drained;
    expect(both.connection.isGone).toBe(true);
  });

  it('tells whether what was pushed was taken: at once, later, and while it closes in order', async () => {
    const both = await pair();
    const { connection, client } = both;
    expect(await connection.taken()).toBe(true);
    await congest(both, 100_000);
    let outcome: boolean | undefined;
    const taken = connection.taken().then((isTaken) => {
      outcome = isTaken;
    });
    connection.close();
    await turn();
    expect([connection.isGone, outcome]).toEqual([true, undefined]);
    client.socket.resume();
    await taken;
    expect([outcome, await connection.taken()]).toEqual([true, true]);
  });

  it.each(['resets', 'is dropped'] as const)('tells that not all was taken when the peer %s', async (how) => {
    const both = await pair();
    const { connection, client } = both;
    await congest(both, 100_000);
    const taken = connection.taken();
    if (how === 'resets') client.socket.resetAndDestroy();
    else connection.destroy();
    expect([await taken, await connection.taken()]).toEqual([false, false]);
  });

  it('is dropped when its peer takes nothing of what waits for as long as it may, and not before', async () => {
    vi.useFakeTimers();
    const both = await pair({ takingMs: 120_000 });
    const { connection, socket, client } = both;
    await congest(both, 100_000);
    vi.advanceTimersByTime(119_999);
    expect(connection.isGone).toBe(false);
    client.socket.resume();
    await until(() => connection.queuedBytes === 0);
    // It took something: the next time counts anew, and nothing waits any more.
    vi.advanceTimersByTime(1_000_000);
    expect(connection.isGone).toBe(false);
    await congest(both, 100_000);
    vi.advanceTimersByTime(120_000);
    await until(() => connection.isGone);
    expect(socket.destroyed).toBe(true);
  });

  it('gives a peer that takes nothing no more time for what is pushed meanwhile, in whatever script', async () => {
    vi.useFakeTimers();
    const both = await pair({ takingMs: 120_000 });
    await congest(both, 100_000);
    vi.advanceTimersByTime(60_000);
    both.connection.pushText('€'.repeat(1_000));
    await turn();
    vi.advanceTimersByTime(60_000);
    await until(() => both.connection.isGone);
  });

  it('waits for ever for a peer that takes nothing where the wait is switched off', async () => {
    vi.useFakeTimers();
    const both = await pair({ takingMs: 0 });
    await congest(both, 100_000);
    vi.advanceTimersByTime(10_000_000);
    await turn();
    expect(both.connection.isGone).toBe(false);
  });

  it('tells that nothing was taken of what had not left yet when it was dropped', async () => {
    const { connection } = await pair();
    connection.pushText('x');
    connection.destroy();
    expect(await connection.taken()).toBe(false);
  });

  it('lets no listener keep another from hearing', async () => {
    const { connection, failures } = await pair();
    const error = new Error('a bug');
    let hasHeard = false;
    connection.onGone(() => {
      throw error;
    });
    connection.onGone(() => {
      hasHeard = true;
    });
    connection.destroy();
    expect([failures, hasHeard]).toEqual([[error], true]);
  });
});
