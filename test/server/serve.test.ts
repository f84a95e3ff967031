import type { X509Certificate } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { Worker } from 'node:worker_threads';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ChatError } from '../../src/core/errors.ts';
import type { Store } from '../../src/core/ports/store.ts';
import type { CrashSource } from '../../src/server/crash-guard.ts';
import { type RunningServer, type ServeSurroundings, serve } from '../../src/server/serve.ts';
import { sqliteStore, storeIn } from '../../src/server/store/sqlite/store.ts';
import { connectClear, connectSecure } from './support/client.ts';
import { until } from './support/until.ts';

const dayMs = 86_400_000;

/** What the server shows to who connects now. */
async function certificateAt(port: number): Promise<X509Certificate> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const certificate = socket.getPeerX509Certificate();
  socket.destroy();
  if (!certificate) throw new Error('no certificate was shown');
  return certificate;
}

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'chat-serve-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

interface Serving {
  readonly running: RunningServer;
  readonly ready: readonly string[];
  /** What is also logged with `--quiet`. */
  readonly log: readonly string[];
  readonly talk: readonly string[];
  readonly claims: readonly string[];
  readonly process: EventEmitter;
}

async function serving(
  flags: Record<string, unknown>,
  openStore: ServeSurroundings['openStore'] = sqliteStore,
  filesLimit?: number,
): Promise<Serving> {
  const ready: string[] = [];
  const log: string[] = [];
  const talk: string[] = [];
  const claims: string[] = [];
  const process = new EventEmitter();
  const running = await serve(
    { flags: { listen: '127.0.0.1:0', ...flags }, env: {}, platform: 'linux', homeDirectory: '/nowhere' },
    {
      ready: (line) => ready.push(line),
      log: (line, isTalk) => (isTalk ? talk : log).push(line),
      claim: (line) => claims.push(line),
    },
    { process: process as unknown as CrashSource, openStore, filesLimit: () => filesLimit },
  );
  onTestFinished(async () => {
    running.stop('SIGTERM');
    await running.closed;
  });
  return { running, ready, log, talk, claims, process };
}

async function realmOf(port: number): Promise<unknown> {
  const client = await connectSecure(port);
  client.call(1, 'account.begin-register');
  await client.lineCount(1);
  client.socket.destroy();
  return (client.frames[0] as { result: { realm: string } }).result.realm;
}

/** A store that answers everything but `name`, which never ends. */
function stuck(name: keyof Store): ServeSurroundings['openStore'] {
  return async (options) => ({ ...(await sqliteStore(options)), [name]: () => new Promise(() => {}) });
}

