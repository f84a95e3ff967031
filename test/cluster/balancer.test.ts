import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectClear } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mustStart, type ServerProcess } from '../../scripts/campaigns/server-process.ts';
import { TestClient } from '../server/support/client.ts';
import { freePorts } from '../support/free-ports.ts';
import { type Balancer, hasHaproxy, startHaproxy } from '../support/haproxy.ts';

if (!hasHaproxy()) process.stderr.write('\n!!! NOT RUN: the balancer: haproxy is not installed here\n');

const nobody = 1;

describe.skipIf(!hasHaproxy())('HAProxy with the configuration of deploy/', () => {
  const directory = mkdtempSync(join(tmpdir(), 'chat-balancer-'));
  let server: ServerProcess;
  let balancer: Balancer;
  beforeAll(async () => {
    const [metricsPort = 0] = await freePorts(1);
    const flags = [
      ...['--trusted-proxy', '127.0.0.1', '--proxy-protocol', '--max-connections-per-address', '1'],
      // As long as the test likes: a second signal ends it.
      ...['--shutdown-delay', '600'],
    ];
    server = await mustStart({
      command: [process.execPath, 'dist/chat.mjs', 'serve'],
      data: directory,
      flags: [...flags, '--metrics-listen', `127.0.0.1:${metricsPort}`],
    });
    // One that is there, and two that nobody has started.
    const away = { port: nobody, metricsPort: nobody };
    balancer = await startHaproxy([away, { port: server.port, metricsPort }, away]);
    await balancer.whenUp(1);
  });
  afterAll(async () => {
    await server?.kill();
    await balancer?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  /** Registers over TLS from an address of loopback; what the server says of the session that it opens. */
  async function sessionFrom(address: string, username: string): Promise<string> {
    const clear = connectClear({ port: balancer.port, host: '127.0.0.1', localAddress: address });
    const client = new TestClient(connectTls({ socket: clear, rejectUnauthorized: false }));
    const password = 'words of nobody else';
    client.call(1, 'account.register', { username, password });
    client.call(2, 'login.password', { username, password });
    await expect.poll(() => client.text, { timeout: 20_000 }).toContain('"id":2');
    client.call(3, 'session.list');
    await expect.poll(() => client.text, { timeout: 20_000 }).toContain('"id":3');
    return client.text;
  }

  it('sends people to the node that is ready, and says where they come from', async () => {
    expect(await balancer.isUp(0)).toBe(false);
    const one = await sessionFrom('127.0.0.7', 'sam');
    expect(one).toContain('"address":"127.0.0.7"');
    // The first is still open: an address has one connection, and this is another one.
    expect(await sessionFrom('127.0.0.8', 'kim')).toContain('"address":"127.0.0.8"');
  });

  it('has each client’s limits count for itself', async () => {
    const again = new TestClient(
      connectTls({
        socket: connectClear({ port: balancer.port, host: '127.0.0.1', localAddress: '127.0.0.7' }),
        rejectUnauthorized: false,
      }),
    );
    await expect.poll(() => again.isClosed, { timeout: 20_000 }).toBe(true);
    expect(again.text).not.toContain('result');
  });

  it('sends nobody to a node that is asked to end before that closes its port', async () => {
    const before = new TestClient(
      connectTls({
        socket: connectClear({ port: balancer.port, host: '127.0.0.1', localAddress: '127.0.0.9' }),
        rejectUnauthorized: false,
      }),
    );
    const answered = async (id: number): Promise<void> => {
      before.call(id, 'ping');
      await expect.poll(() => before.text, { timeout: 20_000 }).toContain(`"id":${id}`);
    };
    await answered(1);
    const end = server.kill('SIGTERM');
    await expect.poll(() => balancer.isUp(1), { timeout: 20_000 }).toBe(false);
    // Who is there stays, and who was sent there a moment ago is taken.
    await answered(2);
    const late = connectClear(server.port, '127.0.0.1');
    late.end('PROXY TCP4 127.0.0.11 127.0.0.1 5000 8080\r\n{"jsonrpc":"2.0","id":3,"method":"ping"}\n');
    expect(await text(late)).toContain('"id":3');
    expect(before.text).not.toContain('shutting-down');
    const ended = server.kill('SIGTERM');
    await expect.poll(() => before.isClosed, { timeout: 20_000 }).toBe(true);
    expect(before.text).toContain('"shutting-down"');
    expect(await Promise.all([end, ended])).toMatchObject([{ code: 0 }, { code: 0 }]);
  });
});
