import { existsSync } from 'node:fs';
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ClientLibrary } from '../../src/cli/client-library.ts';
import { makeKeys } from '../../src/client/keys/make-keys.ts';
import { ChatError } from '../../src/core/errors.ts';
import type { OneTimeCode } from '../../src/core/one-time-code.ts';
import { newOneTimeCode } from '../../src/core/one-time-code.ts';
import { fakeClient, fakeServer } from './support/fake-client.ts';
import { fakeHost, type Outside, runOn } from './support/fake-host.ts';

const recoveryKey = newOneTimeCode();
type SetUp = ClientLibrary['setUpKeys'];

/** Keys that are made, their recovery key kept before anybody knows of them. */
const madeBy =
  (opensByPassword: boolean): SetUp =>
  async (_connection, { recovery, owner }) => {
    const { file } = await makeKeys(owner, undefined, {
      password: undefined,
      stretch: async () => new Uint8Array(32),
    });
    await recovery?.keep(recoveryKey, { record: file.record, opensByPassword });
    return { kind: 'made', file, recoveryKey };
  };
const made = madeBy(true);

async function login(setUpKeys: SetUp, outside: Outside = {}, ...flags: string[]) {
  const client = { ...fakeClient(), setUpKeys };
  const host = await fakeHost({ env: { CHAT_PASSWORD: 'secret' }, ...outside, client });
  return { host, ...(await runOn(host, 'login', 'alice', '--trust', 'always', '--no-color', ...flags)) };
}

describe('the recovery key of keys that are made at a login', () => {
  it('is shown to a person, this once, with what it is for, also when all else is quiet', async () => {
    for (const flags of [[], ['-q']]) {
      const { code, stdout, stderr } = await login(made, { terminal: true }, ...flags);
      expect([code, stdout]).toEqual([0, '']);
      expect(stderr).toContain(
        `Recovery key of your private messages, shown this once:\n${recoveryKey}\n` +
          'Write it down: if the password is lost, nobody can read them any more without it.\n',
      );
    }
  });

  it('is not shown to a script, which is told how to keep one', async () => {
    const { code, stdout, stderr } = await login(made);
    expect([code, stdout]).toEqual([0, '']);
    expect(stderr).not.toContain(recoveryKey);
    expect(stderr).toContain(
      'no recovery key was kept (--recovery-file), without which a lost password loses them',
    );
  });

  it('is not read back from the file that was just written for it, when another device was first', async () => {
    const { stateHome } = await fakeHost();
    const file = join(stateHome, 'recovery');
    const beaten: SetUp = async (_connection, { recovery, owner, askRecoveryKey }) => {
      const noPassword = { password: undefined, stretch: async () => new Uint8Array(32) };
      const { file: own } = await makeKeys(owner, undefined, noPassword);
      await recovery?.keep(recoveryKey, { record: own.record, opensByPassword: false });
      await recovery?.drop();
      expect(await askRecoveryKey?.()).toBeUndefined();
      return { kind: 'locked' };
    };
    const { code, stderr } = await login(beaten, {}, '--recovery-file', file);
    expect([code, existsSync(file)]).toEqual([0, false]);
    expect(stderr).toContain('chat keys restore');
  });

  it('of keys that no password opens is said to stand for the machine, not for the password', async () => {
    const { stateHome } = await fakeHost();
    const open = madeBy(false);
    const file = join(stateHome, 'recovery');
    expect((await login(open, { terminal: true })).stderr).toContain(
      'Write it down: if the machine is lost, nobody',
    );
    expect((await login(open)).stderr).toContain('without which a lost machine loses them');
    expect((await login(open, {}, '--recovery-file', file)).stderr).toContain(
      'without it a lost machine loses them',
    );
  });

  it('goes into a new file, its owner’s alone', async () => {
    const outside = await fakeHost();
    const file = join(outside.stateHome, 'recovery');
    const { code, stderr } = await login(made, {}, '--recovery-file', file);
    expect(code).toBe(0);
    expect(stderr).not.toContain(recoveryKey);
    expect(await readFile(file, 'utf8')).toBe(`${recoveryKey}\n`);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('does not go over a file that is there, nor where nothing can be written, and no keys are made then', async () => {
    const { stateHome } = await fakeHost();
    const taken = join(stateHome, 'taken');
    await writeFile(taken, 'mine');
    let isMade = false;
    const making: SetUp = async (...parameters) => {
      const keys = await made(...parameters);
      isMade = true;
      return keys;
    };
    const refusals = [
      [taken, `${taken} is there already, and the new recovery key needs a file of its own`],
      [join(stateHome, 'no', 'such'), `cannot write ${join(stateHome, 'no', 'such')} (ENOENT)`],
    ] as const;
    for (const [path, why] of refusals) {
      const { code, stderr } = await login(making, {}, '--recovery-file', path);
      expect([code, stderr]).toEqual([2, expect.stringContaining(`chat: --recovery-file: ${why}\n`)]);
    }
    expect([isMade, await readFile(taken, 'utf8')]).toEqual([false, 'mine']);
  });

  it('is taken back when its keys were refused, or another machine has made the account’s', async () => {
    const refused: SetUp = async (connection, options) => {
      await made(connection, options);
      await options.recovery?.drop();
      throw new ChatError('internal', 'a bug');
    };
    const others: SetUp = async (connection, options) => {
      await made(connection, options);
      await options.recovery?.drop();
      return { kind: 'restored' } as Awaited<ReturnType<SetUp>>;
    };
    for (const setUp of [refused, others]) {
      const { stateHome } = await fakeHost();
      const file = join(stateHome, 'recovery');
      expect((await login(setUp, {}, '--recovery-file', file)).code).toBe(0);
      await expect(stat(file)).rejects.toMatchObject({ code: 'ENOENT' });
      expect((await login(setUp, { terminal: true })).stderr).toContain(
        'The recovery key above opens nothing: its keys were not stored.\n',
      );
    }
  });

  it('is kept when the answer was lost: its keys may be stored', async () => {
    const { stateHome } = await fakeHost();
    const file = join(stateHome, 'recovery');
    const lost: SetUp = async (connection, options) => {
      await made(connection, options);
      throw new ChatError('unavailable', 'the connection broke');
    };
    const { code, stderr } = await login(lost, {}, '--recovery-file', file);
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining(
        'warning: the keys of private messages were not set up: the connection broke; chat login tries again\n',
      ),
    ]);
    expect(await readFile(file, 'utf8')).toBe(`${recoveryKey}\n`);
  });
});