describe('serve', () => {
  it('prints one line when it is ready, and serves', async () => {
    const data = await scratch();
    const { running, ready } = await serving({ data });
    expect(ready).toEqual([`127.0.0.1:${running.port} ${running.fingerprint} ${data}`]);
    expect(await realmOf(running.port)).toMatch(/^[0-9a-f]{32}$/);
  });

  it('6.3.2: begins without any account, and with secrets that no other server has', async () => {
    const stores: Store[] = [];
    const watched: ServeSurroundings['openStore'] = async (options) => {
      const store = await sqliteStore(options);
      stores.push(store);
      return store;
    };
    const two = [
      await serving({ data: await scratch() }, watched),
      await serving({ data: await scratch() }, watched),
    ];
    const fresh = { realm: 'asked for', serverSecret: new Uint8Array(32) };
    const settings = await Promise.all(stores.map((store) => store.settings(fresh)));
    expect(new Set(settings.map(({ realm }) => realm)).add(fresh.realm).size).toBe(3);
    const secrets = [fresh, ...settings].map(({ serverSecret }) => Buffer.from(serverSecret).toString('hex'));
    expect(new Set(secrets).size).toBe(3);
    for (const store of stores) expect(await store.accounts({ after: '', limit: 10 })).toEqual([]);
    const codes = two.map(({ claims }) => /chat admin claim (\S+) /.exec(claims.join())?.[1]);
    expect(new Set(codes).add(undefined).size).toBe(3);
    expect(new Set(two.map(({ running }) => running.fingerprint)).size).toBe(2);
  });

  it('prints the code for the first administrator at each start, a new one each time, and not to the log', async () => {
    const data = await scratch();
    const first = await serving({ data, 'log-format': 'json' });
    expect(first.claims).toHaveLength(1);
    const { level, event, note } = JSON.parse(first.claims[0] ?? '');
    expect([level, event]).toEqual(['warn', 'claim']);
    const [, code = ''] = /chat admin claim ((?:[0-9A-Z]{4}-){6}[0-9A-Z]{4}) /.exec(note) ?? [];
    expect(code).not.toBe('');
    first.running.stop('SIGTERM');
    await first.running.closed;
    const second = await serving({ data });
    expect(second.claims).toHaveLength(1);
    expect(second.claims[0]).not.toContain(code);
    expect([...first.log, ...first.talk, ...second.log, ...second.talk].join()).not.toContain('admin claim');
  });

  it('ends in order at the first signal, and is the same server when it starts again', async () => {
    const data = await scratch();
    const first = await serving({ data });
    const realm = await realmOf(first.running.port);
    const client = await connectClear(first.running.port);
    client.call(1, 'ping');
    await client.lineCount(1);
    first.running.stop('SIGTERM');
    expect(await first.running.closed).toBe(0);
    await client.ended();
    expect(client.text).toContain('"shutting-down"');
    const second = await serving({ data });
    expect([second.running.fingerprint, await realmOf(second.running.port)]).toEqual([
      first.running.fingerprint,
      realm,
    ]);
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('ends at once at the second signal (%s)', async (signal, exitCode) => {
    const data = await scratch();
    const { running } = await serving({ data }, stuck('credential'));
    const client = await connectClear(running.port);
    client.call(1, 'login.begin', { message: 'n,,n=alice,r=fyko+d2lbbFgONRv9qkxdawL' });
    client.call(2, 'ping');
    await client.lineCount(1);
    running.stop('SIGTERM');
    running.stop(signal);
    expect(await running.closed).toBe(exitCode);
    await client.ended();
  });

  it('serves everybody while --shutdown-delay is not over, with /readyz at 503; the second signal ends it in order, the third the server at once', async () => {
    const data = await scratch();
    const delayed = { data, 'metrics-listen': '127.0.0.1:0', 'shutdown-delay': '600' };
    const first = await serving(delayed);
    const { running } = first;
    const client = await connectClear(running.port);
    const ready = () => fetch(`http://127.0.0.1:${running.metricsPort}/readyz`);
    expect((await ready()).status).toBe(200);
    running.stop('SIGTERM');
    const answer = await ready();
    expect([answer.status, await answer.text()]).toEqual([503, 'not ready: the server is shutting down\n']);
    expect(await realmOf(running.port)).toMatch(/^[0-9a-f]{32}$/);
    client.call(1, 'ping');
    await client.lineCount(1);
    expect(client.text).not.toContain('shutting-down');
    running.stop('SIGTERM');
    expect(await running.closed).toBe(0);
    await client.ended();
    expect(client.text).toContain('"shutting-down"');
    expect(first.talk.filter((line) => / (ending|stopped)/.test(line))).toEqual([
      expect.stringContaining('note="everybody is served for 600 s more, while /readyz is 503; then calls'),
      expect.stringContaining('note="without more delay: calls'),
      expect.stringContaining('stopped'),
    ]);

    const second = await serving(delayed, stuck('credential'));
    const waiting = await connectClear(second.running.port);
    waiting.call(1, 'login.begin', { message: 'n,,n=alice,r=fyko+d2lbbFgONRv9qkxdawL' });
    waiting.call(2, 'ping');
    await waiting.lineCount(1);
    for (const signal of ['SIGTERM', 'SIGTERM', 'SIGINT'] as const) second.running.stop(signal);
    expect(await second.running.closed).toBe(130);
    await waiting.ended();
  });

  it('ends by itself when --shutdown-delay is over', async () => {
    const { running, talk } = await serving({ data: await scratch(), 'shutdown-delay': '1' });
    const client = await connectClear(running.port);
    client.call(1, 'ping');
    await client.lineCount(1);
    const asked = performance.now();
    running.stop('SIGTERM');
    expect(await running.closed).toBe(0);
    expect(performance.now() - asked).toBeGreaterThan(990);
    await client.ended();
    expect(client.text).toContain('"shutting-down"');
    expect(talk.at(-1)).toContain('stopped');
  });

  it('does not wait for the delay when its store has failed, or when too much goes uncaught', async () => {
    let fail: (error: ChatError) => void = () => {};
    const watched: ServeSurroundings['openStore'] = async (options) => {
      fail = options.onFatal;
      return await sqliteStore(options);
    };
    const failed = await serving({ data: await scratch(), 'shutdown-delay': '600' }, watched);
    failed.running.stop('SIGTERM');
    fail(new ChatError('unavailable', 'the disk has failed'));
    expect(await failed.running.closed).toBe(1);

    const broken = await serving({ data: await scratch(), 'shutdown-delay': '600' });
    broken.running.stop('SIGTERM');
    for (let i = 0; i < 10; i++) broken.process.emit('uncaughtException', new Error('a bug'));
    expect(await broken.running.closed).toBe(1);
  });

  it('renews its certificate by itself while it runs, over the same key, and drops nobody', async () => {
    const start = Date.now();
    const data = await scratch();
    vi.useFakeTimers({ now: start, toFake: ['Date', 'setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    // An hour passes in no time, in which nobody answers a ping.
    const { running, talk } = await serving({ data, 'ping-interval': '0' });
    const client = await connectSecure(running.port);
    client.call(1, 'ping');
    await client.lineCount(1);
    const before = await certificateAt(running.port);
    expect(before.validToDate.getTime()).toBeLessThan(start + 398 * dayMs);
    const later = start + 330 * dayMs;
    vi.setSystemTime(later);
    vi.advanceTimersByTime(3_600_000);
    await until(() => talk.some((line) => line.includes(' certificates-read ')));
    const after = await certificateAt(running.port);
    expect(after.validToDate.getTime()).toBeGreaterThan(later + 396 * dayMs);
    expect(after.publicKey.equals(before.publicKey)).toBe(true);
    expect(talk.filter((line) => / certificates(-read)? /.test(line)).slice(-2)).toEqual([
      expect.stringContaining(`renewed ${join(data, 'serverkeys', 'server.crt')}`),
      expect.stringContaining(`fingerprint=${running.fingerprint}`),
    ]);
    client.call(2, 'ping');
    await client.lineCount(2);
  });

  it('makes no other keys while it runs: without its own it goes on with what it has', async () => {
    const data = await scratch();
    const { running, talk, log } = await serving({ data });
    await rm(join(data, 'serverkeys'), { recursive: true });
    running.hangUp();
    const kept = () => [...talk, ...log].find((line) => line.includes(' certificates-kept '));
    await until(() => kept() !== undefined);
    expect(kept()).toContain(`why="${join(data, 'serverkeys', 'server.key')} is missing: bring it back`);
    expect((await certificateAt(running.port)).fingerprint256).not.toBe('');
    running.stop('SIGTERM');
    expect(await running.closed).toBe(0);
    await expect(readFile(join(data, 'serverkeys', 'server.key'))).rejects.toThrow('ENOENT');
  });

  it('says that the port is taken, and lets go of the data directory', async () => {
    const { running } = await serving({ data: await scratch() });
    const data = await scratch();
    await expect(serving({ data, listen: `127.0.0.1:${running.port}` })).rejects.toEqual(
      new ChatError(
        'unavailable',
        `cannot listen on 127.0.0.1:${running.port}: another program listens there`,
      ),
    );
    await serving({ data });
  });

  it('refuses a second server on its directory', async () => {
    const data = await scratch();
    await serving({ data });
    await expect(serving({ data })).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining(String(process.pid)),
    });
  });

  it('refuses a wrong setting before it touches anything', async () => {
    await expect(serving({ data: '/nowhere', 'bcrypt-cost': '9' })).rejects.toMatchObject({
      code: 'invalid',
    });
  });

  it('names a data directory that cannot be one', async () => {
    const file = join(await scratch(), 'file');
    await writeFile(file, '');
    await expect(serving({ data: file })).rejects.toMatchObject({
      code: expect.stringMatching(/^(unavailable|invalid)$/),
      message: expect.stringContaining(file),
    });
  });

  it('warns of an authority that is younger than the accounts, and of none that is as old as the database', async () => {
    const data = await scratch();
    const begin = async () => {
      const { running, log } = await serving({ data });
      const isWarned = log.some((line) =>
        line.includes('the authority for certificates of people was made anew'),
      );
      return { running, isWarned };
    };
    const first = await begin();
    const client = await connectClear(first.running.port);
    client.call(1, 'account.register', { username: 'alice', password: 'open sesame, please' });
    await client.lineCount(1);
    first.running.stop('SIGTERM');
    await first.running.closed;
    const second = await begin();
    second.running.stop('SIGTERM');
    await second.running.closed;
    await rm(join(data, 'ttpkeys'), { recursive: true });
    const third = await begin();
    expect([first, second, third].map(({ isWarned }) => isWarned)).toEqual([false, false, true]);
  });

  it('names a key that is damaged, and lets go of the data directory', async () => {
    const data = await scratch();
    const { running } = await serving({ data });
    running.stop('SIGTERM');
    await running.closed;
    const key = join(data, 'serverkeys', 'server.key');
    await writeFile(key, 'damaged');
    for (let i = 0; i < 2; i++) {
      await expect(serving({ data })).rejects.toThrowError(
        `${key} is damaged: it is no private key; restore it from a backup`,
      );
    }
  });

  it('ends at once when the store has failed, and acknowledges nothing more', async () => {
    const data = await scratch();
    let fail: (() => void) | undefined;
    const { running, log } = await serving({ data }, async (options) => {
      fail = () => options.onFatal(new ChatError('unavailable', 'the disk is gone'));
      return sqliteStore(options);
    });
    const client = await connectClear(running.port);
    client.call(1, 'ping');
    await client.lineCount(1);
    fail?.();
    expect(await running.closed).toBe(1);
    await until(() => client.isClosed);
    expect(log.some((line) => line.includes('unavailable: the disk is gone'))).toBe(true);
  });

  it('ends in order, starts and ends again while its disk is full, and keeps what was acknowledged', async () => {
    const data = await scratch();
    const full = join(await scratch(), 'full');
    const openStore: ServeSurroundings['openStore'] = ({ directory, onFatal }) =>
      storeIn(
        new Worker(new URL('./store/support/full-worker.ts', import.meta.url), {
          workerData: { directory, full },
        }),
        onFatal,
      );
    const first = await serving({ data }, openStore);
    const realm = await realmOf(first.running.port);
    await writeFile(full, '');
    first.running.stop('SIGTERM');
    expect(await first.running.closed).toBe(0);
    expect(first.log.filter((line) => line.includes("the server's disk is full"))).toHaveLength(1);
    const second = await serving({ data }, openStore);
    expect(second.claims).toEqual([]);
    expect(second.log.join('\n')).toMatch(/no code for the first administrator .*the server's disk is full/);
    expect(await realmOf(second.running.port)).toBe(realm);
    await rm(full);
    second.running.stop('SIGTERM');
    expect(await second.running.closed).toBe(0);
    const third = await sqliteStore({
      directory: data,
      onFatal: (error) => {
        throw error;
      },
    });
    // The end of the first found no room. What the second could not write at its start it wrote later.
    const { rows } = await third.auditPage({ limit: 9 });
    expect(rows.map(({ operation }) => operation)).toEqual([
      'server.started',
      'server.started',
      'server.stopped',
    ]);
    await third.close();
  });

  it('closes everything else when its end fails, and lets go of the data directory', async () => {
    const data = await scratch();
    const { running, log } = await serving({ data }, async (options) => {
      const store = await sqliteStore(options);
      return {
        ...store,
        async close() {
          await store.close();
          throw new Error('the last write failed');
        },
      };
    });
    running.stop('SIGTERM');
    expect(await running.closed).toBe(1);
    expect(
      log.some((line) => line.includes('the end failed') && line.includes('the last write failed')),
    ).toBe(true);
    const again = await serving({ data });
    expect(again.ready).toHaveLength(1);
  });

  it('ends in order with exit code 1 after ten uncaught exceptions', async () => {
    const { running, process } = await serving({ data: await scratch() });
    for (let i = 0; i < 10; i++) process.emit('uncaughtException', new Error('a bug'));
    expect(await running.closed).toBe(1);
  });

  it.each([
    ['1127', 'this process may open 1127 files, which is enough for 999 connections, not for 1000'],
    ['1128', undefined],
  ])('warns at %s open files of 1000 connections as is due', async (limit, warning) => {
    const flags = { data: await scratch(), 'max-connections': '1000' };
    const { log } = await serving(flags, sqliteStore, Number(limit));
    const warnings = log.flatMap((line) => /^\S+ warn few-open-files note="(.*?):/.exec(line)?.[1] ?? []);
    expect(warnings).toEqual(warning ? [warning] : []);
  });

  it('logs its life as talk, and the audit of what strangers do on record', async () => {
    const { running, log, talk } = await serving({ data: await scratch() });
    const client = await connectClear(running.port);
    client.call(1, 'login.password', { username: 'nobody', password: 'some words' });
    await client.lineCount(1);
    client.socket.destroy();
    running.stop('SIGTERM');
    await running.closed;
    const events = (lines: readonly string[]) => lines.map((line) => line.split(' ').slice(1, 3).join(' '));
    // Where the trail ends is told as it begins, with the row of the start, and as it ends.
    expect(events(log)).toEqual(['info audit-head', 'info audit', 'info audit-head']);
    expect(events(talk)).toEqual(expect.arrayContaining(['info started', 'info stopped']));
  });

  it('warns when clear text is served off loopback', async () => {
    const { log } = await serving({
      data: await scratch(),
      listen: '0.0.0.0:0',
      'insecure-clear-text': true,
    });
    expect(log.some((line) => line.includes('anybody on the way can read'))).toBe(true);
  });
});
