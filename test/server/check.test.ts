import { once } from 'node:events';
import fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { ChatError } from '../../src/core/errors.ts';
import { checkServer } from '../../src/server/check.ts';
import type { ConfigSources } from '../../src/server/config/settle-setting.ts';
import { serve } from '../../src/server/serve.ts';
import { migrations } from '../../src/server/store/migrations/index.ts';
import { freePorts } from '../support/free-ports.ts';

let home: string;
let data: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'chat-check-'));
  data = join(home, 'data');
});
afterEach(() => rm(home, { recursive: true, force: true }));

const sources = (change: Partial<ConfigSources> = {}): ConfigSources => ({
  flags: { listen: '127.0.0.1:0', data },
  env: {},
  platform: 'linux',
  homeDirectory: home,
  ...change,
});

/** The findings as lines, `HOME` in the place of the directory. */
async function check(
  change: Partial<ConfigSources> = {},
  now = Date.now(),
  filesLimit?: number,
): Promise<string[]> {
  const { findings } = await checkServer(sources(change), now, () => filesLimit);
  return findings.map(({ check: name, status, message, code }) =>
    [status, name, message.replaceAll(home, 'HOME'), ...(code === undefined ? [] : [code])].join(' '),
  );
}

/** Runs a server until everything in its directory is made. */
async function ranOnce(): Promise<void> {
  const running = await serve(sources(), { ready: () => {}, log: () => {}, claim: () => {} });
  running.stop('SIGTERM');
  await running.closed;
}

/** All names below a directory, with what is in them and how they are guarded. */
function everything(directory = home): unknown[] {
  return fs.readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((name) => {
    const path = join(directory, name);
    const { mode, mtimeMs } = fs.statSync(path);
    return [name, mode, mtimeMs];
  });
}

const fits = 'ok settings every setting fits';
const free = 'ok listen 127.0.0.1:0 is free';

