import { describe, expect, it } from 'vitest';
import { ChatError } from '../../src/core/errors.ts';
import { fakeClient } from './support/fake-client.ts';
import { fakeHost, type Outside, runOn } from './support/fake-host.ts';
import { loggedIn } from './support/logged-in.ts';

/** A week after the time of every test. */
const erases_at = '2026-11-28T06:00:00.000Z';
const saved = { env: { CHAT_PASSWORD: 'secret' } };

/** Alice at her machine, whose server erases in a week; a password in the environment is not asked for. */
async function world(outside: Outside = saved, answers: Parameters<typeof loggedIn>[0] = {}) {
  const { host, server, run } = await loggedIn(
    {
      'account.me': { username: 'alice', second_factor: { on: false, recovery_codes_left: 0 } },
      'account.erase': { erases_at },
      'account.cancel-erase': {},
      ...answers,
    },
    outside,
  );
  return {
    erase: (...flags: string[]) => run('account', 'erase', ...flags),
    asked: host.asked,
    server,
    erasures: () => server.calls.filter(({ name }) => name === 'account.erase').map(({ params }) => params),
    /** Whose login this machine has kept. */
    async kept() {
      const other = await fakeHost({ stateHome: host.stateHome, client: fakeClient(server) });
      return (await runOn(other, 'whoami')).stdout;
    },
  };
}

const proof = { proof: { exchange: 'exchange of alice', message: 'proof of secret' } };
const warning =
  'This erases the account alice: its sessions, keys and memberships, and the text of all that it has sent. ' +
  'Nobody can take the name again. Save what is yours before: chat account export\n';
const told =
  'the account alice is to be erased at 2026-11-28 06:00:00; until then chat login and chat account erase --cancel keep it\n';

describe('chat account erase', () => {
  it('warns, asks for the name and the password, proves it and forgets the login', async () => {
    const { erase, asked, erasures, kept } = await world({
      terminal: true,
      typed: [' alice ', 'secret'],
    });
    const { code, stderr } = await erase('--no-color');
    expect([code, stderr.replaceAll('\r\u001b[K', '')]).toEqual([0, warning + told]);
    expect(asked).toEqual(['Type alice to erase it', 'Password']);
    expect(erasures()).toEqual([proof]);
    expect(await kept()).toBe('');
  });

  it.each(['bob', 'Alice', 'yes', 'alice!'])(
    'does nothing and asks for no password when %j is typed for the name',
    async (typed) => {
      const { erase, asked, server, kept } = await world({ terminal: true, typed: [typed] });
      expect(await erase('--no-color')).toEqual({
        code: 2,
        stdout: '',
        stderr: `${warning}chat: that is not the name of the account; nothing was done\n`,
      });
      expect(asked).toEqual(['Type alice to erase it']);
      expect(server.calls).toEqual([]);
      expect(await kept()).toBe('alice\n');
    },
  );

  it('does not ask with --yes, at a terminal and in a script', async () => {
    for (const terminal of [true, false]) {
      const { erase, asked, erasures } = await world({ ...saved, terminal });
      const { code, stdout, stderr } = await erase('--yes', '--no-color');
      expect([code, stdout, stderr.replaceAll('\r\u001b[K', '')]).toEqual([0, '', told]);
      expect(asked).toEqual([]);
      expect(erasures()).toEqual([proof]);
    }
  });

  it('asks nobody who is not there, before the server hears of it', async () => {
    const { erase, server, kept } = await world();
    expect(await erase()).toEqual({
      code: 2,
      stdout: '',
      stderr: 'chat: nobody can be asked whether this is meant: give --yes\n',
    });
    expect(server.opened).toBe(0);
    expect(await kept()).toBe('alice\n');
  });

  it('takes no password for granted in a script', async () => {
    const { erase, server } = await world({});
    expect(await erase('--yes')).toMatchObject({
      code: 2,
      stderr: 'chat: a password is needed: use --password-stdin, --password-file or CHAT_PASSWORD\n',
    });
    expect(server.opened).toBe(0);
  });

  it('keeps the login when the server refuses, and ends with the reason', async () => {
    const { erase, kept } = await world(saved, {
      'account.erase': new ChatError('unauthenticated', 'the password is wrong; nothing was changed'),
    });
    expect(await erase('--yes')).toEqual({
      code: 4,
      stdout: '',
      stderr: 'chat: the password is wrong; nothing was changed\n',
    });
    expect(await kept()).toBe('alice\n');
  });

  it('gives the code of a second factor, and asks a script for one', async () => {
    const factor = { second_factor: { on: true, recovery_codes_left: 3 } };
    const { erase, erasures } = await world(saved, { 'account.me': { username: 'alice', ...factor } });
    expect(await erase('--yes')).toMatchObject({
      code: 11,
      stderr: 'chat: this account has a second factor: give its code with --otp\n',
    });
    expect((await erase('--yes', '--otp', '123456')).code).toBe(0);
    expect(erasures()).toEqual([{ proof: { ...proof.proof, otp: '123456' } }]);
  });

  it('says that it is being erased where there is no time to think it over', async () => {
    for (const [at, text] of [
      ['2026-11-21T06:00:00.000Z', 'the account alice is being erased\n'],
      ['2026-11-21T06:00:00.001Z', told.replace('2026-11-28', '2026-11-21')],
    ] as const) {
      const { erase } = await world(saved, { 'account.erase': { erases_at: at } });
      expect((await erase('--yes')).stderr).toBe(text);
    }
  });

  it('prints when it will be as JSON', async () => {
    const { erase } = await world();
    expect((await erase('--yes', '-o', 'json', '-q')).stdout).toBe(
      `{"username":"alice","erases_at":"${erases_at}"}\n`,
    );
  });

  it('leaves the saved login of another account alone', async () => {
    const { erase, server, kept } = await world({ env: { ...saved.env, CHAT_TOKEN: 'cs1_bob' } });
    server.alive.set('cs1_bob', 'bob');
    expect((await erase('--yes')).stderr).toBe(told.replace('alice', 'bob'));
    expect(await kept()).toBe('alice\n');
  });
});

describe('chat account erase --cancel', () => {
  it('keeps the account without asking for anything', async () => {
    const { erase, server, kept } = await world({});
    expect(await erase('--cancel')).toEqual({ code: 0, stdout: '', stderr: 'the account alice is kept\n' });
    expect(server.calls.map(({ name }) => name)).toEqual(['account.cancel-erase']);
    expect((await erase('--cancel', '-o', 'json', '-q')).stdout).toBe(
      '{"username":"alice","erases_at":null}\n',
    );
    expect(await kept()).toBe('alice\n');
  });

  it('does not go with --yes', async () => {
    const { erase, server } = await world();
    const { code, stderr } = await erase('--cancel', '--yes');
    expect([code, stderr]).toEqual([
      2,
      'chat: --yes and --cancel cannot be given together: either it goes or it stays\n',
    ]);
    expect(server.opened).toBe(0);
  });
});
