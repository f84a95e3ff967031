import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ClientLibrary } from '../../src/cli/client-library.ts';
import { ChatError } from '../../src/core/errors.ts';
import { fakeClient, fakeServer, openedSession, serverFingerprint, testPin } from './support/fake-client.ts';
import { chat, fakeHost, type Outside, runOn, temporaryDirectory } from './support/fake-host.ts';
import { loggedIn } from './support/logged-in.ts';

const pinned = `trusting chat://127.0.0.1:8080 from now on: ${serverFingerprint}\n`;
type LoginOptions = Parameters<ClientLibrary['login']>[1];
type RegisterOptions = Parameters<ClientLibrary['register']>[1];

/** A client that writes down what it was asked. */
function recording(overrides: Partial<ClientLibrary> = {}) {
  const server = fakeServer();
  const client = { ...fakeClient(server), ...overrides };
  const logins: Omit<LoginOptions, 'onProgress'>[] = [];
  const registrations: Omit<RegisterOptions, 'onProgress' | 'onWarning' | 'acceptTerms'>[] = [];
  const recorded: ClientLibrary = {
    ...client,
    async login(connection, { onProgress, ...options }) {
      logins.push(options);
      onProgress?.(0.5);
      return await client.login(connection, options);
    },
    async register(connection, { onProgress, onWarning, acceptTerms: _, ...options }) {
      registrations.push(options);
      if (options.password === 'trustno1') onWarning?.('it is a common one');
      onProgress?.(0.25);
      return await client.register(connection, options);
    },
  };
  return { server, client: recorded, logins, registrations };
}

const password = { CHAT_PASSWORD: 'secret' };

