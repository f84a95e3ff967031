import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeIn } from '../core/support/mailbox.ts';
import { type MailServer, mailServer } from '../server/support/mail-server.ts';
import { codeOf, turnOn } from './support/second-factor.ts';
import { type Person, type ServerProcess, World } from './support/server.ts';

const closers: Array<() => Promise<void>> = [];
const atEnd = (close: () => Promise<void>) => void closers.unshift(close);
const sender = 'chat@chat.example';
let world: World;
let post: MailServer;
let server: ServerProcess;
let alice: Person;
let mails = 0;

beforeAll(async () => {
  world = new World(atEnd);
  post = await mailServer({}, atEnd);
  server = await world.serve([
    ...['--smtp-url', `smtp://127.0.0.1:${post.port}`, '--mail-from', sender],
    ...['--public-address', 'chat.example:443', '--free-failed-logins', '0'],
  ]);
  alice = world.person('alice', server);
  await alice.succeed(['register', 'alice', '--email', 'alice@example.org']);
});
afterAll(async () => {
  for (const close of closers) await close();
});

/** The next mail that comes, and the code in it. */
async function nextMail() {
  mails += 1;
  await post.count(mails);
  const { to, from, mail } = post.received[mails - 1] ?? {};
  const text = mail?.text ?? '';
  return { to, from, subject: mail?.subject, text, code: codeIn(text) ?? '' };
}

/** A file with a secret in it. */
function secretIn(name: string, secret: string): string {
  const path = world.path(name);
  writeFileSync(path, `${secret}\n`, { mode: 0o600 });
  return path;
}

describe('a forgotten password', () => {
  it('is no matter of mail before the address is confirmed', async () => {
    expect(await alice.succeed(['account', 'email'])).toBe('alice@example.org\n');
    const answers = await Promise.all(
      ['alice', 'alice@example.org', 'nobody', 'nobody@example.org'].map((name) =>
        alice.run(['reset', name]),
      ),
    );
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]?.code).toBe(0);
    expect(post.received).toEqual([]);
  });

  it('is set anew by a code from the confirmed address; old sessions and the old password are dead', async () => {
    expect((await alice.run(['account', 'email', '--send'])).err).toBe(
      'alice@example.org: a code is on its way; confirm it with: chat account email --verify CODE\n',
    );
    const confirming = await nextMail();
    expect([confirming.to, confirming.from]).toEqual([['alice@example.org'], sender]);
    expect(confirming.text).toContain(
      `    chat account email --verify ${confirming.code} --server chat.example:443\n`,
    );
    await alice.succeed(['account', 'email', '--verify', confirming.code.toLowerCase()]);
    expect(await alice.succeed(['account'])).toContain('e-mail\talice@example.org\n');

    const elsewhere = world.person('elsewhere', server);
    await elsewhere.succeed(['reset', 'Alice@example.org']);
    const { text, code } = await nextMail();
    expect(text).toContain('    chat reset alice --code --server chat.example:443\n');
    const [codeFile, next] = [secretIn('code', code), 'another horse of alice'];
    const reset = ['reset', 'alice', '--code-file', codeFile];
    expect(await elsewhere.run(reset, '', { CHAT_PASSWORD: 'correct horse of hers' })).toMatchObject({
      code: 0,
      err: expect.stringMatching(/^the new password is set; log in with: chat login alice\n$/),
    });
    expect(await elsewhere.run(reset, '', { CHAT_PASSWORD: next })).toEqual({
      code: 6,
      out: '',
      err: 'chat: code: it is unknown, used already or too old: ask for a new one\n',
    });
    const notice = await nextMail();
    expect([notice.to, notice.subject]).toEqual([
      ['alice@example.org'],
      'The password of your chat account was set anew',
    ]);

    expect((await alice.run(['whoami'])).code).toBe(4);
    expect((await alice.run(['login', 'alice', '-q'])).code).toBe(4);
    alice.env.CHAT_PASSWORD = 'correct horse of hers';
    await alice.succeed(['login', 'alice']);
    expect(server.running.err).not.toContain(code);
    expect(server.running.err).not.toContain(confirming.code);
  });

  it('is set anew by an administrator’s code, also when no mail arrives', async () => {
    const root = await world.person('root', server).register({ hasBackup: false });
    const [, claim = ''] = /chat admin claim (\S+)/.exec(server.running.err) ?? [];
    await root.does(['admin', 'claim', claim]);
    const bob = await world.person('bob', server).register({ hasBackup: false });
    const code = (await root.succeed(['admin', 'reset', 'bob'])).trim();
    expect((await bob.run(['admin', 'reset', 'root'])).code).toBe(5);
    bob.env.CHAT_PASSWORD = 'another horse of bob';
    await bob.succeed(['reset', 'bob', '--code-stdin'], code);
    expect((await bob.run(['whoami'])).code).toBe(4);
    await bob.succeed(['login', 'bob']);
    expect(post.received).toHaveLength(mails);
  });

  it('6.3.4: is set anew by either code with the second factor left on, which the next login asks for', async () => {
    const root = world.person('root', server);
    const dora = world.person('dora', server);
    await dora.does(['register', 'dora', '--email', 'dora@example.org'], '', { hasBackup: false });
    await dora.succeed(['account', 'email', '--send']);
    await dora.succeed(['account', 'email', '--verify', (await nextMail()).code]);
    const { secret, recoveryCodes } = await turnOn(dora);
    const reset = async (code: string, password: string) => {
      dora.env.CHAT_PASSWORD = password;
      await dora.succeed(['reset', 'dora', '--code-stdin'], code);
      const { to, subject } = await nextMail();
      expect([to, subject]).toEqual([['dora@example.org'], 'The password of your chat account was set anew']);
      expect(await dora.run(['login', 'dora'])).toMatchObject({ code: 11, out: '' });
      // The code that set the password stands in for no second factor.
      expect(await dora.run(['login', 'dora', '--otp', code])).toMatchObject({ code: 4, out: '' });
    };

    await dora.succeed(['reset', 'dora']);
    await reset((await nextMail()).code, 'a second horse of dora');
    await dora.succeed(['login', 'dora', '--otp', codeOf(secret)]);
    expect(await dora.succeed(['totp'])).toBe('on, 10 recovery codes left\n');

    await reset((await root.succeed(['admin', 'reset', 'dora'])).trim(), 'a third horse of dora');
    await dora.succeed(['login', 'dora', '--otp', recoveryCodes[0] ?? '']);
    expect(await dora.succeed(['totp'])).toBe('on, 9 recovery codes left\n');
    // What the factor guards, a session with the new password alone does not open.
    expect(await dora.run(['totp', 'off'])).toMatchObject({ code: 11, out: '' });
  }, 300_000);
});

