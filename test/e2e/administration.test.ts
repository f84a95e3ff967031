import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, watch } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { turnOn } from './support/second-factor.ts';
import { type Person, type ServerProcess, World } from './support/server.ts';

let world: World;
let server: ServerProcess;
let alice: Person;
let claimCode: string;
const closers: Array<() => Promise<void>> = [];
const flags = ['--registration', 'invite', '--registrations-per-hour', '0', '--logins-per-minute', '0'];

beforeAll(async () => {
  world = new World((close) => closers.push(close));
  server = await world.serve(flags);
  await server.running.says(/chat admin claim /);
  claimCode = /chat admin claim (\S+)/.exec(server.running.err)?.[1] ?? '';
  alice = world.person('alice', server);
  await alice.succeed(['register', 'alice', '--invite', claimCode]);
});
afterAll(async () => {
  for (const close of closers) await close();
});

/** Says lines to a door in clear text, and answers the first line that comes back. */
function answerTo(lines: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect(server.port, '127.0.0.1', () => socket.write(lines));
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
    if (!text.includes('\n')) return;
    resolve(text.slice(0, text.indexOf('\n')));
    socket.destroy();
  });
  socket.on('error', reject);
  return promise;
}

const post = (path: string, body: URLSearchParams | object, headers: Record<string, string> = {}) =>
  fetch(`http://${server.address}${path}`, {
    method: 'POST',
    headers: body instanceof URLSearchParams ? headers : { 'content-type': 'application/json', ...headers },
    body: body instanceof URLSearchParams ? body : JSON.stringify(body),
  });

