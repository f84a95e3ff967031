import { describe, expect, it } from 'vitest';
import { ChatError } from '../../src/core/errors.ts';
import { loggedIn } from './support/logged-in.ts';

const me = {
  user_id: 'u',
  username: 'alice',
  email: 'a@example.org',
  email_verified: false,
  second_factor: { on: false, recovery_codes_left: 0 },
};
const address = (email: string, other: object = {}) => ({
  email,
  email_verified: false,
  mail_sent: true,
  ...other,
});
const onItsWay = 'a code is on its way; confirm it with: chat account email --verify CODE\n';

describe('chat account email', () => {
  it.each([
    [me, 'a@example.org\n', 'it is not confirmed; where the server sends mail: chat account email --send\n'],
    [{ ...me, email_verified: true }, 'a@example.org\n', ''],
    [{ ...me, email: null }, '', 'this account has no e-mail address\n'],
  ])('prints the address: %j', async (account, stdout, stderr) => {
    const { run } = await loggedIn({ 'account.me': account });
    expect(await run('account', 'email')).toEqual({ code: 0, stdout, stderr });
    const { email, email_verified } = account;
    expect(JSON.parse((await run('account', 'email', '-o', 'json')).stdout)).toEqual({
      email,
      email_verified,
    });
  });

  it('sets another one, with a fresh proof of the password', async () => {
    const world = await loggedIn(
      { 'account.me': me, 'account.set-email': ({ email }) => address(String(email)) },
      { env: { CHAT_PASSWORD: 'secret' } },
    );
    expect(await world.run('account', 'email', 'b@example.org')).toEqual({
      code: 0,
      stdout: '',
      stderr: `the e-mail address is b@example.org; ${onItsWay}`,
    });
    expect(world.server.calls.slice(1)).toEqual([
      {
        name: 'account.set-email',
        params: {
          email: 'b@example.org',
          proof: { exchange: 'exchange of alice', message: 'proof of secret' },
        },
      },
    ]);
    const { stdout } = await world.run('account', 'email', 'b@example.org', '-q', '-o', 'json');
    expect(JSON.parse(stdout)).toEqual(address('b@example.org'));
  });

  it('gives the second factor’s code where there is one', async () => {
    const world = await loggedIn(
      {
        'account.me': { ...me, second_factor: { on: true, recovery_codes_left: 10 } },
        'account.set-email': ({ email }) => address(String(email)),
      },
      { env: { CHAT_PASSWORD: 'secret' } },
    );
    expect((await world.run('account', 'email', 'b@example.org', '--otp', '123456')).code).toBe(0);
    expect(world.server.calls.at(-1)?.params).toMatchObject({ proof: { otp: '123456' } });
    const calls = world.server.calls.length;
    expect((await world.run('account', 'email', 'b@example.org')).code).toBe(11);
    expect(world.server.calls.slice(calls).map(({ name }) => name)).toEqual(['account.me']);
  });

  it.each([
    [{ mail_sent: false }, 'it is not confirmed, and no code was sent\n'],
    [{ mail_sent: false, email_verified: true }, 'it is confirmed\n'],
  ])('says what became of it: %j', async (state, text) => {
    const world = await loggedIn(
      { 'account.me': me, 'account.set-email': address('b@example.org', state) },
      { env: { CHAT_PASSWORD: 'secret' } },
    );
    const { stderr } = await world.run('account', 'email', 'b@example.org');
    expect(stderr).toBe(`the e-mail address is b@example.org; ${text}`);
  });

  it('confirms it by the code, as it was typed', async () => {
    const world = await loggedIn({ 'account.verify-email': { email: 'a@example.org' } });
    expect(await world.run('account', 'email', '--verify', 'k7qm 2f0v')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'a@example.org is confirmed\n',
    });
    expect(world.server.calls).toEqual([{ name: 'account.verify-email', params: { code: 'k7qm 2f0v' } }]);
  });

  it('has the code sent again', async () => {
    const operation = 'account.request-email-verification';
    const open = await loggedIn({ [operation]: { email: 'a@example.org', email_verified: false } });
    expect((await open.run('account', 'email', '--send')).stderr).toBe(`a@example.org: ${onItsWay}`);
    const done = await loggedIn({ [operation]: { email: 'a@example.org', email_verified: true } });
    expect((await done.run('account', 'email', '--send')).stderr).toBe(
      'a@example.org is confirmed already\n',
    );
    const none = await loggedIn({ [operation]: new ChatError('unsupported', 'this server sends no mail') });
    expect((await none.run('account', 'email', '--send')).code).toBe(2);
  });

  it.each([
    [['b@example.org', '--send']],
    [['--send', '--verify', 'x']],
    [['b@example.org', '--verify', 'x']],
  ])('does one thing at a time: %j', async (argv) => {
    const world = await loggedIn();
    const outcome = await world.run('account', 'email', ...argv);
    expect([outcome.code, world.server.calls]).toEqual([2, []]);
    expect(outcome.stderr).toContain('ADDRESS, --verify and --send are three things: give one');
  });

  it('asks for the password only for another address, and not in a script', async () => {
    const world = await loggedIn();
    const outcome = await world.run('account', 'email', 'b@example.org');
    expect([outcome.code, world.server.calls]).toEqual([2, []]);
    expect(outcome.stderr).toContain('a password is needed');
  });
});

describe('chat admin reset', () => {
  const issued = { username: 'bob', code: 'K7QM-2F0V', expires_at: '2026-11-21T07:00:00.000Z' };

  it('prints the code on stdout, and on stderr what to do with it, for a fresh proof of the own password', async () => {
    const world = await loggedIn(
      { 'account.me': me, 'admin.reset': issued },
      { env: { CHAT_PASSWORD: 'secret' } },
    );
    expect(await world.run('admin', 'reset', '@Bob')).toEqual({
      code: 0,
      stdout: 'K7QM-2F0V\n',
      stderr: 'for bob, once, until 2026-11-21 07:00:00 (UTC): chat reset bob --code\n',
    });
    const proof = { exchange: 'exchange of alice', message: 'proof of secret' };
    expect(world.server.calls.slice(1)).toEqual([
      { name: 'admin.reset', params: { username: 'bob', proof } },
    ]);
    expect(JSON.parse((await world.run('admin', 'reset', 'bob', '-o', 'json')).stdout)).toEqual(issued);
  });

  it('needs the password', async () => {
    const world = await loggedIn();
    const outcome = await world.run('admin', 'reset', 'bob');
    expect([outcome.code, world.server.calls]).toEqual([2, []]);
    expect(outcome.stderr).toContain('a password is needed');
  });

  it('takes one name', async () => {
    const world = await loggedIn({}, { env: { CHAT_PASSWORD: 'secret' } });
    for (const argv of [[], ['a', 'b'], ['no name']]) {
      expect([(await world.run('admin', 'reset', ...argv)).code, world.server.calls]).toEqual([2, []]);
    }
  });
});
