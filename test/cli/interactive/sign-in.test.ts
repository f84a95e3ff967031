import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { CommandContext } from '../../../src/cli/command.ts';
import { signIn } from '../../../src/cli/interactive/sign-in.ts';
import { createOutput } from '../../../src/cli/output.ts';
import { parseServerAddress } from '../../../src/client/address.ts';
import { register } from '../../../src/client/register.ts';
import { ChatError } from '../../../src/core/errors.ts';
import { keepFrom, refused } from '../support/certificate-world.ts';
import { begunRegistration, type FakeServer, fakeClient, fakeServer } from '../support/fake-client.ts';
import { type FakeHost, fakeHost, type Outside, runOn, temporaryDirectory } from '../support/fake-host.ts';

const local = 'chat://127.0.0.1:8080';
const work = 'chat://work.example.org:8080';
const notLoggedIn = `You are not logged in to ${local}.`;

function chatServer(answers: Parameters<typeof fakeServer>[0] = {}): FakeServer {
  return fakeServer({
    'conversation.list': { conversations: [] },
    'user.list': { users: [], next: null },
    'room.list': { rooms: [], next: null },
    'session.end': {},
    'session.refresh': new ChatError('unauthenticated', 'the refresh token is unknown'),
    ...answers,
  });
}

/** This person's machine over several runs of `chat`, whose chat ends as soon as it has begun. */
async function machine(server = chatServer()) {
  const stateHome = await temporaryDirectory();
  const at = (outside: Outside = {}): Promise<FakeHost> =>
    fakeHost({
      terminal: true,
      stateHome,
      ...outside,
      client: { ...fakeClient(server), ...outside.client },
      env: { CHAT_TRUST: 'always', NO_COLOR: '1', ...outside.env },
    });
  return {
    server,
    stateHome,
    /** Answers to the questions, which are all asked. */
    async chat(typed: readonly string[], { argv = [], ...outside }: Outside & { argv?: string[] } = {}) {
      const host = await at({ ...outside, typed });
      const outcome = await runOn(host, ...argv);
      expect(host.asked).toHaveLength(typed.length);
      const [began] = outcome.stdout.split('\n');
      return { ...outcome, asked: host.asked, began };
    },
    run: async (...argv: string[]) => runOn(await at({ env: { CHAT_PASSWORD: 'secret' } }), ...argv),
    contexts: async () =>
      JSON.parse(await readFile(join(stateHome, 'config', 'chat', 'contexts.json'), 'utf8')),
  };
}

const chatsAs = (username: string, server = local) =>
  `* ${username} on ${server}; /help lists the commands, /quit or Ctrl-D leaves`;

