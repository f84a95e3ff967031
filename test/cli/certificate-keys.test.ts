import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ClientLibrary } from '../../src/cli/client-library.ts';
import { openKeyStore } from '../../src/cli/key-store.ts';
import { makeKeys } from '../../src/client/keys/make-keys.ts';
import { ChatError } from '../../src/core/errors.ts';
import { parseUsername } from '../../src/core/model/username.ts';
import { newOneTimeCode } from '../../src/core/one-time-code.ts';
import { address, called, keepFrom, loggedInByCertificate, world } from './support/certificate-world.ts';
import { openedSession, testPin } from './support/fake-client.ts';
import { type FakeHost, type Outside, runOn } from './support/fake-host.ts';

const recoveryKey = newOneTimeCode();
const { realm } = testPin;
const noPassword = { password: undefined, stretch: async () => new Uint8Array(32) };
type SetUp = ClientLibrary['setUpKeys'];
type Asked = Parameters<SetUp>[1];

/** Stands for the library's: notes what it was asked, and answers `kind`; new keys have the recovery key above. */
function settingUp(kind: Awaited<ReturnType<SetUp>>['kind']): {
  asked: Asked[];
  client: Partial<ClientLibrary>;
} {
  const asked: Asked[] = [];
  const setUpKeys: SetUp = async (_connection, options) => {
    asked.push(options);
    if (kind === 'made') {
      const { file } = await makeKeys(options.owner, undefined, noPassword);
      await options.recovery?.keep(recoveryKey, { record: file.record, opensByPassword: false });
    }
    return { kind, recoveryKey } as Awaited<ReturnType<SetUp>>;
  };
  return { asked, client: { setUpKeys } };
}

const logins = (host: FakeHost) => readdir(join(host.stateHome, 'chat', 'logins')).catch(() => []);
const knownPath = (host: FakeHost) => join(host.stateHome, 'chat', 'known_servers.json');

async function known(host: FakeHost) {
  return JSON.parse(await readFile(knownPath(host), 'utf8'))['chat://127.0.0.1:8080'];
}

/** Puts an entry of another time in the place of what is known of the server. */
async function know(host: FakeHost, change: (entry: Record<string, unknown>) => object): Promise<void> {
  const entry = change(await known(host));
  await writeFile(knownPath(host), JSON.stringify({ 'chat://127.0.0.1:8080': entry }));
}

describe('the keys of an account without a password', () => {
  it('are set up at its registration, by no password and for the realm that the login was told', async () => {
    const { asked, client } = settingUp('made');
    const { host } = await world({}, { client, terminal: true });
    const { code, stderr } = await runOn(host, 'register', 'alice', '--certificate');
    expect(code).toBe(0);
    expect(asked).toMatchObject([{ owner: { realm, user: 'alice' }, password: undefined }]);
    expect(await known(host)).toMatchObject({ realm, logins: {} });
    expect(stderr).toContain(`Recovery key of your private messages, shown this once:\n${recoveryKey}\n`);
    expect(stderr).toContain('if the machine is lost, nobody can read them any more without it.\n');
    expect(stderr).not.toContain('password');
  });

  it('have their recovery key in a file, where a script asks for that, and else are said to hang on this machine', async () => {
    const { client } = settingUp('made');
    const { host } = await world({}, { client });
    const file = join(host.stateHome, 'recovery');
    const kept = await runOn(host, 'register', 'alice', '--certificate', '--recovery-file', file);
    expect(kept.stderr).toContain(`is in ${file}: without it a lost machine loses them\n`);
    expect(await readFile(file, 'utf8')).toBe(`${recoveryKey}\n`);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const none = await runOn(host, 'login', 'alice', '--certificate');
    expect(none.stderr).toContain('without which a lost machine loses them: chat keys backup makes one\n');
  });

  it('come by the recovery key on another machine: from a file or a prompt, and a wrong one is exit 2', async () => {
    const { asked, client } = settingUp('recovered');
    const { host } = await world({}, { client });
    await keepFrom(host, 0);
    const file = join(host.stateHome, 'recovery');
    await writeFile(file, recoveryKey);
    await chmod(file, 0o600);
    const { code, stderr } = await runOn(host, 'login', 'alice', '--certificate', '--recovery-file', file);
    expect([code, await asked[0]?.askRecoveryKey?.()]).toEqual([0, recoveryKey]);
    expect(stderr).toContain('the keys of your private messages are on this machine now\n');
    expect(stderr).not.toContain('password');
    const wrong = await world(
      {},
      {
        client: {
          setUpKeys: async () => {
            throw new ChatError(
              'invalid',
              'this is not the recovery key of this account: nothing was restored',
            );
          },
        },
      },
    );
    await keepFrom(wrong.host, 0);
    expect(await runOn(wrong.host, 'login', 'alice', '--certificate', '--no-color')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(
        'chat: this is not the recovery key of this account: nothing was restored\n',
      ),
    });
    expect(await logins(wrong.host)).toHaveLength(1);
  });

  it('that nothing opens are said to be locked, and what does open them', async () => {
    const { client } = settingUp('locked');
    const { host } = await world({}, { client });
    await keepFrom(host, 0);
    const { code, stderr } = await runOn(host, 'login', 'alice', '--certificate');
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining(
        'a certificate opens no backup of their keys; chat keys restore brings them by their recovery key (in a script: --recovery-file FILE)\n',
      ),
    ]);
    expect(await runOn(host, 'keys', 'restore', '--no-color')).toMatchObject({
      code: 5,
      stderr:
        'chat: this takes the recovery key of your private messages, and none was given: --recovery-file FILE has it in a script; when all ' +
        'that opens the backup of the keys is lost, chat keys rotate --new-identity begins anew\n',
    });
  });

  it('cost no certificate when they cannot be made: it was signed and kept before', async () => {
    const order: string[] = [];
    const { host, files } = await world(
      {},
      {
        env: { CHAT_PASSWORD: 'secret' },
        client: {
          setUpKeys: async (_connection, { password }) => {
            order.push(`keys by ${password}, certificate: ${(await files.load()) !== undefined}`);
            throw new ChatError('untrusted', 'the server shows other keys');
          },
        },
      },
    );
    expect((await runOn(host, 'login', 'alice', '--certificate')).code).toBe(9);
    expect(order).toEqual(['keys by secret, certificate: true']);
    expect(await runOn(host, 'whoami')).toMatchObject({ code: 0, stdout: 'alice\n' });
  });
});

