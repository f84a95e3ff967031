import type { Socket } from 'node:net';
import { connect, createServer as createSecureServer, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { watchTaking } from '../../src/server/taking-watch.ts';
import { TestClient } from './support/client.ts';
import { testIdentity } from './support/identity.ts';
import { turn, until } from './support/until.ts';

const waitMs = 120_000;

afterEach(() => void vi.useRealTimers());

/** Both ends of a connection over TLS. */
async function securePair(): Promise<{ socket: Socket; client: TestClient<TLSSocket> }> {
  const { chain, key } = await testIdentity();
  const server = createSecureServer({ cert: chain, key });
  const accepted = new Promise<Socket>((resolve) => server.once('secureConnection', resolve));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const client = new TestClient(
    connect({ host: '127.0.0.1', port: address.port, rejectUnauthorized: false }),
  );
  const socket = await accepted;
  socket.on('error', () => {});
  server.close();
  onTestFinished(() => {
    socket.destroy();
    client.socket.destroy();
  });
  return { socket, client };
}

/** Fills the way to a client that does not read until bytes wait, and go on waiting. */
async function congest(socket: Socket, client: TestClient): Promise<void> {
  client.socket.pause();
  const piece = Buffer.alloc(65_536);
  // What the systems take by themselves has gone when it stays so for some turns.
  for (let still = 0, before = -1; still < 50; ) {
    if (socket.writableLength < 1_000_000) socket.write(piece);
    const waiting = socket.writableLength;
    still = waiting === before && waiting >= 1_000_000 ? still + 1 : 0;
    before = waiting;
    await turn();
  }
}

describe('who takes nothing of what waits for it over TLS', () => {
  it('is gone after the wait and not before', async () => {
    const { socket, client } = await securePair();
    await congest(socket, client);
    vi.useFakeTimers();
    watchTaking(socket, waitMs).begin();
    vi.advanceTimersByTime(waitMs - 1);
    expect(socket.destroyed).toBe(false);
    vi.advanceTimersByTime(1);
    expect(socket.destroyed).toBe(true);
  });

  it('stays when it took something meanwhile, however little, and then has another wait', async () => {
    const { socket, client } = await securePair();
    await congest(socket, client);
    vi.useFakeTimers();
    watchTaking(socket, waitMs).begin();
    const waiting = socket.writableLength;
    client.socket.resume();
    await until(() => socket.writableLength < waiting);
    client.socket.pause();
    await congest(socket, client);
    vi.advanceTimersByTime(waitMs);
    expect(socket.destroyed).toBe(false);
    vi.advanceTimersByTime(waitMs);
    expect(socket.destroyed).toBe(true);
  });

  it('is watched no more once everything was taken', async () => {
    const { socket, client } = await securePair();
    await congest(socket, client);
    vi.useFakeTimers();
    watchTaking(socket, waitMs).begin();
    client.socket.resume();
    await until(() => socket.writableLength === 0);
    vi.advanceTimersByTime(waitMs);
    expect([socket.destroyed, vi.getTimerCount()]).toEqual([false, 0]);
  });

  it('is kept for ever where the wait is switched off', async () => {
    const { socket, client } = await securePair();
    await congest(socket, client);
    vi.useFakeTimers();
    watchTaking(socket, 0).begin();
    expect(vi.getTimerCount()).toBe(0);
  });
});
