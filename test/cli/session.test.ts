import { execFile } from 'node:child_process';
import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ChatError } from '../../src/core/errors.ts';
import { fakeClient, fakeServer, openedSession } from './support/fake-client.ts';
import { chat, fakeHost, runOn, testNow } from './support/fake-host.ts';
import { type LoggedInWorld, loggedIn } from './support/logged-in.ts';

const loginFile = (stateHome: string) =>
  join(stateHome, 'chat', 'logins', 'default.chat_127.0.0.1_8080.json');
const saved = async (world: LoggedInWorld): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(loginFile(world.host.stateHome), 'utf8'));
const change = async (world: LoggedInWorld, fields: object) =>
  writeFile(loginFile(world.host.stateHome), JSON.stringify({ ...(await saved(world)), ...fields }));
const names = (world: LoggedInWorld) => world.server.calls.map(({ name }) => name);
const at = (ms: number) => new Date(testNow + ms).toISOString();

const second = () => ({ ...openedSession('alice', 'second') });
const me = { 'account.me': { username: 'alice' } };

describe('a saved login', () => {
  it('is one private file per server and context, with no lock left', async () => {
    const world = await loggedIn(me);
    expect(await saved(world)).toEqual({
      ...openedSession('alice'),
      obtained_at: '2026-11-21T06:00:00.000Z',
    });
    expect(await readdir(join(world.host.stateHome, 'chat', 'logins'))).toEqual([
      'default.chat_127.0.0.1_8080.json',
    ]);
    expect(await world.run('whoami')).toMatchObject({ code: 0, stdout: 'alice\n' });
    for (const flags of [
      ['--context', 'work'],
      ['--server', '127.0.0.1:9'],
      ['--server', 'plain://127.0.0.1:8080'],
    ]) {
      expect(await world.run('whoami', ...flags)).toMatchObject({ code: 4, stdout: '' });
    }
  });

  it('that is missing is exit 4 with what to do, before anything is connected', async () => {
    const server = fakeServer();
    expect(await chat(['whoami'], { client: fakeClient(server) })).toEqual({
      code: 4,
      stdout: '',
      stderr: 'chat: not logged in to chat://127.0.0.1:8080; log in with: chat login\n',
    });
    expect(server.opened).toBe(0);
  });

  it.each([
    ['not json', 'not JSON'],
    ['{}', 'not a saved login'],
    ['[]', 'not a saved login'],
    ['null', 'not a saved login'],
    ['', 'not JSON'],
  ])(
    'that is damaged is exit 2 naming the file, and is never replaced silently: %j',
    async (content, what) => {
      const world = await loggedIn(me);
      const path = loginFile(world.host.stateHome);
      await writeFile(path, content);
      const stderr = `chat: ${path}: is damaged (${what}); move it away and log in again\n`;
      expect(await world.run('whoami')).toEqual({ code: 2, stdout: '', stderr });
      const host = await fakeHost({ stateHome: world.host.stateHome, env: { CHAT_PASSWORD: 'secret' } });
      expect(await runOn(host, 'login', 'alice')).toEqual({ code: 2, stdout: '', stderr });
      expect(await readFile(path, 'utf8')).toBe(content);
    },
  );

  it('with a time that is none is damaged too', async () => {
    const world = await loggedIn(me);
    await change(world, { expires_at: 'tomorrow' });
    expect(await world.run('whoami')).toMatchObject({ code: 2 });
  });

  it('that others can read is refused', async () => {
    const world = await loggedIn(me);
    await chmod(loginFile(world.host.stateHome), 0o644);
    expect(await world.run('whoami')).toMatchObject({ code: 2, stdout: '' });
  });
});

describe('a state directory that cannot be written', () => {
  it('is found out before the server is asked for a session', async () => {
    const server = fakeServer();
    const host = await fakeHost({ client: fakeClient(server), env: { CHAT_PASSWORD: 'secret' } });
    await writeFile(join(host.stateHome, 'chat'), 'a file');
    for (const name of ['login', 'register']) {
      const { code, stderr } = await runOn(host, name, 'alice');
      expect({ code, stderr }).toEqual({
        code: 2,
        stderr: `chat: ${join(host.stateHome, 'chat', 'logins')}: cannot make the directory (ENOTDIR)\n`,
      });
    }
    expect(server.opened).toBe(0);
  });
});

