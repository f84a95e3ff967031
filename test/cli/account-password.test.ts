import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ClientLibrary } from '../../src/cli/client-library.ts';
import { ChatError } from '../../src/core/errors.ts';
import { fakeClient, fakeServer, testPin } from './support/fake-client.ts';
import { fakeHost, type Outside, runOn, temporaryDirectory } from './support/fake-host.ts';

const next = 'another secret';

/** A host on which alice is logged in to an account of `privacy`, and what was asked of the library. */
async function world(outside: Outside = {}, privacy: 'private' | 'open' = 'private') {
  const server = fakeServer({
    'account.me': { username: 'alice', privacy, second_factor: { on: false, recovery_codes_left: 0 } },
    'account.change-password': {},
  });
  const library = fakeClient(server);
  const changes: object[] = [];
  const proofs: object[] = [];
  const client: ClientLibrary = {
    ...library,
    async proveAgain(connection, { onProgress: _, ...options }) {
      proofs.push(options);
      return await library.proveAgain(connection, options);
    },
    async changePassword(connection, options) {
      const { prove: _prove, sealKeys: _sealKeys, onProgress, onWarning, ...rest } = options;
      changes.push(rest);
      onProgress?.(0.5);
      if (rest.newPassword === 'trustno1') onWarning?.('it is a common one');
      return await library.changePassword(connection, options);
    },
  };
  const host = await fakeHost({ client, ...outside });
  const setUp = await fakeHost({ client, stateHome: host.stateHome, env: { CHAT_PASSWORD: 'secret' } });
  if ((await runOn(setUp, 'login', 'alice')).code !== 0) throw new Error('the login for the test failed');
  server.calls.length = 0;
  server.opened = 0;
  const password = (...flags: string[]) => runOn(host, 'account', 'password', ...flags);
  return { host, server, changes, proofs, password };
}