describe('chat login', () => {
  it('logs in, keeps the session and says so on stderr', async () => {
    const { client, logins, server } = recording();
    const outcome = await chat(['login', 'Alice'], { client, env: password });
    expect(outcome).toEqual({ code: 0, stdout: '', stderr: `${pinned}logged in as alice\n` });
    expect(logins).toEqual([
      { username: 'alice', password: 'secret', device: { default_label: 'test-machine' } },
    ]);
    expect([server.opened, server.closed]).toEqual([1, 1]);
  });

  it('prints the session without its tokens with -o json', async () => {
    const { stdout } = await chat(['login', 'alice', '-o', 'json'], { env: password });
    const { session_token: _token, refresh_token: _refresh, ...shown } = openedSession('alice');
    expect(JSON.parse(stdout)).toEqual(shown);
  });

  it('takes a label and a one-time code', async () => {
    const { client, logins } = recording();
    await chat(['login', 'alice', '--device', 'laptop', '--otp', '123456'], { client, env: password });
    expect(logins).toEqual([
      { username: 'alice', password: 'secret', device: { label: 'laptop' }, otp: '123456' },
    ]);
  });

  it('keeps the device of the same account, and gives another one its own', async () => {
    const { client, logins, server } = recording();
    server.answers['session.end'] = {};
    const host = await fakeHost({ client, env: password });
    await runOn(host, 'login', 'alice');
    await runOn(host, 'login', 'alice');
    await runOn(host, 'login', 'bob');
    expect(logins.map(({ device }) => device)).toEqual([
      { default_label: 'test-machine' },
      { id: 'device-of-alice', default_label: 'test-machine' },
      { default_label: 'test-machine' },
    ]);
  });

  it('ends the session of another account that it replaces, and goes on when that fails', async () => {
    const { client, server } = recording();
    server.answers['session.end'] = {};
    const host = await fakeHost({ client, env: password });
    await runOn(host, 'login', 'alice');
    await runOn(host, 'login', 'bob');
    expect(server.calls).toEqual([{ name: 'session.end', params: {} }]);
    server.answers['session.end'] = new ChatError('unavailable', 'gone');
    expect(await runOn(host, 'login', 'alice', '--verbose')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'the session of bob was not ended: gone\nlogged in as alice\n',
    });
  });

  it('with a wrong password, or for an unknown user, is exit 4 with one text', async () => {
    const outcome = await chat(['login', 'alice', '-q'], { env: { CHAT_PASSWORD: 'wrong!' } });
    expect(outcome).toEqual({ code: 4, stdout: '', stderr: 'chat: unknown user or wrong secret\n' });
  });

  it.each([
    ['--password-stdin', 'secret\n', ['--password-stdin']],
    ['--password-stdin with a space at the end and no newline', 'secret ', ['--password-stdin']],
    ['--password-stdin with a carriage return too', 'secret\r\n', ['--password-stdin']],
  ])('takes the password from %s, less one newline', async (_title, stdin, flags) => {
    const { client, logins } = recording({
      login: async () => ({ session: openedSession('alice'), pin: testPin }),
    });
    expect(await chat(['login', 'alice', ...flags], { client, stdin })).toMatchObject({ code: 0 });
    expect(logins[0]?.password).toBe(stdin.replace(/\r?\n$/, ''));
  });

  it('takes the password from a file, and a flag before CHAT_PASSWORD', async () => {
    const file = join(await temporaryDirectory(), 'pw');
    await writeFile(file, 'secret\n');
    const { client, logins } = recording();
    await chat(['login', 'alice', '--password-file', file], { client, env: { CHAT_PASSWORD: 'other' } });
    expect(logins[0]?.password).toBe('secret');
  });

  it('asks a person for name and password, and shows how far the stretching is', async () => {
    const { client, logins } = recording();
    const host = await fakeHost({ client, terminal: true, typed: [' alice ', 'secret'] });
    const { code, stderr } = await runOn(host, 'login');
    expect({ code, asked: host.asked }).toEqual({ code: 0, asked: ['Username', 'Password'] });
    expect(logins[0]).toMatchObject({ username: 'alice', password: 'secret' });
    expect(stderr).toContain('\r\u001b[Kstretching the password 50 %\r\u001b[K');
  });

  it('asks a person for the second factor, and a script for --otp with exit 11', async () => {
    const codes: (string | undefined)[] = [];
    const needsFactor: ClientLibrary['login'] = async (_connection, { otp, askOtp }) => {
      codes.push(otp ?? (await askOtp?.()));
      if (codes.at(-1) === undefined)
        throw new ChatError('second-factor-required', 'a second factor is required');
      return { session: openedSession('alice'), pin: testPin };
    };
    const { client } = recording({ login: needsFactor });
    const host = await fakeHost({ client, terminal: true, typed: [' 123456 '], env: password });
    expect((await runOn(host, 'login', 'alice')).code).toBe(0);
    expect({ codes, asked: host.asked }).toEqual({ codes: ['123456'], asked: ['One-time code'] });
    expect(await chat(['login', 'alice', '-q'], { client, env: password })).toEqual({
      code: 11,
      stdout: '',
      stderr: 'chat: a second factor is required\n',
    });
  });

  it.each<[string, string[], Outside, string]>([
    ['no name in a script', ['login'], { env: password }, 'NAME is missing'],
    [
      'no password in a script',
      ['login', 'alice'],
      {},
      'a password is needed: use --password-stdin, --password-file or CHAT_PASSWORD',
    ],
    [
      'a password as argument',
      ['login', 'alice', '--password', 'secret'],
      {},
      '--password: an argument shows the secret to every user of this machine; use --password-stdin, --password-file or CHAT_PASSWORD',
    ],
    [
      'two passwords',
      ['login', 'alice', '--password-stdin', '--password-file', 'x'],
      {},
      '--password-stdin and --password-file cannot be given together: there is one password',
    ],
    ['an empty password', ['login', 'alice', '--password-stdin'], { stdin: '\n' }, 'the password is empty'],
    ['an empty CHAT_PASSWORD', ['login', 'alice'], { env: { CHAT_PASSWORD: '' } }, 'the password is empty'],
    [
      'a password that is not UTF-8',
      ['login', 'alice', '--password-stdin'],
      { stdin: Uint8Array.of(0xff) },
      '--password-stdin is not UTF-8 text',
    ],
    [
      'a password file that is not there',
      ['login', 'alice', '--password-file', '/none'],
      {},
      '--password-file: cannot read /none (ENOENT)',
    ],
    [
      'a bad name',
      ['login', 'a b'],
      { env: password },
      "NAME: a name has 1 to 32 characters of a-z, 0-9, '.', '_' and '-', and begins with a letter or digit",
    ],
    [
      'two names',
      ['login', 'a', 'b'],
      { env: password },
      'chat login: unexpected "b" (see chat login --help)',
    ],
  ])('with %s is exit 2, and nothing is connected', async (_title, argv, outside, text) => {
    const server = fakeServer();
    const outcome = await chat(argv, { ...outside, client: fakeClient(server) });
    expect({ ...outcome, opened: server.opened }).toEqual({
      code: 2,
      stdout: '',
      stderr: `chat: ${text}\n`,
      opened: 0,
    });
  });
});