describe('CHAT_TOKEN', () => {
  it('wins over the saved login and touches no file', async () => {
    const world = await loggedIn({ 'account.me': { username: 'bob' } });
    world.server.alive.set('cs1_bob', 'bob');
    const host = await fakeHost({
      stateHome: world.host.stateHome,
      env: { CHAT_TOKEN: 'cs1_bob' },
      client: fakeClient(world.server),
    });
    expect(await runOn(host, 'token')).toEqual({ code: 0, stdout: 'cs1_bob\n', stderr: '' });
  });

  it.each([['cs1_dead'], ['cr1_first'], ['']])(
    'that is %j, and not alive, is exit 4 without a second try',
    async (token) => {
      const world = await loggedIn(me);
      const host = await fakeHost({
        stateHome: world.host.stateHome,
        env: { CHAT_TOKEN: token },
        client: fakeClient(world.server),
      });
      expect(await runOn(host, 'whoami')).toEqual({
        code: 4,
        stdout: '',
        stderr: 'chat: CHAT_TOKEN is not a session token that is alive on this server\n',
      });
      expect(names(world)).toEqual([]);
    },
  );
});

describe('a session near its end', () => {
  const refreshing = () =>
    loggedIn({
      ...me,
      'session.refresh': ({ refresh_token }) => {
        if (refresh_token !== 'cr1_first')
          throw new ChatError('unauthenticated', 'the session is unknown, expired or revoked');
        return second();
      },
    });

  it.each([
    [
      'one millisecond before a tenth is left, it is used as it is',
      10 * 3_600_000,
      3_600_000,
      ['account.me'],
    ],
    [
      'with a millisecond less than a tenth left, it is refreshed first',
      10 * 3_600_000,
      3_600_000 - 1,
      ['session.refresh', 'account.me'],
    ],
    ['with a minute left of a short life, it is used as it is', 120_000, 60_000, ['account.me']],
    [
      'with less than a minute left, it is refreshed first',
      120_000,
      59_999,
      ['session.refresh', 'account.me'],
    ],
    ['with half of a life of a minute left, it is used as it is', 60_000, 30_000, ['account.me']],
    [
      'with less than half of a life of a minute left, it is refreshed first',
      60_000,
      29_999,
      ['session.refresh', 'account.me'],
    ],
    ['just begun, it is used as it is, however short its life', 1_000, 1_000, ['account.me']],
    ['when it is over, it is refreshed first', 120_000, -1, ['session.refresh', 'account.me']],
  ])('%s', async (_title, lifeMs, leftMs, expected) => {
    const world = await refreshing();
    world.server.alive.set('cs1_second', 'alice');
    await change(world, { obtained_at: at(leftMs - lifeMs), expires_at: at(leftMs) });
    expect(await world.run('whoami')).toMatchObject({ code: 0, stdout: 'alice\n' });
    expect(names(world)).toEqual(expected);
  });

  it('is kept when it was refreshed', async () => {
    const world = await refreshing();
    world.server.alive.set('cs1_second', 'alice');
    await change(world, { obtained_at: at(-3_600_000), expires_at: at(1) });
    await world.run('whoami');
    expect(await saved(world)).toEqual({ ...second(), obtained_at: '2026-11-21T06:00:00.000Z' });
    expect(await readdir(join(world.host.stateHome, 'chat', 'logins'))).toEqual([
      'default.chat_127.0.0.1_8080.json',
    ]);
  });

  it('whose refresh token is dead is still used while it lives', async () => {
    const world = await loggedIn({ ...me, 'session.refresh': new ChatError('unauthenticated', 'no') });
    await change(world, { obtained_at: at(-3_600_000), expires_at: at(1) });
    expect(await world.run('whoami')).toMatchObject({ code: 0 });
  });
});

