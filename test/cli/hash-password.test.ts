import { describe, expect, it } from 'vitest';
import type { ClientLibrary } from '../../src/cli/client-library.ts';
import { fakeClient, fakeServer, serverFingerprint, testPin } from './support/fake-client.ts';
import { chat, fakeHost, runOn } from './support/fake-host.ts';

const pinned = `trusting chat://127.0.0.1:8080 from now on: ${serverFingerprint}\n`;
const password = { CHAT_PASSWORD: 'secret' };

/** A client that writes down what it was asked to hash. */
function recording() {
  const server = fakeServer();
  const client = fakeClient(server);
  const asked: object[] = [];
  const recorded: ClientLibrary = {
    ...client,
    async hashPassword(connection, { onProgress, ...options }) {
      asked.push(options);
      onProgress?.(0.5);
      return await client.hashPassword(connection, options);
    },
  };
  return { server, client: recorded, asked };
}

describe('chat hash-password', () => {
  it('prints the hashed password alone, and needs no login', async () => {
    const { client, asked, server } = recording();
    expect(await chat(['hash-password', 'Bot'], { client, env: password })).toEqual({
      code: 0,
      stdout: 'v1.hash of secret\n',
      stderr: pinned,
    });
    expect(asked).toEqual([{ username: 'bot', password: 'secret', pin: undefined }]);
    expect([server.opened, server.closed]).toEqual([1, 1]);
  });

  it('prints what it was made with, with -o json', async () => {
    const { stdout } = await chat(['hash-password', 'bot', '-o', 'json'], { env: password });
    expect(JSON.parse(stdout)).toEqual({
      username: 'bot',
      hashed_password: 'v1.hash of secret',
      realm: 'realm',
      salt: 'salt',
      cost: 12,
    });
  });

  it('takes nothing weaker than the last login of that name had', async () => {
    const { client, asked } = recording();
    const host = await fakeHost({ client, env: password });
    await runOn(host, 'login', 'alice');
    await runOn(host, 'hash-password', 'alice');
    await runOn(host, 'hash-password', 'constructor');
    expect(asked).toEqual([
      { username: 'alice', password: 'secret', pin: testPin },
      { username: 'constructor', password: 'secret', pin: undefined },
    ]);
  });

  it('takes the password from stdin, less one newline', async () => {
    const { client, asked } = recording();
    await chat(['hash-password', 'bot', '--password-stdin'], { client, stdin: 'a secret \n' });
    expect(asked).toMatchObject([{ password: 'a secret ' }]);
  });

  it('asks a person for name and password once, and warns on a terminal', async () => {
    const { client } = recording();
    const host = await fakeHost({ client, terminal: true, typed: ['bot', 'secret'] });
    const { code, stderr } = await runOn(host, 'hash-password');
    expect([code, host.asked]).toEqual([0, ['Username', 'Password']]);
    expect(stderr).toContain('warning: whoever sees this can log in as bot until the password changes\n');
  });

  it.each([
    [
      ['hash-password', 'bot'],
      {},
      'a password is needed: use --password-stdin, --password-file or CHAT_PASSWORD',
    ],
    [['hash-password'], password, 'NAME is missing'],
    [['hash-password', 'not a name'], password, expect.stringMatching(/^NAME: a name has /)],
    [['hash-password', 'bot'], { CHAT_PASSWORD: 'five5' }, 'password: it has at least 6 characters'],
  ])('%j is exit 2 without a connection', async (argv, env, text) => {
    const { client, server } = recording();
    const { code, stdout, stderr } = await chat(argv, { client, env });
    expect([code, stdout, stderr.replace(/^chat: /, '').trimEnd(), server.opened]).toEqual([2, '', text, 0]);
  });
});
