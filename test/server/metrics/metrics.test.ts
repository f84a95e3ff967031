import { EventEmitter } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CrashSource } from '../../../src/server/crash-guard.ts';
import { families } from '../../../src/server/metrics/families.ts';
import { type RunningServer, serve } from '../../../src/server/serve.ts';
import { sqliteStore } from '../../../src/server/store/sqlite/store.ts';
import { connectClear, connectSecure, type TestClient } from '../support/client.ts';
import { until } from '../support/until.ts';
import { type Parsed, parseExposition } from './exposition.ts';

const openMetrics = 'application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5';
const user = 'wanda-of-metrics';
const room = '#room-of-metrics';

let directory: string;
let running: RunningServer;
const log: string[] = [];
const claims: string[] = [];

async function start(flags: Record<string, unknown>): Promise<RunningServer> {
  return await serve(
    {
      flags: { listen: '127.0.0.1:0', 'metrics-listen': '127.0.0.1:0', 'bcrypt-cost': '10', ...flags },
      env: {},
      platform: 'linux',
      homeDirectory: '/nowhere',
    },
    { ready: () => {}, log: (line) => log.push(line), claim: (line) => claims.push(line) },
    { process: new EventEmitter() as unknown as CrashSource, openStore: sqliteStore, filesLimit: () => 1e6 },
  );
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'chat-metrics-'));
  running = await start({
    data: join(directory, 'data'),
    'messages-per-second': '1',
    'max-connections-per-address': '20',
  });
});
afterAll(async () => {
  running.stop('SIGTERM');
  await running.closed;
  await rm(directory, { recursive: true, force: true });
});

async function ask(path: string, init: RequestInit = {}, port = running.metricsPort): Promise<Response> {
  return await fetch(`http://127.0.0.1:${port}${path}`, {
    ...init,
    headers: { connection: 'close', ...init.headers },
  });
}

async function scrape(accept = ''): Promise<Map<string, Parsed>> {
  return parseExposition(await (await ask('/metrics', { headers: { accept } })).text());
}

/** The sum of a metric's rows that have these labels. */
async function value(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
  const family = /_(?:bucket|sum|count)$/.test(name) ? name.replace(/_[a-z]+$/, '') : name;
  const rows = (await scrape()).get(family)?.rows ?? [];
  return rows
    .filter((row) => row.name === name && Object.entries(labels).every(([key, is]) => row.labels[key] === is))
    .reduce((sum, row) => sum + row.value, 0);
}