describe('a file for a recovery key where the account has its keys', () => {
  it('is said not to have been written, unless it is there already', async () => {
    for (const kind of ['kept', 'restored'] as const) {
      const { stateHome } = await fakeHost();
      const file = join(stateHome, 'recovery');
      const here: SetUp = async () => ({ kind }) as Awaited<ReturnType<SetUp>>;
      const text = `${file} was not written: the account has its keys already; chat keys backup makes a new recovery key\n`;
      const { code, stderr } = await login(here, {}, '--recovery-file', file);
      expect([code, stderr]).toEqual([0, expect.stringContaining(text)]);
      await writeFile(file, recoveryKey);
      expect((await login(here, {}, '--recovery-file', file)).stderr).not.toContain(file);
      expect((await login(here)).stderr).not.toContain('written');
    }
  });
});

describe('chat register with a file for the recovery key', () => {
  async function register(...flags: string[]) {
    const server = fakeServer();
    const registered: string[] = [];
    const base = fakeClient(server);
    const client: ClientLibrary = {
      ...base,
      setUpKeys: made,
      async register(connection, options) {
        registered.push(options.username);
        return await base.register(connection, options);
      },
    };
    const host = await fakeHost({ env: { CHAT_PASSWORD: 'secret' }, client });
    const outcome = await runOn(host, 'register', 'alice', '--trust', 'always', '--no-color', ...flags);
    return { ...outcome, registered };
  }

  it('makes no account when nothing can be written there', async () => {
    const { stateHome } = await fakeHost();
    const taken = join(stateHome, 'taken');
    await writeFile(taken, 'mine');
    for (const [path, why] of [
      [taken, `${taken} is there already, and the new recovery key needs a file of its own`],
      [join(stateHome, 'no', 'such'), `cannot write ${join(stateHome, 'no', 'such')} (ENOENT)`],
    ] as const) {
      for (const flags of [[], ['--ignore-exists'], ['--certificate']]) {
        const { code, stderr, registered } = await register('--recovery-file', path, ...flags);
        expect([code, stderr, registered]).toEqual([2, `chat: --recovery-file: ${why}\n`, []]);
      }
    }
    expect(await readFile(taken, 'utf8')).toBe('mine');
  });

  it('makes the file with the account, and is no matter for a script that runs twice', async () => {
    const { stateHome } = await fakeHost();
    const file = join(stateHome, 'recovery');
    expect(await register('--recovery-file', file)).toMatchObject({ code: 0, registered: ['alice'] });
    expect(await readFile(file, 'utf8')).toBe(`${recoveryKey}\n`);
    expect((await register('--recovery-file', file)).registered).toEqual([]);
    expect((await register('--recovery-file', file, '--ignore-exists')).registered).toEqual(['alice']);
  });
});