describe('the realm of a server', () => {
  const told =
    (other: string): ClientLibrary['loginByCertificate'] =>
    async (_connection, { username }) => ({ session: openedSession(username), realm: other });

  it('that has changed is not trusted, and neither login nor keys are kept', async () => {
    const { asked, client } = settingUp('kept');
    const { host } = await loggedInByCertificate(0, {}, { client });
    const other = { ...host, client: { ...host.client, loginByCertificate: told('another realm') } };
    await runOn(host, 'logout');
    asked.length = 0;
    expect(await runOn(other, 'login', 'alice', '--certificate', '--no-color')).toMatchObject({
      code: 9,
      stderr: 'chat: the server says that it is another realm, and was realm before\n',
    });
    expect([asked, await logins(host), (await known(host)).realm]).toEqual([[], [], realm]);
  });

  it('is looked at too when a session that is over comes back by itself', async () => {
    const { host, server } = await loggedInByCertificate(0, {
      'session.refresh': new ChatError('unauthenticated', 'over'),
    });
    server.alive.clear();
    const other = { ...host, client: { ...host.client, loginByCertificate: told('another realm') } };
    expect(await runOn(other, 'whoami')).toMatchObject({ code: 9, stdout: '' });
  });

  it('is one for logins with a password and with a certificate', async () => {
    const env = { CHAT_PASSWORD: 'secret' };
    const { host } = await loggedInByCertificate(0, {}, { env });
    await know(host, (entry) => ({ ...entry, realm: 'another realm' }));
    const untrusted = {
      code: 9,
      stderr: 'chat: the server says that it is realm, and was another realm before\n',
    };
    expect(await runOn(host, 'login', 'alice', '--no-color')).toMatchObject(untrusted);
    expect((await known(host)).logins).toEqual({});
    const logins = { alice: { ...testPin, realm: 'another realm' } };
    await know(host, ({ realm: _realm, ...entry }) => ({ ...entry, logins }));
    expect(await runOn(host, 'login', 'alice', '--certificate', '--no-color')).toMatchObject(untrusted);
    // What somebody else was shown is no matter of this account.
    await know(host, (entry) => ({ ...entry, logins: { bob: { ...testPin, realm: 'another realm' } } }));
    expect((await runOn(host, 'login', 'alice', '--certificate')).code).toBe(0);
  });

  it('is learned from the next login where known_servers.json is from before there were certificates', async () => {
    const { host } = await loggedInByCertificate(0);
    await know(host, ({ fingerprint }) => ({ fingerprint, logins: { bob: testPin } }));
    expect((await runOn(host, 'whoami')).code).toBe(0);
    expect((await runOn(host, 'login', 'alice', '--certificate')).code).toBe(0);
    expect(await known(host)).toMatchObject({ realm, logins: { bob: testPin } });
    await know(host, (entry) => ({ ...entry, realm: 7 }));
    expect(await runOn(host, 'login', 'alice', '--certificate')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('known_servers.json: is damaged'),
    });
  });
});