describe('chat without a login', () => {
  it('logs in by name and password, and asks nothing the next time', async () => {
    const { chat } = await machine();
    const first = await chat(['log in', ' Alice ', 'secret']);
    expect([first.code, first.began, first.asked]).toEqual([
      0,
      chatsAs('alice'),
      [notLoggedIn, 'Username', 'Password'],
    ]);
    expect(await chat([])).toMatchObject({ code: 0, began: chatsAs('alice') });
  });

  it('creates an account, for which the password is asked twice', async () => {
    const { chat } = await machine();
    const { asked, began } = await chat(['create an account', 'bob', 'secret', 'secret']);
    expect([asked, began]).toEqual([[notLoggedIn, 'Username', 'Password', 'Password again'], chatsAs('bob')]);
  });

  describe('whose server judges new accounts', () => {
    const sha256 = 'ab'.repeat(32);
    /** Registers by the real library at a server that asks for `begun`. */
    async function registering(begun: object, typed: readonly string[]) {
      const server = chatServer({
        'account.begin-register': { ...begunRegistration, ...begun },
        'account.register': {
          user_id: 'id-of-bob',
          username: 'bob',
          created_at: '2026-11-21T06:00:00.000Z',
        },
      });
      const fake = fakeClient(server);
      const { chat } = await machine(server);
      const outcome = await chat(typed, {
        argv: ['--server', plain],
        client: {
          register,
          login: (on, { username }) => fake.login(on, { username, password: 'secret' }),
        },
      });
      const registrations = server.calls.filter(({ name }) => name === 'account.register');
      return { ...outcome, registrations: registrations.length };
    }
    const plain = 'plain://127.0.0.1:8080';
    const asNew = ['create an account', 'bob'];
    const common = ['trustno1', 'trustno1'];
    const good = ['a long enough secret', 'a long enough secret'];
    const policy = (how: 'warn' | 'refuse') => ({ password_policy: { min_code_points: 6, common: how } });

    it('warns of a common password and goes on where it is taken', async () => {
      const { stderr, began, registrations } = await registering(policy('warn'), [...asNew, ...common]);
      expect(stderr).toContain('warning: this password is among the most common ones');
      expect([began, registrations]).toEqual([chatsAs('bob', plain), 1]);
    });

    it('refuses one where it is not, before it is sent, and asks again', async () => {
      const { stderr, began, registrations } = await registering(policy('refuse'), [
        ...asNew,
        ...common,
        ...asNew,
        ...good,
      ]);
      expect(stderr).toContain('chat: password: it is among the most common ones, which are guessed first');
      expect(stderr).not.toContain('warning');
      expect([began, registrations]).toEqual([chatsAs('bob', plain), 1]);
    });

    it('says nothing of a good one', async () => {
      const { stderr, registrations } = await registering(policy('refuse'), [...asNew, ...good]);
      expect(stderr).not.toMatch(/warning|common/);
      expect(registrations).toBe(1);
    });

    it('shows the terms and goes on when they are accepted', async () => {
      const terms = { text: 'Be kind.\n', sha256 };
      const { stderr, asked, began } = await registering({ terms }, [...asNew, ...good, 'yes']);
      expect(stderr).toContain('The terms of this server:\nBe kind.\n');
      expect(asked.at(-1)).toBe('Do you accept them?');
      expect(began).toBe(chatsAs('bob', plain));
    });

    it('registers nobody who does not accept them, and asks again', async () => {
      const terms = { text: 'Be kind.\n', sha256 };
      const { code, stderr, registrations } = await registering({ terms }, [
        ...asNew,
        ...good,
        'no',
        'leave',
      ]);
      expect(stderr).toContain('chat: the terms were not accepted; nothing was done\n');
      expect([code, registrations]).toEqual([0, 0]);
    });
  });

  it('takes the password from the environment', async () => {
    const { chat } = await machine();
    const { asked, began } = await chat(['log in', 'alice'], { env: { CHAT_PASSWORD: 'secret' } });
    expect([asked, began]).toEqual([[notLoggedIn, 'Username'], chatsAs('alice')]);
  });

  it('asks nobody with a token', async () => {
    const { chat } = await machine();
    expect(await chat([], { env: { CHAT_TOKEN: 'cs1_first' } })).toMatchObject({ began: chatsAs('alice') });
    expect(await chat([], { env: { CHAT_TOKEN: 'cs1_other' } })).toMatchObject({
      code: 4,
      stderr: 'chat: CHAT_TOKEN is not a session token that is alive on this server\n',
    });
  });

  it('can be left', async () => {
    const { chat, server } = await machine();
    expect(await chat(['leave'])).toMatchObject({ code: 0, stdout: '' });
    expect(server.calls).toEqual([]);
  });

  it('says what was wrong, and asks again', async () => {
    const { chat } = await machine();
    const { stderr, began } = await chat([
      'log in',
      'no/body',
      'log in',
      'alice',
      'wrong!',
      'create an account',
      'alice',
      'short',
      'create an account',
      'alice',
      'secret',
      'Secret',
      'log in',
      'alice',
      'secret',
    ]);
    // What is shown while the password is stretched is drawn over.
    const errors = stderr.match(/(?<=^|\r|\[K)chat: .*$/gm);
    expect(errors).toEqual([
      expect.stringMatching(/^chat: username: /),
      'chat: unknown user or wrong secret',
      'chat: password: it has at least 6 characters',
      'chat: the two passwords differ; nothing was done',
    ]);
    expect(began).toBe(chatsAs('alice'));
  });

  it('offers to try again when the server cannot be reached', async () => {
    const { chat, server } = await machine();
    const connect = server.connect;
    let tries = 0;
    const client = {
      connect: (...parameters: Parameters<typeof connect>) => {
        tries += 1;
        if (tries <= 2) throw new ChatError('unavailable', 'cannot connect: connection refused');
        return connect(...parameters);
      },
    };
    const { stderr, began } = await chat(['try again', 'try again', 'log in', 'alice', 'secret'], { client });
    expect(stderr.match(/^chat: cannot connect: connection refused$/gm)).toHaveLength(2);
    expect(began).toBe(chatsAs('alice'));
  });
});

describe('chat without a login, where a certificate is kept', () => {
  /** A machine with a certificate of alice's that was signed so many days ago, and how often it has logged in. */
  async function keeping(days: number, answers: Parameters<typeof fakeServer>[0] = {}) {
    const server = chatServer({ 'login.certificate': {}, ...answers });
    const made = await machine(server);
    await keepFrom(await fakeHost({ stateHome: made.stateHome }), days);
    return { ...made, logins: () => server.calls.filter(({ name }) => name === 'login.certificate').length };
  }
  const asLong = [notLoggedIn, 'Username', 'Password'];

  it('asks its account for the name alone', async () => {
    const { chat, logins } = await keeping(0);
    const { asked, began } = await chat(['log in', 'alice']);
    expect([asked, began, logins()]).toEqual([[notLoggedIn, 'Username'], chatsAs('alice'), 1]);
    expect(await chat([])).toMatchObject({ code: 0, began: chatsAs('alice'), asked: [] });
  });

  it('asks for the password when it has expired, and of others, and of who registers', async () => {
    const old = await keeping(91);
    expect((await old.chat(['log in', 'alice', 'secret'])).asked).toEqual(asLong);
    const { chat, logins } = await keeping(0);
    expect((await chat(['log in', 'bob', 'secret'])).asked).toEqual(asLong);
    const other = await keeping(0);
    const registered = await other.chat(['create an account', 'alice', 'secret', 'secret']);
    expect(registered.began).toBe(chatsAs('alice'));
    expect([old.logins(), logins(), other.logins()]).toEqual([0, 0, 0]);
  });

  it('shows none to a server in clear text', async () => {
    const { chat, logins } = await keeping(0);
    const argv = ['--server', 'plain://127.0.0.1:8080'];
    const { began } = await chat(['log in', 'alice', 'secret'], { argv });
    expect([began, logins()]).toEqual([chatsAs('alice', 'plain://127.0.0.1:8080'), 0]);
  });

  it('says so when it is refused, and asks for the password then', async () => {
    const { chat } = await keeping(0, { 'login.certificate': refused() });
    const { asked, began, stderr } = await chat(['log in', 'alice', 'secret']);
    expect([asked, began]).toEqual([asLong, chatsAs('alice')]);
    expect(stderr).toContain('may have expired or been revoked');
  });

  it('asks for no password when it was the code that was wrong, nor when the server could not be asked', async () => {
    for (const error of [
      new ChatError('unauthenticated', 'this one-time code is wrong'),
      new ChatError('unavailable', 'the connection broke'),
    ]) {
      const { chat } = await keeping(0, { 'login.certificate': error });
      const { asked, stderr } = await chat(['log in', 'alice', 'leave']);
      expect(asked).toEqual([notLoggedIn, 'Username', notLoggedIn]);
      expect(stderr).toContain(`chat: ${error.message}\n`);
    }
  });
});

describe('a session that has ended', () => {
  it('is said, and another login is asked for', async () => {
    const { chat, server } = await machine();
    await chat(['log in', 'alice', 'secret']);
    server.alive.clear();
    const { asked, began, stderr } = await chat(['log in', 'alice', 'secret']);
    expect([asked[0], began]).toEqual([notLoggedIn, chatsAs('alice')]);
    expect(stderr).toContain(`the session has ended on ${local}`);
  });
});

describe('which server', () => {
  it('is asked when others were met, and the saved ones go by their names', async () => {
    const { chat, run, contexts } = await machine();
    await run('context', 'save', 'work', '--server', 'work.example.org');
    const { asked, began } = await chat([`${work} (work)`, 'yes', 'log in', 'alice', 'secret']);
    expect([asked.slice(0, 2), began]).toEqual([
      ['Which server?', `Use ${work} from now on, in other commands too?`],
      chatsAs('alice', work),
    ]);
    expect(await contexts()).toMatchObject({ selected: 'work' });
    expect(await chat([])).toMatchObject({ began: chatsAs('alice', work) });
  });

  it('is not asked when a flag or variable says it, nor whether to keep it', async () => {
    const { chat, run } = await machine();
    await run('context', 'save', 'work', '--server', 'work.example.org');
    const typed = ['log in', 'alice', 'secret'];
    expect(await chat(typed, { argv: ['--server', 'other.example.org'] })).toMatchObject({
      began: chatsAs('alice', 'chat://other.example.org:8080'),
    });
    expect(await chat(typed, { env: { CHAT_SERVER: 'third.example.org' } })).toMatchObject({
      began: chatsAs('alice', 'chat://third.example.org:8080'),
    });
  });

  it('may be another one, asked for until it is an address', async () => {
    const { chat } = await machine();
    const { stderr, asked, began } = await chat([
      'another server',
      'work:x',
      'work.example.org',
      'no',
      'log in',
      'alice',
      'secret',
    ]);
    expect(asked).toEqual([
      notLoggedIn,
      'Server (HOST:PORT)',
      'Server (HOST:PORT)',
      `Use ${work} from now on, in other commands too?`,
      `You are not logged in to ${work}.`,
      'Username',
      'Password',
    ]);
    expect([began, stderr.match(/^chat: /gm)?.length]).toEqual([chatsAs('alice', work), 1]);
  });

  it('is saved and selected after the login when that is wanted, and then it is not asked again', async () => {
    const { chat, contexts } = await machine();
    const { began, stderr } = await chat([
      'another server',
      'work.example.org',
      'yes',
      'log in',
      'alice',
      'secret',
    ]);
    expect(began).toBe(chatsAs('alice', work));
    expect(stderr).toContain(`context default is ${work}, and is selected`);
    expect(await contexts()).toMatchObject({ selected: 'default' });
    expect(await chat([])).toMatchObject({ began: chatsAs('alice', work) });
  });

  it('is not saved when one leaves before the login', async () => {
    const { chat, contexts } = await machine();
    expect(await chat(['another server', 'work.example.org', 'yes', 'leave'])).toMatchObject({ code: 0 });
    await expect(contexts()).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('keys that could not be set up at a login', () => {
  const wrong = 'this is not the recovery key of this account: nothing was restored';
  const client = {
    setUpKeys: async () => {
      throw new ChatError('invalid', wrong);
    },
  };

  it('are told, and end in the chat, also after a session that was over', async () => {
    const { chat, server } = await machine();
    const first = await chat(['log in', 'alice', 'secret'], { client });
    expect([first.began, first.stderr]).toEqual([
      chatsAs('alice'),
      expect.stringContaining(`chat: ${wrong}\n`),
    ]);
    server.alive.clear();
    const { code, asked } = await chat(['log in', 'alice', 'secret'], { client });
    expect([code, asked]).toEqual([0, [notLoggedIn, 'Username', 'Password']]);
  });

  it('are handed to whoever shows the screen, and no other error is', async () => {
    const stateHome = await temporaryDirectory();
    const typed = ['log in', 'alice', 'wrong', 'log in', 'alice', 'secret'];
    const server = chatServer();
    const host = await fakeHost({
      terminal: true,
      stateHome,
      typed,
      client: { ...fakeClient(server), ...client },
    });
    const settings = {
      server: parseServerAddress(local),
      context: 'default',
      trust: 'always',
      format: 'text',
      quiet: false,
      verbose: false,
      color: false,
      screenReader: false,
    } as const;
    const context = {
      host,
      settings,
      configuration: { values: [], contexts: { saved: new Map(), selected: 'default' } },
      output: createOutput(host, settings),
      signal: new AbortController().signal,
    } as unknown as CommandContext;
    const remembered: string[] = [];
    expect(await signIn(context, false, (text) => remembered.push(text))).toBeDefined();
    expect(host.asked).toHaveLength(typed.length);
    expect(remembered).toEqual([`your private messages: ${wrong}`]);
  });
});