describe('chat register', () => {
  it('creates the account and logs in', async () => {
    const { client, registrations, logins } = recording();
    const host = await fakeHost({ client, env: password });
    const outcome = await runOn(host, 'register', 'alice', '--email', 'a@example.org', '--device', 'laptop');
    expect(outcome).toEqual({ code: 0, stdout: '', stderr: `${pinned}registered and logged in as alice\n` });
    expect(registrations).toEqual([{ username: 'alice', password: 'secret', email: 'a@example.org' }]);
    expect(logins).toEqual([{ username: 'alice', password: 'secret', device: { label: 'laptop' } }]);
    expect((await runOn(host, 'token')).stdout).toBe('cs1_first\n');
  });

  it('asks a person for the password twice, and does nothing when they differ', async () => {
    const { client, registrations, server } = recording();
    const same = await fakeHost({ client, terminal: true, typed: ['alice', 'secret', 'secret'] });
    expect((await runOn(same, 'register')).code).toBe(0);
    expect(same.asked).toEqual(['Username', 'Password', 'Password again']);
    const opened = server.opened;
    const different = await fakeHost({ client, terminal: true, typed: ['secret', 'Secret'] });
    const outcome = await runOn(different, 'register', 'alice', '--no-color');
    expect(outcome).toMatchObject({ code: 2, stderr: 'chat: the two passwords differ; nothing was done\n' });
    expect([registrations.length, server.opened]).toEqual([1, opened]);
  });

  it('passes on a warning about the password, and goes on', async () => {
    const { client } = recording({ login: async () => ({ session: openedSession('alice'), pin: testPin }) });
    const env = { CHAT_PASSWORD: 'trustno1' };
    expect(await chat(['register', 'alice'], { client, env })).toEqual({
      code: 0,
      stdout: '',
      stderr: `${pinned}warning: it is a common one\nregistered and logged in as alice\n`,
    });
    expect((await chat(['register', 'alice', '-q'], { client, env })).stderr).toBe('');
  });

  it('does not ask again for a password that no account can have', async () => {
    const { client } = recording();
    const host = await fakeHost({ client, terminal: true, typed: ['12345'] });
    const outcome = await runOn(host, 'register', 'alice', '--no-color');
    expect(outcome).toMatchObject({ code: 2, stderr: 'chat: password: it has at least 6 characters\n' });
    expect(host.asked).toEqual(['Password']);
  });

  const taken: Partial<ClientLibrary> = {
    register: async () => {
      throw new ChatError('conflict', 'the name alice is taken');
    },
  };

  it('of a name that is taken is exit 7, and nobody is logged in', async () => {
    const { client, logins } = recording(taken);
    expect(await chat(['register', 'alice', '-q'], { client, env: password })).toEqual({
      code: 7,
      stdout: '',
      stderr: 'chat: the name alice is taken\n',
    });
    expect(logins).toEqual([]);
  });

  it('with --ignore-exists logs in when the name is taken, with the right password only', async () => {
    const { client } = recording(taken);
    const run = (env: Record<string, string>) =>
      chat(['register', 'alice', '--ignore-exists', '-o', 'json', '-q'], { client, env });
    const { code, stdout } = await run(password);
    expect({ code, ...JSON.parse(stdout) }).toMatchObject({ code: 0, username: 'alice', created: false });
    expect(await run({ CHAT_PASSWORD: 'wrong!' })).toMatchObject({ code: 4, stdout: '' });
  });

  it.each([
    ['of five characters', '12345', 'it has at least 6 characters'],
    ['of two lines', 'one\ntwo\n', 'control characters are not allowed'],
    ['of 1,025 bytes', 'x'.repeat(1_025), 'it has at most 1024 bytes'],
  ])(
    'and login refuse a password %s with exit 2 before anything is connected',
    async (_title, stdin, rule) => {
      for (const name of ['register', 'login']) {
        const { client, server } = recording();
        const outcome = await chat([name, 'alice', '--password-stdin'], { client, stdin });
        expect({ ...outcome, opened: server.opened }).toEqual({
          code: 2,
          stdout: '',
          stderr: `chat: password: ${rule}\n`,
          opened: 0,
        });
      }
    },
  );
});