describe('a server with administrators', () => {
  it('6.3.2: has none until somebody brings the code that it printed, which works once', async () => {
    expect(await alice.run(['admin', 'users'])).toMatchObject({ code: 5, out: '' });
    await alice.succeed(['admin', 'claim', claimCode]);
    expect(await alice.succeed(['admin', 'users'])).toMatch(/^alice\tadministrator\t/);
    expect(await alice.run(['admin', 'claim', claimCode])).toMatchObject({
      code: 7,
      err: 'chat: there is an administrator already\n',
    });
    const eve = world.person('eve', server);
    expect(await eve.run(['register', 'eve', '--invite', claimCode])).toMatchObject({ code: 5 });
  });

  it('lets nobody register without an invite at any door, and says so in each one’s language', async () => {
    const text = 'an invite is needed to register on this server: ask an administrator';
    expect(await answerTo('REGISTER|bob|opaque secret\n')).toBe('REGISTER|FAILURE|forbidden');
    expect(await answerTo('/register bob some password\n')).toBe(`error: ${text}`);
    const form = new URLSearchParams({ username: 'bob', password: 'some password', invite: '' });
    for (const refused of [
      await post('/register', form),
      await post('/api/auth/register', { username: 'bob', password: 'some password' }),
    ]) {
      expect(refused.status).toBe(403);
      expect(await refused.json()).toMatchObject({ code: 'forbidden', detail: text });
    }
    const bob = world.person('bob', server);
    expect(await bob.run(['register', 'bob', '-q'])).toMatchObject({ code: 5, err: `chat: ${text}\n` });
  });

  it('lets as many register with an invite as it is for, at the doors that have a place for one', async () => {
    const [{ code, id } = { code: '', id: '' }] = await alice.json<{ code: string; id: string }>([
      'admin',
      'invite',
      '--uses',
      '3',
    ]);
    const bob = world.person('bob', server);
    await bob.succeed(['register', 'bob', '--invite', code]);
    const carol = { username: 'carol', password: 'some password', invite: code };
    expect((await post('/register', new URLSearchParams(carol))).status).toBe(201);
    const dave = { ...carol, username: 'dave' };
    expect((await post('/api/auth/register', dave)).status).toBe(201);
    expect((await post('/api/auth/register', { ...carol, username: 'erin' })).status).toBe(403);
    expect(await alice.succeed(['admin', 'invites'])).toBe('');
    expect(await alice.run(['admin', 'invites', 'revoke', id])).toMatchObject({ code: 6 });
    expect(await bob.succeed(['register', 'bob', '--invite', code, '--ignore-exists', '-q'])).toBe('');
  });

  it('7.4.2: ends what a disabled account has open at every door, and lets it in nowhere until it is enabled', async () => {
    const bob = world.person('bob', server);
    const tail = bob.start(['tail', '-n', '0', '--verbose']);
    await tail.says(/following/);
    await bob.succeed(['send', 'hello']);
    expect(await tail.line()).toContain('hello');
    const token = (await bob.succeed(['token'])).trim();
    const line = connect(server.port, '127.0.0.1', () => line.write(`TOKEN|${token}\n`));
    let said = '';
    const ended = new Promise((resolve) => line.on('close', resolve));
    const resumed = new Promise<void>((resolve) => {
      line.setEncoding('utf8').on('data', (chunk) => {
        said += chunk;
        if (said.includes('\n')) resolve();
      });
    });
    await resumed;
    expect(said).toBe('TOKEN|SUCCESS|bob\n');
    await alice.succeed(['admin', 'disable', 'bob']);
    await ended;
    expect(said).toContain('ERROR|unauthenticated|the session has ended: its account is disabled\n');
    expect((await tail.ended).code).toBe(4);
    expect(await bob.run(['whoami'])).toMatchObject({ code: 4 });
    const asked = await fetch(`http://${server.address}/api/account`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(asked.status).toBe(401);
    expect(await bob.run(['login', 'bob'])).toMatchObject({
      code: 5,
      err: 'chat: this account is disabled: ask an administrator\n',
    });
    await alice.succeed(['admin', 'enable', 'bob']);
    await bob.succeed(['login', 'bob']);
  });

  it('takes the second factor of who has lost it away, and tells its owner at the next login', async () => {
    const bob = world.person('bob', server);
    await turnOn(bob);
    expect(await alice.run(['admin', 'totp', 'off', 'bob'])).toMatchObject({
      code: 0,
      out: '',
      err: 'bob has no second factor any more; ended 1 session\n',
    });
    expect(await bob.run(['whoami'])).toMatchObject({ code: 4 });
    const told =
      /^an administrator took away the second factor of this account at .*: chat totp on sets up another one\n$/;
    expect(await bob.run(['login', 'bob', '--quiet'])).toMatchObject({
      code: 0,
      err: expect.stringMatching(told),
    });
    expect(await alice.run(['admin', 'totp', 'off', 'bob'])).toMatchObject({
      code: 7,
      err: 'chat: this account has no second factor\n',
    });
  });

  it('is administered over the HTTP API by who may, and by nobody else', async () => {
    const bearer = async (person: Person) => ({
      authorization: `Bearer ${(await person.succeed(['token'])).trim()}`,
    });
    const ask = (path: string, headers: Record<string, string>) =>
      fetch(`http://${server.address}${path}`, { headers });
    const [boss, bob] = [await bearer(alice), await bearer(world.person('bob', server))];
    for (const path of ['/api/admin/users', '/api/admin/invites', '/api/admin/stats', '/api/admin/audit']) {
      expect((await ask(path, {})).status).toBe(401);
      expect((await ask(path, bob)).status).toBe(403);
      expect((await ask(path, boss)).status).toBe(200);
    }
    expect((await post('/api/admin/invites', { uses: 2 }, bob)).status).toBe(403);
    expect((await post('/api/admin/backups', {}, bob)).status).toBe(403);
    expect((await post('/api/admin/invites', { uses: 2 }, boss)).status).toBe(201);
    expect(await (await ask('/api/admin/stats', boss)).json()).toMatchObject({ accounts: 4, disabled: 0 });
  });

  it('makes backups while messages are sent, and one opens as a server of its own with all that was acknowledged before', async () => {
    const lines = Array.from({ length: 500 }, (_, n) => `line ${n}\n`).join('');
    await alice.does(['send', '--lines', '-q'], lines);
    const more = alice.start(['send', '--lines', '-q'], lines);
    const [name = '', bytes, sha256] = (await alice.succeed(['admin', 'backup'])).trim().split('\t');
    expect((await more.ended).code).toBe(0);
    const file = join(server.data, 'backups', name);
    const content = readFileSync(file);
    expect([String(content.length), createHash('sha256').update(content).digest('hex')]).toEqual([
      bytes,
      sha256,
    ]);
    expect(await alice.succeed(['admin', 'check', name])).toMatch(/ is sound, /);
    expect(await alice.succeed(['admin', 'check'])).toMatch(/^the database is sound, /);
    expect(await alice.run(['admin', 'check', '../chat.db'])).toMatchObject({
      code: 6,
      err: 'chat: there is no backup of this name\n',
    });
    const data = world.path('restored');
    mkdirSync(data);
    copyFileSync(file, join(data, 'chat.db'));
    const other = await world.serve([], { data });
    const again = world.person('alice again', other);
    await again.succeed(['login', 'alice', '-q'], '', { CHAT_PASSWORD: alice.env.CHAT_PASSWORD });
    const told = await again.succeed(['tail', '#lobby', '--since', 'all', '--once']);
    for (const n of [0, 250, 499]) expect(told).toContain(`alice: line ${n}\n`);
    await other.stop();
  });

  it('lets who has its data directory help the only administrator, while it is stopped', async () => {
    const reset = (...more: string[]) =>
      alice.run(['admin', 'reset', 'alice', '--data', server.data, ...more]);
    expect(await reset()).toMatchObject({ code: 3, out: '', err: expect.stringContaining('process ') });
    await server.stop();
    expect(await reset('--otp', '123456')).toMatchObject({
      code: 2,
      err: 'chat: --data and --otp cannot be given together: nobody logs in there\n',
    });
    const off = await alice.run(['admin', 'totp', 'off', 'alice', '--data', server.data]);
    expect(off).toMatchObject({ code: 7, err: 'chat: this account has no second factor\n' });
    const { out: code, err } = await reset();
    expect(err).toMatch(/^for alice, once, until .* \(UTC\): chat reset alice --code\n$/);
    server = await world.serve(flags, { listen: server.address, data: server.data });
    alice.env.CHAT_PASSWORD = 'a new horse battery staple';
    await alice.succeed(['reset', 'alice', '--code-stdin'], code);
    await alice.succeed(['login', 'alice']);
    expect(
      await alice.succeed(['admin', 'audit', '--user', 'alice', '--operation', 'operator.reset']),
    ).toMatch(/operator\.reset\talice\t-\t-\tok/);
    expect(await alice.succeed(['admin', 'audit', '--verify'])).toMatch(/^intact: /);
  });

  it('leaves no part of a backup when it is killed during one', async () => {
    const begun = Promise.withResolvers<void>();
    const watcher = watch(join(server.data, 'backups'), (_event, name) => {
      if (name?.endsWith('.partial')) begun.resolve();
    });
    const backup = alice.start(['admin', 'backup']);
    await begun.promise;
    await server.stop('SIGKILL');
    watcher.close();
    await backup.ended;
    server = await world.serve(flags, { listen: server.address, data: server.data });
    const names = readdirSync(join(server.data, 'backups'));
    expect(names.filter((name) => !/^chat-\d{8}T\d{6}Z-[0-9a-f]{6}\.db$/.test(name))).toEqual([]);
    for (const name of names) expect(await alice.succeed(['admin', 'check', name])).toMatch(/ is sound, /);
  });
});