describe('keys at a login', () => {
  const failing =
    (error: ChatError): SetUp =>
    async () => {
      throw error;
    };

  it('of a server that cannot be trusted end it with 9, and a wrong recovery key with 2; the login is kept', async () => {
    for (const [error, expected] of [
      [new ChatError('untrusted', 'the server shows other keys'), 9],
      [new ChatError('invalid', 'this is not the recovery key'), 2],
    ] as const) {
      const { code, stderr, host } = await login(failing(error));
      expect([code, stderr]).toEqual([expected, expect.stringContaining(`chat: ${error.message}\n`)]);
      expect(await readdir(join(host.stateHome, 'chat', 'logins'))).toHaveLength(1);
    }
  });

  it('are no matter of a server that knows none', async () => {
    const { code, stderr } = await login(failing(new ChatError('unsupported', 'keys.get is not known')));
    expect([code, stderr]).toEqual([0, expect.stringMatching(/logged in as alice\n$/)]);
    expect(stderr).not.toContain('keys');
  });

  it('are asked for by the recovery key at a terminal, from a file in a script, and else nobody is asked', async () => {
    const asked: (OneTimeCode | undefined)[] = [];
    const asking: SetUp = async (_connection, { askRecoveryKey }) => {
      asked.push(await askRecoveryKey?.());
      return { kind: 'locked' };
    };
    const { stateHome } = await fakeHost();
    const file = join(stateHome, 'recovery');
    await writeFile(file, `  ${recoveryKey.toLowerCase()}\n`);
    await chmod(file, 0o600);
    const env = { CHAT_PASSWORD: 'secret' };
    const typed = await login(asking, { terminal: true, env, typed: [recoveryKey.replaceAll('-', ' ')] });
    expect(typed.code).toBe(0);
    expect(typed.stderr).toContain('bring their keys with chat keys restore');
    await login(asking, { terminal: true, env, typed: [''] });
    await login(asking, { env }, '--recovery-file', file);
    await login(asking, { env });
    expect(asked).toEqual([recoveryKey, undefined, recoveryKey, undefined]);
  });

  it('take a mistyped recovery key again at a terminal, three times in all, and once from a file', async () => {
    const mistyped = `${recoveryKey.slice(0, -1)}${recoveryKey.endsWith('A') ? 'B' : 'A'}`;
    const why =
      'this is no recovery key: a character of its seven groups of four is wrong or missing; compare it\n';
    const others = newOneTimeCode();
    const notTheirs = new ChatError('invalid', 'this is not the recovery key of this account');
    const asking: SetUp = async (_connection, { askRecoveryKey }) => {
      let given = await askRecoveryKey?.();
      while (given === others) given = await askRecoveryKey?.(notTheirs);
      return { kind: given === recoveryKey ? 'recovered' : 'locked' } as Awaited<ReturnType<SetUp>>;
    };
    for (const [typed, code, text] of [
      [['no key', mistyped, recoveryKey], 0, 'the keys of your private messages are on this machine now\n'],
      [[others, mistyped, recoveryKey], 0, 'the keys of your private messages are on this machine now\n'],
      [[others, ''], 0, 'bring their keys with chat keys restore'],
      [[mistyped, mistyped, mistyped], 2, `chat: ${why}`],
      [[mistyped, mistyped, others], 2, `chat: ${notTheirs.message}\n`],
    ] as const) {
      const outcome = await login(asking, { terminal: true, typed });
      expect([outcome.code, outcome.stderr]).toEqual([code, expect.stringContaining(text)]);
      expect(outcome.host.asked).toEqual(
        typed.map(() => 'Recovery key of your private messages (empty: go on without them)'),
      );
    }
    const { stateHome } = await fakeHost();
    const file = join(stateHome, 'recovery');
    for (const [content, text] of [
      [mistyped, `chat: --recovery-file: ${file}: ${why}`],
      [others, `chat: ${notTheirs.message}\n`],
    ] as const) {
      await writeFile(file, content);
      const { code, stderr } = await login(asking, {}, '--recovery-file', file);
      expect([code, stderr]).toEqual([2, expect.stringContaining(text)]);
    }
  });
});