describe('chat keys, proven by a certificate', () => {
  /** Alice is logged in by certificate, her keys are here, and the server keeps their backup. */
  async function withKeys(account: object, outside: Outside = {}) {
    const { file } = await makeKeys({ realm, user: parseUsername('alice') }, undefined, noPassword);
    const at = await loggedInByCertificate(
      0,
      {
        'keys.get': () => ({ record: file.record.text, newest_seq: 1, backup_version: 1 }),
        'keys.backup': { version: 2 },
        'keys.publish': { seq: 2 },
        'account.me': { username: 'alice', second_factor: { on: false }, ...account },
      },
      outside,
    );
    const store = openKeyStore(at.host, { server: address, realm, username: 'alice' });
    await store.update(() => file);
    return { ...at, store };
  }
  const certificate = { certificate: true };

  it('backup makes a recovery key without asking for a password, and leaves no wrap where there is none', async () => {
    for (const privacy of ['certificate', 'open']) {
      const { host, server, store } = await withKeys({ privacy });
      const { code, stdout } = await runOn(host, 'keys', 'backup');
      expect([code, stdout]).toEqual([0, expect.stringMatching(/^([0-9A-Z]{4}-){6}[0-9A-Z]{4}\n$/)]);
      expect(called(server, 'keys.backup')).toMatchObject([
        {
          params: { backup: { recovery_wrap: expect.any(String), password_wrap: null }, proof: certificate },
        },
      ]);
      expect([host.asked, (await store.load())?.backupVersion]).toEqual([[], 2]);
    }
  });

  it('backup and rotate ask a private account for the password, which is to open the backup: a script has to give it', async () => {
    for (const command of ['backup', 'rotate']) {
      const script = await withKeys({ privacy: 'private' });
      expect((await runOn(script.host, 'keys', command)).code).toBe(2);
      const { host, server } = await withKeys({ privacy: 'private' }, { terminal: true, typed: ['secret'] });
      expect((await runOn(host, 'keys', command)).code).toBe(0);
      const [call] = [...called(server, 'keys.backup'), ...called(server, 'keys.publish')];
      expect([called(script.server, 'keys.backup'), called(script.server, 'keys.publish')]).toEqual([[], []]);
      expect(call).toMatchObject({
        params: { backup: { password_wrap: expect.any(String) }, proof: { message: 'proof of secret' } },
      });
    }
  });

  it('backup wraps by the password of a private account that is given all the same', async () => {
    const env = { CHAT_PASSWORD: 'secret' };
    const { host, server } = await withKeys({ privacy: 'private' }, { env });
    expect((await runOn(host, 'keys', 'backup')).code).toBe(0);
    expect(called(server, 'keys.backup')).toMatchObject([
      {
        params: {
          backup: { password_wrap: expect.any(String) },
          proof: { message: 'proof of secret' },
        },
      },
    ]);
  });

  it('rotate begins an epoch, and asks for the code of a second factor alone', async () => {
    const { host, server, store } = await withKeys({ privacy: 'certificate' });
    expect((await runOn(host, 'keys', 'rotate')).code).toBe(0);
    expect(called(server, 'keys.publish')).toMatchObject([{ params: { proof: certificate } }]);
    expect((await store.load())?.record.epoch).toBe(2);
    const careful = await withKeys({ privacy: 'certificate', second_factor: { on: true } });
    expect((await runOn(careful.host, 'keys', 'rotate')).code).toBe(11);
    expect(called(careful.server, 'keys.publish')).toEqual([]);
    expect((await runOn(careful.host, 'keys', 'rotate', '--otp', '123456')).code).toBe(0);
    expect(called(careful.server, 'keys.publish')).toMatchObject([
      { params: { proof: { certificate: true, otp: '123456' } } },
    ]);
  });

  it('restore gives the certificate as the proof, and does not speak of a password', async () => {
    const { asked, client } = settingUp('recovered');
    const { host } = await withKeys({ privacy: 'certificate' }, { client });
    const file = join(host.stateHome, 'recovery');
    await writeFile(file, recoveryKey);
    const { code, stderr } = await runOn(host, 'keys', 'restore', '--recovery-file', file);
    const last = asked.at(-1);
    expect([code, last?.password, last?.owner.realm]).toEqual([0, undefined, realm]);
    expect(await last?.askRecoveryKey?.()).toBe(recoveryKey);
    expect(stderr).toBe('the keys of your private messages are on this machine now\n');
  });
});
