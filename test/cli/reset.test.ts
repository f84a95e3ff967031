import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { newOneTimeCode } from '../../src/core/one-time-code.ts';
import { fakeClient, fakeServer, serverFingerprint } from './support/fake-client.ts';
import { fakeHost, type Outcome, type Outside, runOn, temporaryDirectory } from './support/fake-host.ts';

const pinned = `trusting chat://127.0.0.1:8080 from now on: ${serverFingerprint}\n`;
const code = newOneTimeCode();
const onItsWay =
  'if this is an account with a confirmed e-mail address, a code is on its way there; with it: chat reset NAME --code\n';
const isSet = 'the new password is set; log in with: chat login alice\n';

/** Runs `chat reset` against a server that does what it is asked. */
async function reset(argv: readonly string[], outside: Outside = {}) {
  const server = fakeServer({ 'account.request-reset': {}, 'account.reset-password': { username: 'alice' } });
  const host = await fakeHost({ ...outside, client: fakeClient(server) });
  const outcome: Outcome = await runOn(host, 'reset', ...argv);
  return { outcome, calls: server.calls, asked: host.asked, opened: server.opened };
}

async function fileOf(text: string): Promise<string> {
  const path = join(await temporaryDirectory(), 'secret');
  await writeFile(path, text);
  return path;
}

describe('chat reset without a code', () => {
  it.each([
    ['Alice', { username: 'alice' }],
    ['alice@example.org', { email: 'alice@example.org' }],
  ])('has one sent for %s, and says no more than it knows', async (name, params) => {
    const { outcome, calls } = await reset([name]);
    expect(outcome).toEqual({ code: 0, stdout: '', stderr: pinned + onItsWay });
    expect(calls).toEqual([{ name: 'account.request-reset', params }]);
  });

  it('asks for the name at a terminal, and needs it in a script', async () => {
    const { asked, calls } = await reset([], { terminal: true, typed: ['alice '] });
    expect([asked, calls.length]).toEqual([['Username'], 1]);
    const { outcome, opened } = await reset([]);
    expect([outcome.code, opened]).toEqual([2, 0]);
    expect(outcome.stderr).toContain('NAME is missing');
  });

  it('takes no password: there is nothing yet to set it with', async () => {
    for (const flags of [['--password-stdin'], ['--password-file', 'x']]) {
      const { outcome, opened } = await reset(['alice', ...flags], { stdin: 'secret' });
      expect([outcome.code, opened]).toEqual([2, 0]);
      expect(outcome.stderr).toContain('a new password needs a code: use --code-stdin or --code-file');
    }
  });

  it('with a name that no account can have is exit 2', async () => {
    const { outcome, opened } = await reset(['al ice']);
    expect([outcome.code, opened]).toEqual([2, 0]);
  });
});

describe('chat reset with a code', () => {
  const params = { username: 'alice', code, password: 'new secret' };

  it('asks for the code and twice for the password, and logs nobody in', async () => {
    const typed = [` ${code.toLowerCase().replaceAll('-', ' ')}`, 'new secret', 'new secret'];
    const { outcome, calls, asked } = await reset(['alice', '--code', '--no-color'], {
      terminal: true,
      typed,
    });
    expect(outcome).toMatchObject({ code: 0, stdout: '', stderr: expect.stringContaining(isSet) });
    expect(asked).toEqual(['Code', 'Password', 'Password again']);
    expect(calls).toEqual([{ name: 'account.reset-password', params }]);
  });

  it('reads both from where a script has them', async () => {
    const codeFile = await fileOf(`${code}\n`);
    const passwordFile = await fileOf('new secret\n');
    for (const [argv, outside] of [
      [['--code-file', codeFile, '--password-file', passwordFile], {}],
      [['--code-stdin', '--password-file', passwordFile], { stdin: `${code}\r\n` }],
      [['--code-file', codeFile, '--password-stdin'], { stdin: 'new secret\n' }],
      [['--code-stdin'], { stdin: code, env: { CHAT_PASSWORD: 'new secret' } }],
    ] as const) {
      const { outcome, calls } = await reset(['alice', ...argv, '-q'], outside);
      expect([outcome, calls]).toEqual([
        { code: 0, stdout: '', stderr: '' },
        [{ name: 'account.reset-password', params }],
      ]);
    }
  });

  it('prints whose it was with -o json', async () => {
    const { outcome } = await reset(['alice', '--code-stdin', '-q', '-o', 'json'], {
      stdin: code,
      env: { CHAT_PASSWORD: 'new secret' },
    });
    expect(outcome).toEqual({ code: 0, stdout: '{"username":"alice"}\n', stderr: '' });
  });

  it.each([
    ['one that was copied wrongly', code.replace(/^./, (first) => (first === '0' ? '1' : '0'))],
    ['nothing', ''],
    ['bytes that are no text', Buffer.from([0xff, 0xfe])],
  ])('that is none is told before anything is asked: %s', async (_, stdin) => {
    const { outcome, opened } = await reset(['alice', '--code-stdin'], {
      stdin,
      env: { CHAT_PASSWORD: 'new secret' },
    });
    expect([outcome.code, opened]).toEqual([2, 0]);
    expect(outcome.stderr).toMatch(
      /^chat: (code: seven groups of four letters and digits are expected; was it copied wrongly\?|--code-stdin is not UTF-8)/,
    );
  });

  it.each([
    [['--code'], 'a code is needed: use --code-stdin or --code-file'],
    [['--code-stdin', '--code-file', 'x'], 'there is one code'],
    [['--code-stdin', '--password-stdin'], 'stdin holds one secret'],
    [['--code-stdin'], 'a password is needed: use --password-stdin, --password-file or CHAT_PASSWORD'],
    [['--code-file', '/no/such/file', '--password-stdin'], '--code-file: cannot read /no/such/file (ENOENT)'],
    [['--code-stdin', '--password', 'x'], 'an argument shows the secret'],
  ])('in a script says what is missing or too much: %j', async (argv, message) => {
    const { outcome, opened } = await reset(['alice', ...argv], { stdin: code });
    expect([outcome.code, opened]).toEqual([2, 0]);
    expect(outcome.stderr).toContain(message);
  });

  it('is never an argument', async () => {
    const { outcome, opened } = await reset(['alice', '--code', code]);
    expect([outcome.code, opened]).toEqual([2, 0]);
  });

  it('needs the name and not the address, which the password is not made with', async () => {
    const { outcome, opened } = await reset(['alice@example.org', '--code-stdin'], {
      stdin: code,
      env: { CHAT_PASSWORD: 'new secret' },
    });
    expect([outcome.code, opened]).toEqual([2, 0]);
    expect(outcome.stderr).toContain('NAME: a name has');
  });
});