it('another address is unconfirmed, and the old one is told', async () => {
  expect(await alice.run(['account', 'email', 'new@example.org'])).toMatchObject({
    code: 0,
    err: expect.stringContaining('the e-mail address is new@example.org; a code is on its way'),
  });
  const both = [await nextMail(), await nextMail()].toSorted((a, b) => (a.code > b.code ? 1 : -1));
  expect(both.map(({ to, subject }) => [to, subject])).toEqual([
    [['alice@example.org'], 'The e-mail address of your chat account was changed'],
    [['new@example.org'], 'Confirm your e-mail address'],
  ]);
  expect(await alice.succeed(['account'])).toContain('e-mail\tnew@example.org (not confirmed)\n');
  const wrong = { CHAT_PASSWORD: 'not the one of alice' };
  expect((await alice.run(['account', 'email', 'eve@example.org'], '', wrong)).code).toBe(4);
  await alice.succeed(['account', 'email', '--verify', both[1]?.code ?? '']);
});

it('a mail that cannot be sent is in the log without its address and its code, and the server ends at once', async () => {
  await post.close();
  await alice.succeed(['reset', 'alice']);
  // It is tried again for minutes; the end of the server gives it up.
  expect((await server.stop()).code).toBe(0);
  expect(server.running.err).toMatch(
    / warn mail-given-up note="a mail was not sent" kind=reset domain=example\.org tries=[01] cause=/,
  );
  expect(server.running.err).not.toContain('new@example.org');
});

it('a server without a way to send mail says so', async () => {
  const mute = await world.serve([], { data: world.path('mute') });
  const carol = await world.person('carol', mute).register({ hasKeys: false });
  expect(await carol.run(['reset', 'carol'])).toEqual({
    code: 2,
    out: '',
    err: 'chat: this server sends no mail: ask an administrator of it for a code\n',
  });
});