describe('the check of a server', () => {
  it('of a first start says what will be made, and makes nothing', async () => {
    const before = everything();
    expect(await check()).toEqual([fits, 'ok data HOME/data is made at the first start', free]);
    expect(await check({ flags: { listen: '127.0.0.1:0', data: join(data, 'deep', 'er') } })).toContain(
      'ok data HOME/data/deep/er is made at the first start',
    );
    expect(everything()).toEqual(before);
  });

  it('holds the first address while it tries the second, and lets go of both', async () => {
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as AddressInfo;
    probe.close();
    await once(probe, 'close');
    // Only the resolver knows that these are the same.
    const flags = { data, listen: `127.0.0.1:${port}`, 'metrics-listen': `localhost:${port}` };
    for (const _twice of [1, 2]) {
      expect((await check({ flags })).slice(-2)).toEqual([
        `ok listen 127.0.0.1:${port} is free`,
        `fail metrics cannot listen on localhost:${port}: another program listens there unavailable`,
      ]);
    }
  });

  it('warns of too few open files for the connections, and of nothing when they are enough', async () => {
    const few = await check({ env: { CHAT_MAX_CONNECTIONS: '1000' } }, Date.now(), 1_127);
    expect(few).toContain(
      'warn open files this process may open 1127 files, which is enough for 999 connections, not for 1000: raise the limit (ulimit -n, LimitNOFILE) or set --max-connections',
    );
    const enough = await check({ env: { CHAT_MAX_CONNECTIONS: '1000' } }, Date.now(), 1_128);
    expect(enough).toEqual(few.filter((finding) => !finding.startsWith('warn')));
    // Nobody knows how many connections were meant.
    expect(await check({ env: { CHAT_MAX_CONNECTIONS: 'x' } }, Date.now(), 10)).not.toContainEqual(
      expect.stringContaining('open files'),
    );
  });

  it('of a later start says how everything is, and changes nothing', async () => {
    await ranOnce();
    const before = everything();
    expect(await check()).toEqual([
      fits,
      'ok data HOME/data can be read and written',
      'ok lock no server is running there',
      `ok database HOME/data/chat.db is sound, format ${migrations.length}`,
      expect.stringMatching(
        /^ok authority HOME\/data\/ttpkeys\/ca\.crt expires in 365[12] days \(20..-..-..\); SHA256:/,
      ),
      expect.stringMatching(
        /^ok certificate HOME\/data\/serverkeys\/server\.crt expires in 39[67] days \(.*\); SHA256:/,
      ),
      free,
    ]);
    expect(everything()).toEqual(before);
  });

  it('says that the audit trail was changed, which keeps no server from starting', async () => {
    await ranOnce();
    const database = new DatabaseSync(join(data, 'chat.db'));
    database.exec(
      `INSERT INTO users (id, username, privacy, is_admin, created_at) VALUES ('1', 'alice', 'private', 0, 0)`,
    );
    const { rows } = database.prepare('SELECT count(*) AS rows FROM audit').get() as { rows: number };
    database.exec('DELETE FROM audit WHERE seq = 1');
    database.close();
    expect(rows).toBeGreaterThan(0);
    expect(await check()).toContain('warn audit trail it is not intact: row 1 is missing');
  });

  it('tells of every setting that does not fit, and looks at the rest', async () => {
    const flags = { listen: '127.0.0.1:0', data, refresh: 'x' };
    expect(await check({ flags, env: { CHAT_MAX_LINE: '-1' } })).toEqual([
      'fail settings --refresh takes whole seconds from 1 to 315360000, not "x" invalid',
      'fail settings CHAT_MAX_LINE takes a whole number from 0 to 16777216 (0 is off), not "-1" invalid',
      'ok data HOME/data is made at the first start',
      free,
    ]);
    expect(await check({ flags: { listen: 'x', data: '' } })).toEqual([
      'fail settings --listen takes HOST:PORT, like 127.0.0.1:8080 or [::1]:8080, not "x" invalid',
      'fail settings --data takes the path of a directory, not "" invalid',
    ]);
  });

  it('does not look at defaults that a broken file may have meant to set', async () => {
    const problem = new ChatError('invalid', 'server.yaml:1: this is no YAML');
    const file = { path: join(home, 'server.yaml'), values: new Map(), problems: [problem] };
    expect(await check({ file, flags: {} })).toEqual([
      'fail settings server.yaml:1: this is no YAML invalid',
    ]);
    expect(await check({ file, flags: { listen: '127.0.0.1:0' } })).toEqual([
      'fail settings server.yaml:1: this is no YAML invalid',
      free,
    ]);
  });

  it('says who is running there, and takes that for no failure, nor that the address is taken', async () => {
    const running = await serve(sources(), { ready: () => {}, log: () => {}, claim: () => {} });
    try {
      const listen = `127.0.0.1:${running.port}`;
      const found = await check({ flags: { listen, data } });
      expect(found.slice(1, 4)).toEqual([
        'ok data HOME/data can be read and written',
        expect.stringMatching(
          new RegExp(
            `^warn lock a server is running there now \\(process ${process.pid}, since 20.*\\): stop it`,
          ),
        ),
        'ok database the running server has it open; it was not looked into',
      ]);
      expect(found.at(-1)).toBe(`warn listen ${listen} is taken, as it is while the server is running`);
      expect(found.filter((line) => line.startsWith('fail'))).toEqual([]);
    } finally {
      running.stop('SIGTERM');
      await running.closed;
    }
  });

  it('says that a server is there although it does not answer', async () => {
    fs.mkdirSync(data, { mode: 0o700 });
    const silent = createServer(() => {}).listen(join(data, `lock-${'0'.repeat(16)}.sock`));
    onTestFinished(() => void silent.close());
    await once(silent, 'listening');
    expect(await check()).toContain(
      'warn lock a server is running there now (a process that does not answer): stop it before you start another',
    );
  });

  it('says that a killed server has left a socket, and leaves it', async () => {
    await ranOnce();
    const left = join(data, `lock-${'0'.repeat(16)}.sock`);
    const server = createServer().listen(left);
    await once(server, 'listening');
    // Kept under another name, since closing removes the one that it was given.
    fs.renameSync(left, `${left}.kept`);
    await new Promise((resolve) => server.close(resolve));
    fs.renameSync(`${left}.kept`, left);
    expect(await check()).toContain(
      'ok lock no server is running there; what 1 killed one left goes at the next start',
    );
    expect(fs.existsSync(left)).toBe(true);
  });

  it('fails for an address that another program has, that is not this machine’s, or that is unknown', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void other.close());
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const metrics = async (where: string) =>
      (await check({ flags: { listen: '127.0.0.1:0', data, 'metrics-listen': where } })).slice(-2);
    expect(await metrics('127.0.0.1:0')).toEqual([free, 'ok metrics 127.0.0.1:0 is free']);
    expect(await metrics(`127.0.0.1:${port}`)).toEqual([
      free,
      `fail metrics cannot listen on 127.0.0.1:${port}: another program listens there unavailable`,
    ]);
    const of = async (listen: string) => (await check({ flags: { listen, data } })).at(-1);
    expect([await of(`127.0.0.1:${port}`), await of('192.0.2.1:0'), await of('nowhere.invalid:1')]).toEqual([
      `fail listen cannot listen on 127.0.0.1:${port}: another program listens there unavailable`,
      'fail listen cannot listen on 192.0.2.1:0: this machine has no such address unavailable',
      'fail listen cannot listen on nowhere.invalid:1: the host is unknown unavailable',
    ]);
  });

  it('fails for a data directory that is a file, or is below one', async () => {
    fs.writeFileSync(data, '');
    const of = async (path: string) => (await check({ flags: { listen: '127.0.0.1:0', data: path } }))[1];
    expect([await of(data), await of(join(data, 'x'))]).toEqual([
      'fail data HOME/data is no directory: give another with --data unavailable',
      'fail data HOME/data/x cannot be made: HOME/data is no directory unavailable',
    ]);
  });

  it('warns of a directory and a key that others can read', async () => {
    await ranOnce();
    fs.chmodSync(data, 0o755);
    fs.chmodSync(join(data, 'serverkeys', 'server.key'), 0o644);
    const found = await check();
    expect(found).toContain('warn data others can look into HOME/data: the next start closes it to them');
    expect(found).toContain(
      'warn certificate others can read HOME/data/serverkeys/server.key: the next start closes it to them',
    );
  });

  it('warns of keys that are missing beside a database: those that were there before belong to it', async () => {
    await ranOnce();
    fs.rmSync(join(data, 'serverkeys'), { recursive: true });
    fs.rmSync(join(data, 'ttpkeys'), { recursive: true });
    expect((await check()).filter((line) => line.startsWith('warn'))).toEqual([
      expect.stringMatching(
        /^warn authority ttpkeys is missing beside the database: .* certificate is refused/,
      ),
      expect.stringMatching(/^warn certificate serverkeys is missing beside the database: .* another key/),
    ]);
  });

  it('fails for a damaged database, key and certificate, each by its name', async () => {
    await ranOnce();
    fs.writeFileSync(join(data, 'chat.db'), 'x'.repeat(8192));
    fs.writeFileSync(join(data, 'serverkeys', 'server.key'), 'x');
    fs.rmSync(join(data, 'ttpkeys', 'ca.key'));
    expect((await check()).slice(3, 6)).toEqual([
      expect.stringMatching(
        /^fail database HOME\/data\/chat\.db is damaged \(.*\): restore a backup.* unavailable$/,
      ),
      expect.stringMatching(
        /^fail authority HOME\/data\/ttpkeys\/ca\.key is missing while its certificate is there.* unavailable$/,
      ),
      'fail certificate HOME/data/serverkeys/server.key is damaged: it is no private key; restore it from a backup unavailable',
    ]);
  });

  it('says when a certificate is renewed, expired or missing', async () => {
    await ranOnce();
    const day = 86_400_000;
    const certificate = async (now: number) =>
      (await check({}, now)).find((line) => line.includes('server.crt'));
    expect([await certificate(Date.now() + 300 * day), await certificate(Date.now() + 500 * day)]).toEqual([
      expect.stringMatching(
        /server\.crt expires in 9[67] days .*; the next start renews it over the same key; SHA256:/,
      ),
      expect.stringMatching(
        /server\.crt has expired .*; the next start renews it over the same key; SHA256:/,
      ),
    ]);
    fs.rmSync(join(data, 'serverkeys', 'server.crt'));
    expect(await certificate(Date.now())).toBe(
      'ok certificate HOME/data/serverkeys/server.crt is made at the next start',
    );
  });

  it('of a node looks at no database in the data directory, whatever is missing for the other', async () => {
    await ranOnce();
    fs.writeFileSync(join(data, 'chat.db'), 'x'.repeat(8192));
    const [port] = await freePorts(1);
    const secret = join(home, 'secret');
    const flags = { listen: '127.0.0.1:0', data, store: `postgres://chat@127.0.0.1:${port}/chat` };
    const found = async (change: Partial<ConfigSources>) =>
      (await check(change)).filter((line) => !/^ok (data|lock|authority|certificate|listen) /.test(line));
    expect(await found({ flags })).toEqual([expect.stringMatching(/^fail settings --store needs/)]);
    expect(await found({ flags: { ...flags, 'cluster-secret': secret, store: 'mysql://x' } })).toEqual([
      expect.stringMatching(/^fail settings --store .* invalid$/),
    ]);
    const unreached = `fail database the database at 127.0.0.1:${port} cannot be used: connect ECONNREFUSED 127.0.0.1:${port} unavailable`;
    expect(await found({ flags: { ...flags, 'cluster-secret': secret } })).toEqual([
      fits,
      expect.stringMatching(/^fail cluster secret --cluster-secret: HOME\/secret is not there: .* invalid$/),
      unreached,
    ]);
    fs.writeFileSync(secret, '0123456789abcdefghijklmnopqrstuvwxyz', { mode: 0o600 });
    const bus = `redis://127.0.0.1:${port}`;
    expect(await found({ flags: { ...flags, 'cluster-secret': secret, bus } })).toEqual([
      fits,
      'ok cluster secret HOME/secret fits',
      unreached,
      expect.stringMatching(/^warn bus Redis at 127\.0\.0\.1:\d+ cannot be used: connect ECONNREFUSED/),
    ]);
  });
});
