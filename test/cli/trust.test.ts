import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  fakeClient,
  fakeServer,
  openedSession,
  otherFingerprint,
  serverFingerprint,
  testPin,
} from './support/fake-client.ts';
import { fakeHost, type Outside, runOn, temporaryDirectory } from './support/fake-host.ts';

const far = 'chat.example.org:8080';
const farAddress = 'chat://chat.example.org:8080';

/** Runs whoami with a token, so that the server's key is all that matters. */
async function visit(
  stateHome: string,
  server: ReturnType<typeof fakeServer>,
  flags: string[],
  outside: Outside = {},
) {
  server.answers['account.me'] = { username: 'alice' };
  const env = { CHAT_TOKEN: 'cs1_first', ...outside.env };
  const host = await fakeHost({ ...outside, env, stateHome, client: fakeClient(server) });
  return { ...(await runOn(host, 'whoami', ...flags)), asked: host.asked };
}

const pinnedIn = async (stateHome: string): Promise<unknown> =>
  JSON.parse(await readFile(join(stateHome, 'chat', 'known_servers.json'), 'utf8'));

describe("an unknown server's key", () => {
  it('is pinned on first use on this machine, and says so once', async () => {
    const stateHome = await temporaryDirectory();
    const server = fakeServer();
    expect(await visit(stateHome, server, [])).toMatchObject({
      code: 0,
      stdout: 'alice\n',
      stderr: `trusting chat://127.0.0.1:8080 from now on: ${serverFingerprint}\n`,
    });
    expect(await visit(stateHome, server, [])).toMatchObject({ code: 0, stderr: '' });
    expect(await pinnedIn(stateHome)).toEqual({
      'chat://127.0.0.1:8080': { fingerprint: serverFingerprint, logins: {} },
    });
    const { mode } = await stat(join(stateHome, 'chat', 'known_servers.json'));
    expect(mode & 0o777).toBe(0o600);
  });

  it('12.3.2: elsewhere stops a script with exit 9, and the text names the key and the flag', async () => {
    const server = fakeServer();
    expect(await visit(await temporaryDirectory(), server, ['--server', far])).toEqual({
      code: 9,
      stdout: '',
      stderr: `chat: the key of ${farAddress} is not known: ${serverFingerprint}; compare it with what \`chat serve\` printed there, then pass --fingerprint ${serverFingerprint}\n`,
      asked: [],
    });
    expect(server.opened).toBe(0);
  });

  it('elsewhere is shown to a person, who decides', async () => {
    const stateHome = await temporaryDirectory();
    const server = fakeServer();
    const refused = await visit(stateHome, server, ['--server', far], { terminal: true, typed: ['no'] });
    expect(refused.code).toBe(9);
    expect(refused.stderr).toContain(`The key of ${farAddress} is not known: ${serverFingerprint}\n`);
    const accepted = await visit(stateHome, server, ['--server', far], { terminal: true, typed: ['yes'] });
    expect(accepted).toMatchObject({
      code: 0,
      asked: ['Is this the fingerprint that `chat serve` printed there?'],
    });
    expect(await visit(stateHome, server, ['--server', far], { terminal: true })).toMatchObject({
      code: 0,
      asked: [],
    });
  });

  it.each([['on-first-use'], ['always']])('elsewhere passes with --trust %s and is pinned', async (mode) => {
    const stateHome = await temporaryDirectory();
    const server = fakeServer();
    expect(await visit(stateHome, server, ['--server', far, '--trust', mode])).toMatchObject({ code: 0 });
    expect(await visit(stateHome, server, ['--server', far])).toMatchObject({ code: 0 });
  });

  it('is refused with --trust never and CHAT_TRUST=never, on this machine too', async () => {
    expect(await visit(await temporaryDirectory(), fakeServer(), ['--trust', 'never'])).toMatchObject({
      code: 9,
    });
    const env = { CHAT_TRUST: 'never' };
    expect(await visit(await temporaryDirectory(), fakeServer(), [], { env })).toMatchObject({ code: 9 });
  });

  it('passes when it has the expected fingerprint, and no other does', async () => {
    const stateHome = await temporaryDirectory();
    const server = fakeServer();
    const wrong = await visit(stateHome, server, ['--server', far, '--fingerprint', otherFingerprint]);
    expect(wrong).toMatchObject({
      code: 9,
      stderr: `chat: ${farAddress} shows the key ${serverFingerprint}, not the expected ${otherFingerprint}\n`,
    });
    expect(
      await visit(stateHome, server, ['--server', far], { env: { CHAT_FINGERPRINT: serverFingerprint } }),
    ).toMatchObject({ code: 0 });
    expect(await visit(stateHome, server, ['--server', far])).toMatchObject({ code: 0 });
  });
});

