import { describe, expect, it } from 'vitest';
import { register } from '../../src/client/register.ts';
import { ChatError } from '../../src/core/errors.ts';
import { begunRegistration, type FakeServer, fakeClient, fakeServer } from './support/fake-client.ts';
import { fakeHost, type Outside, runOn } from './support/fake-host.ts';
import { loggedIn } from './support/logged-in.ts';

const sha256 = 'ab'.repeat(32);
const text = 'Be kind.\r\nThat is all.\n';
const shown = 'The terms of this server:\nBe kind.\nThat is all.\n';

/** A server with terms, or with `begun` in their place. */
function serverWith(begun: object = { terms: { text, sha256 } }): FakeServer {
  return fakeServer({
    'account.begin-register': { ...begunRegistration, ...begun },
    'account.register': {
      user_id: 'id-of-alice',
      username: 'alice',
      created_at: '2026-11-21T06:00:00.000Z',
    },
  });
}

/** `chat register alice` by the real library. */
async function registering(outside: Outside, flags: readonly string[] = [], server = serverWith()) {
  const fake = fakeClient(server);
  const host = await fakeHost({
    ...outside,
    client: {
      ...fake,
      register,
      login: (on, { username }) => fake.login(on, { username, password: 'secret' }),
    },
    env: { CHAT_SERVER: 'plain://127.0.0.1:8080', CHAT_PASSWORD: 'a long enough secret', TERM: 'dumb' },
  });
  const outcome = await runOn(host, 'register', 'alice', ...flags);
  const registered = server.calls.filter(({ name }) => name === 'account.register');
  return {
    ...outcome,
    asked: host.asked,
    accepted: registered.map(({ params }) => (params as Record<string, unknown>).accept_terms),
  };
}

const done = 'registered and logged in as alice\n';

describe('the terms of a server', () => {
  it('are shown to a person who registers, and asked about', async () => {
    expect(await registering({ terminal: true, typed: ['yes'] })).toEqual({
      code: 0,
      stdout: '',
      stderr: shown + done,
      asked: ['Do you accept them?'],
      accepted: [sha256],
    });
  });

  it('that are not accepted end the registration before anything of the password is sent', async () => {
    expect(await registering({ terminal: true, typed: ['no'] })).toEqual({
      code: 5,
      stdout: '',
      stderr: `${shown}chat: the terms were not accepted; nothing was done\n`,
      asked: ['Do you accept them?'],
      accepted: [],
    });
  });

  it.each([[], ['--quiet']])(
    'stand on stderr where nobody can be asked, with what to do',
    async (...flags) => {
      expect(await registering({}, flags)).toEqual({
        code: 5,
        stdout: '',
        stderr: `${shown}chat: only who accepts the terms of this server may have an account here: --accept-terms does\n`,
        asked: [],
        accepted: [],
      });
    },
  );

  it.each([true, false])('are accepted by --accept-terms without a word (terminal: %s)', async (terminal) => {
    expect(await registering({ terminal }, ['--accept-terms'])).toEqual({
      code: 0,
      stdout: '',
      stderr: done,
      asked: [],
      accepted: [sha256],
    });
  });

  it('are spoken of by no server that has none, and --accept-terms is no error there', async () => {
    for (const flags of [[], ['--accept-terms']]) {
      expect(await registering({ terminal: true }, flags, serverWith({}))).toMatchObject({
        code: 0,
        stderr: done,
        asked: [],
        accepted: [undefined],
      });
    }
  });

  it('16.4.1: can neither move the cursor nor forge a line', async () => {
    const evil = serverWith({ terms: { text: 'a\u001b[2J\rb\u202ec\u0007\n', sha256 } });
    const { stderr } = await registering({}, [], evil);
    expect(stderr.split('\n')[1]).toBe('a\\x1b[2J\\rb\\u202ec\\x07');
  });

  it('that have changed since they were shown are the server’s to refuse', async () => {
    const server = serverWith();
    server.answers['account.register'] = new ChatError('forbidden', 'accept the terms of this server first');
    expect(await registering({ terminal: true, typed: ['yes'] }, [], server)).toMatchObject({
      code: 5,
      stderr: `${shown}chat: accept the terms of this server first\n`,
    });
  });
});

describe('chat account terms', () => {
  const begun = { realm: 'r', cost: 10, suite: 's', server_key: 'AAAA', terms: { text, sha256 } };
  const acceptedAt = (accepted_at: string | null) => ({
    'account.begin-register': begun,
    'account.me': { terms: { sha256, accepted_at } },
    'account.accept-terms': { sha256 },
  });

  it('shows what is accepted, and asks nothing', async () => {
    const { server, run } = await loggedIn(acceptedAt('2026-11-21T06:00:00.000Z'));
    expect(await run('account', 'terms')).toEqual({
      code: 0,
      stdout: '',
      stderr: `${shown}accepted on 2026-11-21 06:00:00\n`,
    });
    expect(JSON.parse((await run('account', 'terms', '-o', 'json', '-q')).stdout)).toEqual({
      sha256,
      accepted_at: '2026-11-21T06:00:00.000Z',
    });
    expect(server.calls.some(({ name }) => name === 'account.accept-terms')).toBe(false);
  });

  it('that have changed are asked about, and in a script it says how to accept them', async () => {
    const person = await loggedIn(acceptedAt(null), { terminal: true, typed: ['yes'] });
    expect((await person.run('account', 'terms')).code).toBe(0);
    expect(person.server.calls.at(-1)).toEqual({
      name: 'account.accept-terms',
      params: { accept_terms: sha256 },
    });
    const script = await loggedIn(acceptedAt(null));
    expect(await script.run('account', 'terms')).toEqual({
      code: 5,
      stdout: '',
      stderr: `${shown}chat: these terms are not accepted yet: chat account terms --accept-terms does\n`,
    });
    expect((await script.run('account', 'terms', '--accept-terms')).code).toBe(0);
  });
});