describe('chat logout', () => {
  it('ends the session on the server, then forgets it', async () => {
    const world = await loggedIn({ 'session.end': {} });
    expect(await world.run('logout')).toEqual({ code: 0, stdout: '', stderr: 'alice is logged out\n' });
    expect(world.server.calls).toEqual([{ name: 'session.end', params: {} }]);
    expect(await world.run('whoami')).toMatchObject({ code: 4 });
  });

  it('with --everywhere ends all sessions', async () => {
    const world = await loggedIn({ 'session.revoke': { revoked: ['a', 'b'] } });
    expect(await world.run('logout', '--everywhere', '-o', 'json')).toMatchObject({
      code: 0,
      stdout: '{"logged_out":true,"username":"alice"}\n',
    });
    expect(world.server.calls).toEqual([{ name: 'session.revoke', params: { all: true } }]);
    expect(await world.run('whoami')).toMatchObject({ code: 4 });
  });

  it('without a login is no error, and forgets one that has ended', async () => {
    expect(await chat(['logout'])).toEqual({ code: 0, stdout: '', stderr: 'not logged in\n' });
    const world = await loggedIn({ 'session.refresh': new ChatError('unauthenticated', 'no') });
    world.server.alive.clear();
    expect(await world.run('logout')).toMatchObject({ code: 0, stderr: 'not logged in\n' });
    expect(await world.run('whoami')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('not logged in to'),
    });
  });

  it('keeps the login when the server cannot be reached, exit 3', async () => {
    const world = await loggedIn({ 'session.end': new ChatError('unavailable', 'gone') });
    expect(await world.run('logout')).toMatchObject({ code: 3 });
    expect(await world.run('token')).toMatchObject({ code: 0, stdout: 'cs1_first\n' });
  });

  it('by CHAT_TOKEN leaves the login of another session alone', async () => {
    const world = await loggedIn({ 'session.end': {} });
    world.server.alive.set('cs1_other', 'alice');
    const { stateHome } = world.host;
    const host = await fakeHost({
      stateHome,
      env: { CHAT_TOKEN: 'cs1_other' },
      client: fakeClient(world.server),
    });
    expect(await runOn(host, 'logout')).toMatchObject({ code: 0 });
    const dead = await fakeHost({
      stateHome,
      env: { CHAT_TOKEN: 'cs1_dead' },
      client: fakeClient(world.server),
    });
    expect(await runOn(dead, 'logout')).toMatchObject({ code: 0, stderr: 'not logged in\n' });
    expect(await world.run('token')).toMatchObject({ code: 0, stdout: 'cs1_first\n' });
  });
});

describe('secrets', () => {
  it('stand in no output and in no file but the login', async () => {
    const stateHome = await temporaryDirectory();
    const host = await fakeHost({ stateHome, env: password });
    const { stdout, stderr } = await runOn(host, 'register', 'alice', '--verbose', '-o', 'json');
    for (const secret of ['secret', 'cs1_first', 'cr1_first']) expect(stdout + stderr).not.toContain(secret);
    const known = await readFile(join(stateHome, 'chat', 'known_servers.json'), 'utf8');
    expect(known).not.toMatch(/cs1_|cr1_/);
    const kept = await readFile(
      join(stateHome, 'chat', 'logins', 'default.chat_127.0.0.1_8080.json'),
      'utf8',
    );
    expect(kept).not.toContain('"secret"');
  });
});