describe('a session that the server does not take any more', () => {
  it('is refreshed', async () => {
    const world = await loggedIn({ ...me, 'session.refresh': second() });
    world.server.alive.delete('cs1_first');
    world.server.alive.set('cs1_second', 'alice');
    expect(await world.run('whoami')).toMatchObject({ code: 0, stdout: 'alice\n' });
    expect(names(world)).toEqual(['session.refresh', 'account.me']);
  });

  it('gives way to the login that another process has made meanwhile', async () => {
    const world = await loggedIn(me);
    world.server.alive.set('cs1_third', 'alice');
    const client = fakeClient(world.server);
    const host = await fakeHost({
      stateHome: world.host.stateHome,
      client: {
        ...client,
        resume: async (connection, token) => {
          if (token === 'cs1_first') {
            await change(world, { session_token: 'cs1_third' });
            throw new ChatError('unauthenticated', 'replaced');
          }
          return await client.resume(connection, token);
        },
      },
    });
    expect(await runOn(host, 'token')).toMatchObject({ code: 0, stdout: 'cs1_third\n' });
    expect(names(world)).toEqual([]);
  });

  it('and cannot be refreshed is exit 4 with what to do, and the connection is closed', async () => {
    const world = await loggedIn({ ...me, 'session.refresh': new ChatError('unauthenticated', 'no') });
    world.server.alive.clear();
    expect(await world.run('whoami')).toEqual({
      code: 4,
      stdout: '',
      stderr: 'chat: the session has ended on chat://127.0.0.1:8080; log in with: chat login\n',
    });
    expect([world.server.opened, world.server.closed]).toEqual([1, 1]);
  });

  it('and whose login another process has removed is exit 4', async () => {
    const world = await loggedIn(me);
    const host = await fakeHost({
      stateHome: world.host.stateHome,
      client: {
        ...fakeClient(world.server),
        resume: async () => {
          await rm(loginFile(world.host.stateHome));
          throw new ChatError('unauthenticated', 'ended');
        },
      },
    });
    expect(await runOn(host, 'whoami')).toMatchObject({ code: 4 });
    expect(names(world)).toEqual([]);
  });
});

describe('a server that fails', () => {
  it('is exit 3 when it does not answer a call in time: exit 10 is for tail', async () => {
    const world = await loggedIn({
      'account.me': new ChatError('timeout', 'account.me: no answer within 10000 ms'),
    });
    expect(await world.run('whoami')).toMatchObject({
      code: 3,
      stderr: 'chat: account.me: no answer within 10000 ms\n',
    });
  });

  it('is exit 3 when it is not there', async () => {
    const connect = async () => {
      throw new ChatError('unavailable', 'chat://127.0.0.1:8080: connection refused');
    };
    const world = await loggedIn({}, { client: { connect } });
    expect(await world.run('whoami')).toMatchObject({
      code: 3,
      stderr: 'chat: chat://127.0.0.1:8080: connection refused\n',
    });
  });
});

describe('processes that share one login', () => {
  /** Answers a refresh only once all `processes` have begun, so that each of them finds the login near its end. */
  async function slowRefresh(processes: number) {
    let begun = 0;
    let refreshes = 0;
    const waiting = new Set<Socket>();
    const next = { ...openedSession('alice', 'second'), expires_at: '2999-01-01T00:00:00.000Z' };
    const server = createServer((socket) => {
      socket.once('data', (word) => {
        if (word.toString() === 'begin') begun += 1;
        else {
          refreshes += 1;
          waiting.add(socket);
        }
        if (begun < processes) return;
        for (const one of waiting) one.end(JSON.stringify(next));
        waiting.clear();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? String(address.port) : '';
    return { port, count: () => refreshes };
  }

  it('refresh it once between them, and all go on', async () => {
    const world = await loggedIn(me);
    await change(world, { obtained_at: at(-3_600_000), expires_at: at(1) });
    const refresh = await slowRefresh(6);
    const worker = join(import.meta.dirname, 'support', 'refresh-worker.ts');
    const run = promisify(execFile);
    const outputs = await Promise.all(
      Array.from({ length: 6 }, () => run(process.execPath, [worker, world.host.stateHome, refresh.port])),
    );
    expect(outputs.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 6 }, () => 'cs1_second\n'));
    expect(refresh.count()).toBe(1);
  });
});
