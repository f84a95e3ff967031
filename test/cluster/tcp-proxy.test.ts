import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openTcpProxy, type TcpProxy } from '../../scripts/campaigns/tcp-proxy.ts';

describe('the TCP proxy of the tests', () => {
  /** What the target has heard, and who is connected to it. */
  const target = { heard: '', sockets: [] as Socket[], ends: 0, resets: 0 };
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    target.sockets.push(socket);
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      target.heard += chunk;
      socket.write(chunk.toUpperCase());
    });
    socket.on('end', () => {
      target.ends += 1;
      socket.end();
    });
    socket.on('error', () => {
      target.resets += 1;
    });
  });
  let proxy: TcpProxy;
  const clients: Socket[] = [];

  async function client() {
    const socket = connect(proxy.port, '127.0.0.1');
    clients.push(socket);
    const state = { heard: '', error: '', hasEnded: false };
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      state.heard += chunk;
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      state.error = error.code ?? '';
    });
    socket.on('end', () => {
      state.hasEnded = true;
    });
    await once(socket, 'connect');
    return { socket, state };
  }

  beforeEach(async () => {
    Object.assign(target, { heard: '', sockets: [], ends: 0, resets: 0 });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    proxy = await openTcpProxy({ port: (server.address() as AddressInfo).port });
  });

  afterEach(async () => {
    for (const socket of [...clients.splice(0), ...target.sockets]) socket.destroy();
    await proxy.close();
    server.close();
    await once(server, 'close');
  });

  it('forwards both ways, and ends what was ended', async () => {
    const { socket, state } = await client();
    socket.write('one');
    await vi.waitFor(() => expect(state.heard).toBe('ONE'));
    socket.end();
    await vi.waitFor(() => expect([target.ends, state.hasEnded]).toEqual([1, true]));
    await vi.waitFor(() => expect(proxy.connections).toBe(0));
  });

  it('keeps what comes one way until it is healed, while the other way goes on', async () => {
    const { socket, state } = await client();
    socket.write('one');
    await vi.waitFor(() => expect(state.heard).toBe('ONE'));
    proxy.hold('down');
    socket.write(' two');
    await vi.waitFor(() => expect(target.heard).toBe('one two'));
    expect(state.heard).toBe('ONE');
    await proxy.heal();
    await vi.waitFor(() => expect(state.heard).toBe('ONE TWO'));
    proxy.hold('up');
    socket.write(' three');
    target.sockets[0]?.write('!');
    await vi.waitFor(() => expect(state.heard).toBe('ONE TWO!'));
    expect(target.heard).toBe('one two');
    await proxy.heal();
    await vi.waitFor(() => expect(state.heard).toBe('ONE TWO! THREE'));
  });

  it('keeps an end and a reset too', async () => {
    const { socket, state } = await client();
    socket.write('one');
    await vi.waitFor(() => expect(state.heard).toBe('ONE'));
    proxy.hold('up', 'down');
    socket.resetAndDestroy();
    const other = await client();
    other.socket.write('two');
    expect([target.resets, target.heard, target.sockets.length]).toEqual([0, 'one', 1]);
    await proxy.heal();
    await vi.waitFor(() => expect(target.resets).toBe(1));
    await vi.waitFor(() => expect(other.state.heard).toBe('TWO'));
  });

  it('cuts what is open with a reset on both sides, and takes new connections', async () => {
    const { socket, state } = await client();
    socket.write('one');
    await vi.waitFor(() => expect(state.heard).toBe('ONE'));
    proxy.cut();
    await vi.waitFor(() => expect([target.resets, state.error]).toEqual([1, 'ECONNRESET']));
    const other = await client();
    other.socket.write('two');
    await vi.waitFor(() => expect(other.state.heard).toBe('TWO'));
  });

  it('refuses until it is healed, on the same port', async () => {
    const { port } = proxy;
    await proxy.refuse();
    await expect(client()).rejects.toThrow('ECONNREFUSED');
    await proxy.heal();
    expect(proxy.port).toBe(port);
    const { socket, state } = await client();
    socket.write('one');
    await vi.waitFor(() => expect(state.heard).toBe('ONE'));
  });

  it('delays each chunk, in order, and tells of it when it comes', async () => {
    const { socket, state } = await client();
    const chunks: string[] = [];
    proxy.onBytes((direction, chunk) => chunks.push(`${direction} ${chunk.toString()}`));
    proxy.delay(60);
    const begin = performance.now();
    socket.write('one');
    await vi.waitFor(() => expect(chunks).toEqual(['up one']));
    expect(target.heard).toBe('');
    await vi.waitFor(() => expect(state.heard).toBe('ONE'));
    expect(performance.now() - begin).toBeGreaterThanOrEqual(118);
    expect(chunks).toEqual(['up one', 'down ONE']);
  });

  it('keeps a large answer whole for a reader that is slow', async () => {
    const { socket, state } = await client();
    await vi.waitFor(() => expect(target.sockets).toHaveLength(1));
    socket.pause();
    target.sockets[0]?.write('x'.repeat(6_000_000));
    socket.resume();
    await vi.waitFor(() => expect(state.heard).toHaveLength(6_000_000), { timeout: 20_000 });
  });
});