describe('a key that the system trusts', () => {
  it('passes unasked and is not pinned', async () => {
    const stateHome = await temporaryDirectory();
    const server = fakeServer();
    server.trustedBySystem = true;
    expect(await visit(stateHome, server, ['--server', far, '--trust', 'never'])).toMatchObject({
      code: 0,
      stderr: '',
    });
    await expect(pinnedIn(stateHome)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('must still have the expected fingerprint', async () => {
    const server = fakeServer();
    server.trustedBySystem = true;
    expect(
      await visit(await temporaryDirectory(), server, ['--fingerprint', otherFingerprint]),
    ).toMatchObject({ code: 9 });
  });
});

describe('a key that has changed', () => {
  async function changed() {
    const stateHome = await temporaryDirectory();
    const server = fakeServer();
    await visit(stateHome, server, []);
    server.fingerprint = otherFingerprint;
    server.opened = 0;
    return { stateHome, server };
  }

  it.each([[[]], [['--trust', 'on-first-use']], [['--trust', 'never']]])(
    'stops everything with exit 9, naming both keys and the file: %j',
    async (flags) => {
      const { stateHome, server } = await changed();
      const outcome = await visit(stateHome, server, flags);
      expect(outcome).toMatchObject({
        code: 9,
        stdout: '',
        stderr:
          `chat: the key of chat://127.0.0.1:8080 has changed: ${join(stateHome, 'chat', 'known_servers.json')} has ${serverFingerprint}, ` +
          `the server shows ${otherFingerprint}; somebody may be in between. If its operator confirms the new key, pass --fingerprint ${otherFingerprint} once\n`,
      });
      expect(server.opened).toBe(0);
      expect(await pinnedIn(stateHome)).toMatchObject({
        'chat://127.0.0.1:8080': { fingerprint: serverFingerprint },
      });
    },
  );

  it('is not asked about in a terminal either', async () => {
    const { stateHome, server } = await changed();
    expect(await visit(stateHome, server, [], { terminal: true })).toMatchObject({ code: 9, asked: [] });
  });

  it('replaces the pin when its fingerprint is given', async () => {
    const { stateHome, server } = await changed();
    expect(await visit(stateHome, server, ['--fingerprint', otherFingerprint])).toMatchObject({ code: 0 });
    expect(await visit(stateHome, server, [])).toMatchObject({ code: 0 });
    server.fingerprint = serverFingerprint;
    expect(await visit(stateHome, server, [])).toMatchObject({ code: 9 });
  });

  it('replaces the pin with --trust always, and says so', async () => {
    const { stateHome, server } = await changed();
    expect(await visit(stateHome, server, ['--trust', 'always'])).toMatchObject({
      code: 0,
      stderr: `warning: the key of chat://127.0.0.1:8080 has changed from ${serverFingerprint} to ${otherFingerprint}; trusted as asked\n`,
    });
  });
});

describe('what a server showed at a login', () => {
  const loginWith = async (
    stateHome: string,
    server: ReturnType<typeof fakeServer>,
    seen: unknown[],
    ...flags: string[]
  ) => {
    const client = {
      ...fakeClient(server),
      login: async (_connection: unknown, options: { username: string; pin?: unknown }) => {
        seen.push(options.pin);
        return { session: openedSession(options.username), pin: testPin };
      },
    };
    const host = await fakeHost({ stateHome, client, env: { CHAT_PASSWORD: 'secret' } });
    return await runOn(host, ...flags);
  };

  it('is held against it at the next one, also after a logout, by username', async () => {
    const stateHome = await temporaryDirectory();
    const server = fakeServer({ 'session.end': {} });
    const seen: unknown[] = [];
    await loginWith(stateHome, server, seen, 'login', 'alice');
    await loginWith(stateHome, server, seen, 'logout');
    await loginWith(stateHome, server, seen, 'login', 'alice');
    await loginWith(stateHome, server, seen, 'login', 'bob');
    expect(seen).toEqual([undefined, testPin, undefined]);
  });

  it('is forgotten with the old key when a person accepts a new one', async () => {
    const stateHome = await temporaryDirectory();
    const server = fakeServer();
    const seen: unknown[] = [];
    await loginWith(stateHome, server, seen, 'login', 'alice');
    server.fingerprint = otherFingerprint;
    await loginWith(stateHome, server, seen, 'login', 'alice', '--fingerprint', otherFingerprint);
    expect(seen).toEqual([undefined, undefined]);
  });
});

describe('a damaged list of known servers', () => {
  it.each([
    ['not json'],
    ['[]'],
    ['{"chat://a:1":{"logins":3}}'],
    ['{"chat://a:1":{"logins":{"x":{}}}}'],
    ['{"chat://a:1":{"fingerprint":1,"logins":{}}}'],
  ])('stops with exit 2 and is kept as it is: %s', async (content) => {
    const stateHome = await temporaryDirectory();
    await visit(stateHome, fakeServer(), []);
    const path = join(stateHome, 'chat', 'known_servers.json');
    await writeFile(path, content);
    expect(await visit(stateHome, fakeServer(), [])).toMatchObject({
      code: 2,
      stderr: `chat: ${path}: is damaged; move it away, and check the server fingerprints anew\n`,
    });
    expect(await readFile(path, 'utf8')).toBe(content);
  });
});