/** Waits until a metric has come to at least so much. */
async function reaches(
  least: number,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<void> {
  while ((await value(name, labels)) < least);
}

let lastId = 0;
async function call(client: TestClient, method: string, params: unknown): Promise<Record<string, unknown>> {
  lastId += 1;
  const id = lastId;
  client.call(id, method, params);
  const mine = () => client.frames.find((frame) => (frame as { id?: number }).id === id);
  await until(() => mine() !== undefined);
  return mine() as Record<string, unknown>;
}

let registered: Promise<TestClient> | undefined;
/** A connection that is logged in, in clear text. */
function wanda(): Promise<TestClient> {
  registered ??= (async () => {
    const client = await connectClear(running.port);
    const answer = await call(client, 'account.register', { username: user, password: 'seven blue herons' });
    expect(answer.error).toBeUndefined();
    expect(
      await call(client, 'login.password', { username: user, password: 'seven blue herons' }),
    ).toHaveProperty('result');
    return client;
  })();
  return registered;
}

describe('the metrics', () => {
  it('are in the text format of Prometheus, each with its help and its type', async () => {
    const metrics = await scrape();
    for (const { name, type, help } of families) {
      expect(metrics.get(name)).toMatchObject({ type, help });
      expect(name).toMatch(/^chat_[a-z0-9]+(?:_[a-z0-9]+)*$/);
      expect(name.endsWith('_total')).toBe(type === 'counter');
      expect(help).toMatch(/\.$/);
    }
    // Every door has its rows, also while nobody is there.
    const doors = metrics.get('chat_connections')?.rows.map(({ labels }) => `${labels.door} ${labels.tls}`);
    expect(doors).toEqual(
      ['line', 'pipe', 'slash', 'http', 'cookie', 'websocket'].flatMap((door) => [
        `${door} no`,
        `${door} yes`,
      ]),
    );
    expect(metrics.get('process_resident_memory_bytes')?.type).toBe('gauge');
    expect(metrics.get('nodejs_eventloop_lag_p99_seconds')?.type).toBe('gauge');
    // What must not happen is there from the start: a growth from nothing to one would be seen by no alert.
    expect(metrics.get('chat_bugs_total')?.rows).toEqual([{ name: 'chat_bugs_total', labels: {}, value: 0 }]);
    for (const part of ['p50', 'p99']) {
      expect(metrics.get(`chat_loop_delay_${part}_seconds`)?.rows[0]?.value).toBeGreaterThanOrEqual(0);
    }
  });

  it('are in OpenMetrics for a scraper that takes it, with its ends', async () => {
    const answer = await ask('/metrics', { headers: { accept: openMetrics } });
    expect(answer.headers.get('content-type')).toBe(
      'application/openmetrics-text; version=1.0.0; charset=utf-8',
    );
    const text = await answer.text();
    expect(text.endsWith('\n# EOF\n')).toBe(true);
    const metrics = parseExposition(text);
    for (const { name, type } of families) expect(metrics.get(name.replace(/_total$/, ''))?.type).toBe(type);
    const rows = [...metrics.values()].filter(({ type }) => type === 'counter').flatMap((one) => one.rows);
    expect(rows.filter(({ name }) => !name.endsWith('_total'))).toEqual([]);
    // The other format is as it was, with its names and of the same process.
    const both = await scrape();
    expect(both.get('chat_connections_accepted_total')?.type).toBe('counter');
    expect(both.get('process_cpu_seconds_total')?.type).toBe('counter');
    const names = (of: Map<string, Parsed>) => [...of.keys()].map((name) => name.replace(/_total$/, ''));
    expect(names(metrics)).toEqual(names(both));
    const plain = await ask('/metrics', { headers: { accept: 'application/openmetrics-text;q=0, */*' } });
    expect(plain.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  });

  it('count connections by door and by what was refused', async () => {
    const before = await value('chat_connections_accepted_total');
    const clear = await connectClear(running.port);
    clear.call(1, 'ping');
    await clear.lineCount(1);
    const secure = await connectSecure(running.port);
    secure.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    await secure.lineCount(1);
    await reaches(1, 'chat_connections', { door: 'line', tls: 'no' });
    await reaches(1, 'chat_connections', { door: 'http', tls: 'yes' });
    await reaches(before + 2, 'chat_connections_accepted_total');
    const received = await value('chat_network_received_bytes_total');
    expect(received).toBeGreaterThan(500);
    expect(await value('chat_network_sent_bytes_total')).toBeGreaterThan(500);
    const many = await Promise.all(Array.from({ length: 25 }, () => connectClear(running.port)));
    await reaches(1, 'chat_connections_refused_total', { reason: 'address' });
    await reaches(1, 'chat_connections_undecided');
    for (const { socket } of [...many, clear, secure]) socket.destroy();
    while ((await value('chat_connections', { door: 'http' })) > 0);
    expect(await value('chat_network_received_bytes_total')).toBeGreaterThanOrEqual(received);
    const failed = await connectClear(running.port);
    failed.write(Buffer.from([0x16, 3, 1, 0, 5, 1, 2, 3, 4, 5]));
    await reaches(1, 'chat_tls_handshakes_failed_total');
    failed.socket.destroy();
  });

  it('count calls, logins, passwords, messages, deliveries and what a limit refuses', async () => {
    const client = await wanda();
    await reaches(1, 'chat_logged_in');
    await reaches(1, 'chat_users_online');
    expect(await value('chat_calls_total', { operation: 'account.register', outcome: 'ok' })).toBe(1);
    const other = await connectClear(running.port);
    expect(
      await call(other, 'login.password', { username: user, password: 'eight blue herons' }),
    ).toHaveProperty('error');
    expect(await value('chat_logins_total', { mechanism: 'password', outcome: 'unauthenticated' })).toBe(1);
    expect(await value('chat_password_wait_seconds_count')).toBeGreaterThanOrEqual(2);
    other.call(9, 'no.such-operation');
    await reaches(1, 'chat_calls_total', { operation: 'unknown', outcome: 'unsupported' });
    expect(await call(client, 'room.create', { room })).toHaveProperty('result');
    await call(client, 'conversation.follow', { to: room, after: 0 });
    await reaches(1, 'chat_readers');
    await reaches(1, 'chat_followers');
    const stored = await value('chat_messages_stored_total');
    const delivered = await value('chat_deliveries_total');
    for (let key = 0; key < 5; key += 1) {
      expect(await call(client, 'message.send', { to: room, text: 'hello', key: `k${key}` })).toHaveProperty(
        'result',
      );
    }
    await reaches(stored + 5, 'chat_messages_stored_total');
    await reaches(delivered + 5, 'chat_deliveries_total');
    await Promise.all(
      Array.from({ length: 10 }, () => call(client, 'message.send', { to: room, text: 'more' })),
    );
    await reaches(1, 'chat_rate_limited_total', { limit: 'message' });
    await reaches(1, 'chat_calls_total', { operation: 'message.send', outcome: 'rate-limited' });
    const all = await value('chat_calls_total', { operation: 'message.send' });
    expect(await value('chat_call_duration_seconds_count', { operation: 'message.send' })).toBe(all);
    other.socket.destroy();
  });

  it('tell of the store: batches, commits, syncs, its files and its disk', async () => {
    await wanda();
    const metrics = await scrape();
    for (const name of [
      'chat_store_batch_calls',
      'chat_store_batch_seconds',
      'chat_store_commit_seconds',
      'chat_store_sync_seconds',
    ]) {
      const rows = metrics.get(name)?.rows ?? [];
      const buckets = rows.filter((row) => row.name === `${name}_bucket`).map((row) => row.value);
      expect(buckets, 'each bucket counts those before it').toEqual([...buckets].sort((a, b) => a - b));
      expect(buckets.at(-1)).toBe(rows.find((row) => row.name === `${name}_count`)?.value);
      expect(buckets.at(-1)).toBeGreaterThan(0);
      expect(rows.find((row) => row.name === `${name}_sum`)?.value).toBeGreaterThan(0);
    }
    expect(await value('chat_store_database_bytes')).toBeGreaterThanOrEqual(4_096);
    expect(await value('chat_store_log_bytes')).toBeGreaterThan(0);
    expect(await value('chat_disk_free_bytes')).toBeGreaterThan(0);
    // The index takes up what was sent, in the background.
    while ((await value('chat_search_index_lag_messages')) > 0);
  });

  it('tell how backups came out and until when certificates are good', async () => {
    const backups = (await scrape()).get('chat_backups_total')?.rows.map(({ labels }) => labels.outcome);
    expect(backups).toEqual(['made', 'failed']);
    const now = Date.now() / 1_000;
    const year = 365 * 86_400;
    expect(await value('chat_certificate_expiry_time_seconds', { certificate: 'server' })).toBeGreaterThan(
      now + 30 * 86_400,
    );
    expect(await value('chat_certificate_expiry_time_seconds', { certificate: 'authority' })).toBeGreaterThan(
      now + year,
    );
  });

  it('name nobody and no place: labels are of small closed sets', async () => {
    await wanda();
    const text = await (await ask('/metrics')).text();
    for (const name of [user, room.slice(1), '127.0.0.1']) expect(text).not.toContain(name);
    const labels = [...parseExposition(text)]
      .filter(([name]) => name.startsWith('chat_'))
      .flatMap(([, { rows }]) => rows.flatMap((row) => Object.keys(row.labels)));
    const closed = /^(?:version|node|door|tls|reason|operation|outcome|le|mechanism|limit|certificate)$/;
    expect(labels.length).toBeGreaterThan(50);
    expect(labels.filter((name) => !closed.test(name))).toEqual([]);
  });
});

describe('admin.stats', () => {
  it('is for administrators, and says how the server is and what is bad', async () => {
    const client = await wanda();
    expect(await call(client, 'admin.stats', {})).toMatchObject({ error: { data: { code: 'forbidden' } } });
    const code = /chat admin claim (\S+) /.exec(claims[0] ?? '')?.[1];
    expect(await call(client, 'admin.claim', { code })).toHaveProperty('result');
    const noBackup = 'there is no backup: chat admin backup makes one';
    expect((await scrape()).get('chat_backup_time_seconds')?.rows).toEqual([]);
    const { result: before } = await call(client, 'admin.stats', {});
    expect(before).toMatchObject({
      node: process.versions.node,
      accounts: 1,
      doors: expect.arrayContaining([{ door: 'line', tls: false, connections: expect.any(Number) }]),
      online: 1,
      // An entry of the audit trail may be on its way.
      store_queue: expect.any(Number),
      sync_p50_ms: expect.any(Number),
      disk_free_bytes: expect.any(Number),
      backup_at: null,
      warnings: expect.arrayContaining([noBackup]),
    });
    expect(await call(client, 'admin.backup', {})).toHaveProperty('result');
    const { result: after } = await call(client, 'admin.stats', {});
    const { backup_at, checkpoint_at, warnings } = after as Record<string, unknown>;
    // The names of backups have whole seconds.
    expect(Math.abs(Date.parse(String(backup_at)) - Date.now())).toBeLessThan(60_000);
    expect(Date.parse(String(checkpoint_at))).toBeGreaterThan(0);
    expect(warnings).not.toContain(noBackup);
    expect(await value('chat_backups_total', { outcome: 'made' })).toBe(1);
    expect(await value('chat_backup_time_seconds')).toBe(Date.parse(String(backup_at)) / 1_000);
    expect(await value('chat_store_checkpoint_seconds_count')).toBeGreaterThan(0);
    expect(await value('chat_store_checkpoint_time_seconds')).toBeGreaterThan(0);
  });
});

describe('the listener of metrics', () => {
  it('answers probes, and nothing else', async () => {
    const answers = await Promise.all([
      ask('/healthz'),
      ask('/readyz'),
      ask('/metrics?x=1', { method: 'HEAD' }),
      ask('/'),
      ask('/metrics/'),
      ask('/api/account'),
      ask('/metrics', { method: 'POST', body: 'x' }),
      ask('/readyz', { method: 'DELETE' }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 404, 404, 404, 405, 405]);
    expect(await Promise.all(answers.map((one) => one.text()))).toEqual([
      'alive\n',
      'ready\n',
      '',
      ...Array(3).fill('there is /metrics, /healthz and /readyz\n'),
      ...Array(2).fill('only GET is answered here\n'),
    ]);
    expect(answers[6]?.headers.get('allow')).toBe('GET, HEAD');
  });

  it('takes a few connections at a time, and the next ones when those have gone', async () => {
    const open = Array.from({ length: 40 }, () => connect(running.metricsPort ?? 0, '127.0.0.1'));
    for (const socket of open) socket.on('error', () => {});
    await until(() => open.filter((socket) => socket.closed).length >= 8);
    for (const socket of open) socket.destroy();
    let status = 0;
    while (status !== 200)
      status = await ask('/healthz').then(
        (one) => one.status,
        () => 0,
      );
    expect(open.filter((socket) => socket.closed).length).toBeGreaterThanOrEqual(8);
  });

  it('keeps nobody out for connections that ask and do not read', async () => {
    const many = 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(1_000);
    const open = Array.from({ length: 32 }, () => connect(running.metricsPort ?? 0, '127.0.0.1'));
    for (const socket of open) {
      socket.pause();
      socket.on('error', () => {});
      socket.write(many);
    }
    // Each is let in, and closed by the server: the clients never read, and never close.
    let status = 0;
    while (status !== 200)
      status = await ask('/metrics').then(
        (one) => one.status,
        () => 0,
      );
    for (const socket of open) socket.destroy();
  });

  it('closes each connection with its answer', async () => {
    const socket = connect(running.metricsPort ?? 0, '127.0.0.1');
    socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    let text = '';
    for await (const chunk of socket) text += chunk;
    expect(text).toMatch(/^HTTP\/1\.1 200 .*\r\nconnection: close\r\n.*alive\n$/is);
  });

  it('keeps a server from starting when its address is taken, which lets go of everything', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    const data = join(directory, 'other');
    const at = `127.0.0.1:${port}`;
    await expect(start({ data, 'metrics-listen': at })).rejects.toThrowError(
      `cannot listen on ${at}: another program listens there`,
    );
    await expect(start({ data, listen: at, 'metrics-listen': '' })).rejects.toThrowError('cannot listen');
    // What never was a start is on nobody's record.
    const database = new DatabaseSync(join(data, 'chat.db'), { readOnly: true });
    expect(database.prepare('SELECT count(*) AS rows FROM audit').get()).toEqual({ rows: 0 });
    database.close();
    taken.close();
    const second = await start({ data, 'metrics-listen': '' });
    expect(second.metricsPort).toBeUndefined();
    second.stop('SIGTERM');
    expect(await second.closed).toBe(0);
  });

  it('is warned of off loopback, where anybody can read it', async () => {
    const data = join(directory, 'open');
    const warning = () => log.filter((line) => line.includes('metrics are served off loopback'));
    expect(warning()).toEqual([]);
    const open = await start({ data, 'metrics-listen': '0.0.0.0:0' });
    open.stop('SIGTERM');
    await open.closed;
    expect(warning()).toEqual([expect.stringContaining(`address=0.0.0.0:${open.metricsPort}`)]);
  });
});