describe('chat account password', () => {
  it('asks a person for the old password and twice for the new one, and says how many sessions have ended', async () => {
    const { host, changes, proofs, server, password } = await world({
      terminal: true,
      typed: ['secret', next, next],
    });
    const { code, stdout, stderr } = await password('--no-color');
    expect([code, stdout]).toEqual([0, '']);
    expect(stderr).toContain('the password is changed; ended 2 other sessions\n');
    expect(host.asked).toEqual(['Password', 'New password', 'New password again']);
    expect(changes).toEqual([{ username: 'alice', newPassword: next, privacy: 'private', pin: testPin }]);
    expect(proofs).toEqual([{ username: 'alice', password: 'secret', pin: testPin }]);
    expect(server.calls.at(-1)).toEqual({
      name: 'account.change-password',
      params: {
        proof: { exchange: 'exchange of alice', message: 'proof of secret' },
        hashed_password: `v1.hash of ${next}`,
        privacy: 'private',
      },
    });
  });

  it('takes both in a script, from a file, stdin or the environment', async () => {
    const directory = await temporaryDirectory();
    const file = join(directory, 'new');
    await writeFile(file, `${next}\n`);
    const one = await world({ stdin: 'secret\n' });
    expect(await one.password('--password-stdin', '--new-password-file', file, '-o', 'json', '-q')).toEqual({
      code: 0,
      stdout: '{"username":"alice","privacy":"private","ended_sessions":2}\n',
      stderr: '',
    });
    const other = await world({ stdin: `${next}\n`, env: { CHAT_PASSWORD: 'secret' } });
    expect((await other.password('--new-password-stdin')).code).toBe(0);
    for (const { changes, proofs } of [one, other]) {
      expect(changes).toMatchObject([{ newPassword: next }]);
      expect(proofs).toMatchObject([{ password: 'secret' }]);
    }
  });

  it.each([
    ['private', [], 'private', 'the password is changed; ended 2 other sessions'],
    ['open', [], 'open', 'the password is changed; ended 2 other sessions'],
    [
      'private',
      ['--open'],
      'open',
      'the password is changed; the account is open now; ended 2 other sessions',
    ],
    [
      'open',
      ['--private'],
      'private',
      'the password is changed; the account is private now; ended 2 other sessions',
    ],
    ['open', ['--open'], 'open', 'the password is changed; ended 2 other sessions'],
  ] as const)('of an account that is %s, with %j, leaves it %s', async (before, flags, after, text) => {
    const { changes, password } = await world({ stdin: next, env: { CHAT_PASSWORD: 'secret' } }, before);
    const { code, stderr } = await password('--new-password-stdin', ...flags);
    expect([code, stderr]).toEqual([0, `${text}\n`]);
    expect(changes).toMatchObject([{ privacy: after }]);
  });

  it('takes the old password again with --open, and not otherwise', async () => {
    const same = { stdin: 'secret', env: { CHAT_PASSWORD: 'secret' } };
    const opening = await world(same);
    expect((await opening.password('--new-password-stdin', '--open')).code).toBe(0);
    for (const [privacy, ...flags] of [['private'], ['open'], ['open', '--private']] as const) {
      const { changes, password } = await world(same, privacy);
      expect(await password('--new-password-stdin', ...flags)).toEqual({
        code: 2,
        stdout: '',
        stderr: 'chat: the new password is the old one; nothing was done\n',
      });
      expect(changes).toEqual([]);
    }
  });

  it('believes the new cost from then on', async () => {
    const { host, changes, password } = await world({ stdin: next, env: { CHAT_PASSWORD: 'secret' } });
    await password('--new-password-stdin');
    await runOn(host, 'account', 'password', '--new-password-stdin');
    expect(changes).toMatchObject([{ pin: testPin }, { pin: { ...testPin, cost: 13 } }]);
  });

  it('passes on a warning about the new password', async () => {
    const { password } = await world({ stdin: 'trustno1', env: { CHAT_PASSWORD: 'secret' } });
    expect((await password('--new-password-stdin')).stderr).toBe(
      'warning: it is a common one\nthe password is changed; ended 2 other sessions\n',
    );
  });

  it('takes the second factor’s code along, from a person or --otp; a script without it ends with 11', async () => {
    const factor = { on: true, recovery_codes_left: 10 };
    const person = await world({ terminal: true, typed: ['secret', next, next, ' 123456 '] });
    const script = await world({ stdin: next, env: { CHAT_PASSWORD: 'secret' } });
    const without = await world({ stdin: next, env: { CHAT_PASSWORD: 'secret' } });
    for (const { server } of [person, script, without]) {
      server.answers['account.me'] = { username: 'alice', privacy: 'private', second_factor: factor };
    }
    expect((await person.password('--no-color')).code).toBe(0);
    expect(person.host.asked.at(-1)).toBe('One-time code');
    expect((await script.password('--new-password-stdin', '--otp', '123456')).code).toBe(0);
    for (const { server } of [person, script]) {
      expect(server.calls.at(-1)?.params).toMatchObject({ proof: { otp: '123456' } });
    }
    expect((await without.password('--new-password-stdin')).code).toBe(11);
    expect(without.server.calls.map(({ name }) => name)).not.toContain('account.change-password');
  });

  it('does nothing when the two new ones differ, or one cannot be had', async () => {
    for (const [typed, text] of [
      [['secret', next, `${next}!`], 'the two passwords differ; nothing was done'],
      [['secret', 'five5'], 'password: it has at least 6 characters'],
      [['five5'], 'password: it has at least 6 characters'],
    ] as const) {
      const { changes, password } = await world({ terminal: true, typed: [...typed] });
      const { code, stderr } = await password('--no-color');
      expect([code, stderr]).toEqual([2, `chat: ${text}\n`]);
      expect(changes).toEqual([]);
    }
  });

  it.each([
    [[], 'a password is needed: use --password-stdin, --password-file or CHAT_PASSWORD'],
    [['--password-stdin'], 'a new password is needed: use --new-password-stdin or --new-password-file'],
    [
      ['--password-stdin', '--new-password-stdin'],
      '--password-stdin and --new-password-stdin cannot be given together: stdin holds one password',
    ],
    [['--open', '--private'], '--open and --private cannot be given together: an account is one of them'],
    [
      ['--new-password', next],
      '--new-password: an argument shows the secret to every user of this machine; use --new-password-stdin or --new-password-file',
    ],
    [['secret'], 'chat account password: unexpected "secret" (see chat account password --help)'],
  ])('%j is exit 2 without a connection', async (flags, text) => {
    const { server, password } = await world();
    expect(await password(...flags)).toEqual({ code: 2, stdout: '', stderr: `chat: ${text}\n` });
    expect(server.opened).toBe(0);
  });

  it.each([
    ['unauthenticated', 4],
    ['conflict', 7],
    ['rate-limited', 8],
  ] as const)('that the server refuses as %s ends with %i', async (code, exit) => {
    const { server, password } = await world({ stdin: next, env: { CHAT_PASSWORD: 'wrong one' } });
    server.answers['account.change-password'] = new ChatError(code, 'not so');
    expect(await password('--new-password-stdin')).toEqual({
      code: exit,
      stdout: '',
      stderr: 'chat: not so\n',
    });
  });

  it('asks for nothing when nobody is logged in', async () => {
    const host = await fakeHost({ terminal: true, typed: [] });
    const { code, stderr } = await runOn(host, 'account', 'password', '--no-color');
    expect([code, host.asked]).toEqual([4, []]);
    expect(stderr).toContain('chat login');
  });
});
