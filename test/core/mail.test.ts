import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { formatHashedPassword } from '../../src/core/crypto/hashed-password.ts';
import { totpCode, totpStep } from '../../src/core/crypto/totp.ts';
import { newOneTimeCode } from '../../src/core/one-time-code.ts';
import type { InputOf } from '../../src/core/operations/index.ts';
import { failuresPastWait, mailLimits, oneTimeCodeMs } from '../../src/core/policy.ts';
import {
  authSecret,
  challenged,
  type FakePeer,
  loggedIn,
  logInFirst,
  login,
  type OpenChatParts,
  openChat,
  password,
  peer,
  refusal,
  register,
  registration,
  saltOf,
  type TestChat,
} from './support/chat.ts';
import { type Mailbox, mailbox } from './support/mailbox.ts';
import { secretOf } from './support/second-factor.ts';

const start = Date.parse('2026-03-01T12:00:00.000Z');
const another = 'another horse battery staple';
const deadCode = {
  code: 'not-found',
  message: 'code: it is unknown, used already or too old: ask for a new one',
  field: 'code',
};
const noMail = (instead: string) => ({
  code: 'unsupported',
  message: `this server sends no mail: ${instead}`,
});

beforeEach(() => {
  vi.useFakeTimers({ now: start });
});
afterEach(() => {
  vi.useRealTimers();
});

type Server = TestChat & { readonly box: Mailbox };

/** A server that sends mail, with alice, who has an address, and bob, who has none. */
async function open(parts: OpenChatParts = {}): Promise<Server> {
  const box = mailbox();
  const t = await openChat({ ...parts, mail: box.mail });
  await t.call(peer(), 'account.register', { ...(await registration('alice')), email: 'alice@example.org' });
  await register(t, 'bob');
  return { ...t, box };
}

/** The same, with alice's address confirmed and the mail of that forgotten. */
async function openConfirmed(parts: OpenChatParts = {}): Promise<Server> {
  const t = await open(parts);
  const alice = await loggedIn(t, 'alice');
  await t.call(alice, 'account.request-email-verification', {});
  await t.call(alice, 'account.verify-email', { code: t.box.code() });
  await t.call(alice, 'session.end', {});
  t.box.mails.length = 0;
  return t;
}

const proof = async (name: string, secret = password) => ({
  hashed_password: formatHashedPassword(await authSecret(name, secret, saltOf(name), 10)),
});

async function addressOf(t: TestChat, connection: FakePeer) {
  const { email, email_verified } = await t.call(connection, 'account.me', {});
  return { email, email_verified };
}

/** Asks for a reset mail and answers its code. */
async function resetCode(t: Server, named: InputOf<'account.request-reset'> = { username: 'alice' }) {
  expect(await t.call(peer(), 'account.request-reset', named)).toEqual({});
  await t.quiet();
  return t.box.code();
}

async function newVerifier(name: string, secret = another) {
  return { username: name, verifier: (await registration(name, secret)).verifier };
}

describe('an address that is to be confirmed', () => {
  it('is sent a code, which says that it is the owner’s', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    expect(await addressOf(t, alice)).toEqual({ email: 'alice@example.org', email_verified: false });
    expect(await t.call(alice, 'account.request-email-verification', {})).toEqual({
      email: 'alice@example.org',
      email_verified: false,
    });
    const code = t.box.code();
    expect(t.box.mails).toEqual([
      {
        kind: 'verify-email',
        to: 'alice@example.org',
        subject: 'Confirm your e-mail address',
        text: [
          'This address was given for the chat account alice',
          'at chat.example:8080.',
          '',
          'If it is yours, type in a terminal where you are logged in:',
          '',
          `    chat account email --verify ${code} --server chat.example:8080`,
          '',
          'The code works once, until 2026-03-01 13:00 UTC.',
          '',
          'If you know nothing of this, do nothing: without the code the address',
          'stays unconfirmed, and is not used.',
          '',
        ].join('\n'),
      },
    ]);
    expect(await t.call(alice, 'account.verify-email', { code: code.toLowerCase() })).toEqual({
      email: 'alice@example.org',
    });
    expect(await addressOf(t, alice)).toEqual({ email: 'alice@example.org', email_verified: true });
    expect(await t.call(alice, 'account.request-email-verification', {})).toEqual({
      email: 'alice@example.org',
      email_verified: true,
    });
    expect(t.box.mails).toHaveLength(1);
  });

  it('6.5.1: is confirmed by a code once, also by two at once', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    await t.call(alice, 'account.request-email-verification', {});
    const code = t.box.code();
    const both = await Promise.allSettled(
      [alice, await loggedIn(t, 'alice')].map((one) => t.call(one, 'account.verify-email', { code })),
    );
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await refusal(t.call(alice, 'account.verify-email', { code }))).toEqual(deadCode);
  });

  it('6.4.1: is confirmed 1 ms before the hour is over, and not at its end', async () => {
    for (const [age, lives] of [
      [oneTimeCodeMs - 1, true],
      [oneTimeCodeMs, false],
    ] as const) {
      const t = await open();
      const alice = await loggedIn(t, 'alice');
      await t.call(alice, 'account.request-email-verification', {});
      vi.setSystemTime(Date.now() + age);
      const call = t.call(alice, 'account.verify-email', { code: t.box.code() });
      if (lives) await call;
      else expect(await refusal(call)).toEqual(deadCode);
      expect((await addressOf(t, alice)).email_verified).toBe(lives);
    }
  });

  it('is not confirmed by an older code, a stranger’s, another account’s, one for a password, or by nobody', async () => {
    const t = await open();
    const [alice, bob] = [await loggedIn(t, 'alice'), await loggedIn(t, 'bob')];
    await t.call(alice, 'account.request-email-verification', {});
    const older = t.box.code();
    await t.call(alice, 'account.request-email-verification', {});
    const code = t.box.code();
    for (const [connection, given] of [
      [alice, older],
      [alice, newOneTimeCode()],
      [bob, code],
    ] as const) {
      expect(await refusal(t.call(connection, 'account.verify-email', { code: given }))).toEqual(deadCode);
    }
    expect(await refusal(t.call(peer(), 'account.verify-email', { code }))).toEqual(logInFirst);
    expect(await refusal(t.call(alice, 'account.verify-email', { code: `${code}0` }))).toEqual({
      code: 'invalid',
      message: 'code: seven groups of four letters and digits are expected; was it copied wrongly?',
      field: 'code',
    });
    // None of these has used it up.
    await t.call(alice, 'account.verify-email', { code });
    const reset = await resetCode(t);
    expect(await refusal(t.call(alice, 'account.verify-email', { code: reset }))).toEqual(deadCode);
  });

  it('has to be there, and the server has to send mail', async () => {
    const t = await open();
    expect(await refusal(t.call(await loggedIn(t, 'bob'), 'account.request-email-verification', {}))).toEqual(
      { code: 'conflict', message: 'this account has no e-mail address: give it one' },
    );
    const mute = await openChat();
    await register(mute, 'alice');
    const alice = await loggedIn(mute, 'alice');
    expect(await refusal(mute.call(alice, 'account.request-email-verification', {}))).toEqual(
      noMail('an address cannot be confirmed here'),
    );
  });
});

describe('a new address', () => {
  it('7.5.1: needs a fresh proof, and is unconfirmed until its owner says so', async () => {
    const t = await openConfirmed();
    const alice = await loggedIn(t, 'alice');
    const change = async (secret: string) =>
      t.call(alice, 'account.set-email', { email: 'New@example.org', proof: await proof('alice', secret) });
    expect(await refusal(change(another))).toEqual({
      code: 'unauthenticated',
      message: 'the password is wrong; nothing was changed',
    });
    expect(await addressOf(t, alice)).toEqual({ email: 'alice@example.org', email_verified: true });
    expect(await change(password)).toEqual({
      email: 'New@example.org',
      email_verified: false,
      mail_sent: true,
    });
    expect(await addressOf(t, alice)).toEqual({ email: 'New@example.org', email_verified: false });
    await t.call(alice, 'account.verify-email', { code: t.box.code() });
    expect(await addressOf(t, alice)).toEqual({ email: 'New@example.org', email_verified: true });
  });

  it('is told to the one that was confirmed before, and to no unconfirmed one', async () => {
    const t = await openConfirmed();
    const alice = await loggedIn(t, 'alice');
    for (const email of ['new@example.org', 'newer@example.org']) {
      await t.call(alice, 'account.set-email', { email, proof: await proof('alice') });
    }
    expect(t.box.mails.map(({ kind, to }) => [kind, to])).toEqual([
      ['email-changed', 'alice@example.org'],
      ['verify-email', 'new@example.org'],
      ['verify-email', 'newer@example.org'],
    ]);
    expect(t.box.mails[0]?.text).not.toContain('new@');
    expect(t.box.mails[0]?.text).toContain('2026-03-01 12:00 UTC');
  });

  it('that is the old one changes nothing', async () => {
    const t = await openConfirmed();
    const alice = await loggedIn(t, 'alice');
    expect(
      await t.call(alice, 'account.set-email', { email: 'alice@example.org', proof: await proof('alice') }),
    ).toEqual({ email: 'alice@example.org', email_verified: true, mail_sent: false });
    expect(t.box.mails).toEqual([]);
  });

  it('of another account may be given, which is told to nobody, and leads to whoever confirms it', async () => {
    const t = await open();
    const [alice, bob] = [await loggedIn(t, 'alice'), await loggedIn(t, 'bob')];
    const email = 'ALICE@example.org';
    const given = await t.call(bob, 'account.set-email', { email, proof: await proof('bob') });
    expect(given).toEqual({ email, email_verified: false, mail_sent: true });
    expect(await addressOf(t, alice)).toEqual({ email: 'alice@example.org', email_verified: false });
    // Who has given it first gets no password by it, and neither does the other one.
    await t.call(bob, 'account.verify-email', { code: t.box.code() });
    expect(await addressOf(t, bob)).toEqual({ email, email_verified: true });
    expect(await addressOf(t, alice)).toEqual({ email: 'alice@example.org', email_verified: false });
    await resetCode(t, { email: 'alice@example.org' });
    expect(t.box.mails.at(-1)?.text).toContain('chat reset bob --code');
    expect(t.audit.at(-1)).not.toMatchObject({ user: 'alice' });
  });

  it('that is confirmed for another account is given with the same answer, and refused to who reads its mail', async () => {
    const t = await openConfirmed();
    const bob = await loggedIn(t, 'bob');
    const email = 'alice@example.org';
    const answer = (address: string) => ({ email: address, email_verified: false, mail_sent: true });
    expect(await t.call(bob, 'account.set-email', { email, proof: await proof('bob') })).toEqual(
      answer(email),
    );
    const code = t.box.code();
    expect(await refusal(t.call(bob, 'account.verify-email', { code }))).toEqual({
      code: 'conflict',
      message: 'this e-mail address is confirmed for another account: give that one another address first',
      field: 'email',
    });
    await resetCode(t, { email });
    expect(t.box.mails.at(-1)?.text).toContain('chat reset alice --code');
    const alice = await loggedIn(t, 'alice');
    await t.call(alice, 'account.set-email', { email: 'a@example.net', proof: await proof('alice') });
    expect(await t.call(bob, 'account.verify-email', { code })).toEqual({ email });
    expect(
      await t.call(bob, 'account.set-email', { email: 'nobodys@example.org', proof: await proof('bob') }),
    ).toEqual(answer('nobodys@example.org'));
  });

  it('that somebody had given before is its owner’s again: by name, by address, and for a forgotten password', async () => {
    const box = mailbox();
    const t = await openChat({ mail: box.mail });
    const email = 'carol@example.org';
    const [squatter, carol] = [peer(), peer()];
    await t.call(squatter, 'account.register', { username: 'eve', email, password: 'eves own words' });
    await t.call(carol, 'account.register', { username: 'carol', email, password, open_session: true });
    await t.call(carol, 'account.request-email-verification', {});
    await t.call(carol, 'account.verify-email', { code: box.code() });
    const again = peer();
    await t.call(again, 'login.password', { email, password });
    expect(again.session?.username).toBe('carol');
    expect(
      await refusal(t.call(peer(), 'login.password', { email, password: 'eves own words' })),
    ).toMatchObject({ code: 'unauthenticated' });
    await t.call(squatter, 'login.password', { username: 'eve', password: 'eves own words' });
    expect(await addressOf(t, squatter)).toEqual({ email, email_verified: false });
  });

  it('kills a code for a new password that was sent to the old one', async () => {
    const t = await openConfirmed();
    const code = await resetCode(t);
    const alice = await loggedIn(t, 'alice');
    await t.call(alice, 'account.set-email', { email: 'new@example.org', proof: await proof('alice') });
    expect(
      await refusal(t.call(peer(), 'account.reset-password', { code, ...(await newVerifier('alice')) })),
    ).toEqual(deadCode);
  });

  it('is taken also where no mail is sent', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    const email = 'alice@example.org';
    expect(await t.call(alice, 'account.set-email', { email, proof: await proof('alice') })).toEqual({
      email,
      email_verified: false,
      mail_sent: false,
    });
  });

  it.each([
    'alice@example.org\r\nBcc: eve@example.org',
    'alice@example.org\n',
    'alice@example.org, eve@example.org',
    'Alice <alice@example.org>',
    '"alice eve"@example.org',
    'alice@[192.0.2.1]',
    'alice@localhost',
    'alice',
    '@example.org',
    `${'a'.repeat(250)}@example.org`,
  ])('that could be more than an address is refused: %j', async (email) => {
    const t = await open();
    const bob = await loggedIn(t, 'bob');
    const refused = [
      refusal(t.send(bob, 'account.set-email', { email, proof: await proof('bob') })),
      refusal(t.send(peer(), 'account.request-reset', { email })),
      refusal(t.send(peer(), 'account.register', { ...(await registration('eve')), email })),
    ];
    for (const answer of await Promise.all(refused)) {
      expect(answer).toMatchObject({ code: 'invalid', field: 'email' });
    }
    expect(t.box.mails).toEqual([]);
  });
});

describe('a forgotten password', () => {
  it('is replaced by a code from the confirmed address; every session ends and the owner is told', async () => {
    const t = await openConfirmed();
    const [first, second] = [await loggedIn(t, 'alice'), await loggedIn(t, 'alice')];
    const bob = await loggedIn(t, 'bob');
    const code = await resetCode(t);
    expect(t.box.mails).toEqual([
      {
        kind: 'reset',
        to: 'alice@example.org',
        subject: 'A new password for your chat account',
        text: [
          'Somebody asked for a new password for the chat account alice',
          'at chat.example:8080.',
          '',
          'If it was you, type in a terminal:',
          '',
          '    chat reset alice --code --server chat.example:8080',
          '',
          'and when it asks for the code:',
          '',
          `    ${code}`,
          '',
          'The code works once, until 2026-03-01 13:00 UTC. Give it to nobody.',
          '',
          'If it was not you, do nothing: your password stays as it is.',
          '',
        ].join('\n'),
      },
    ]);
    expect(await t.call(peer(), 'account.reset-password', { code, ...(await newVerifier('alice')) })).toEqual(
      { username: 'alice' },
    );
    expect([first.endings, second.endings, bob.endings]).toEqual([
      ['credentials-changed'],
      ['credentials-changed'],
      [],
    ]);
    expect(await refusal(login(t, peer(), 'alice'))).toMatchObject({ code: 'unauthenticated' });
    await login(t, peer(), 'alice', { password: another });
    expect(t.box.mails.slice(1).map(({ kind, to }) => [kind, to])).toEqual([
      ['password-reset', 'alice@example.org'],
    ]);
  });

  it('is asked for by name, or by address in any case', async () => {
    const t = await openConfirmed();
    const byName = await resetCode(t, { username: 'ALICE' });
    const byEmail = await resetCode(t, { email: 'Alice@Example.org' });
    const reset = async (code: string) =>
      t.call(peer(), 'account.reset-password', { code, ...(await newVerifier('alice')) });
    expect(await refusal(reset(byName))).toEqual(deadCode);
    await reset(byEmail);
  });

  it('6.3.8: is answered alike, before anything is looked up: an account, none, one without or with an unconfirmed address', async () => {
    const asked = Promise.withResolvers<never>();
    const t = await openConfirmed();
    const slow = await openChat({
      beside: t,
      mail: t.box.mail,
      // Nobody gets an answer from this store: what is answered all the same cannot depend on it.
      store: (store) => ({
        ...store,
        account: () => asked.promise,
        usernameByEmail: () => asked.promise,
      }),
    });
    asked.promise.catch(() => {});
    for (const named of [
      { username: 'alice' },
      { username: 'bob' },
      { username: 'nobody' },
      { email: 'alice@example.org' },
      { email: 'nobody@example.org' },
    ]) {
      expect(await slow.call(peer(), 'account.request-reset', named)).toEqual({});
    }
  });

  it('gets no mail without a confirmed address: who gave the address may be anybody', async () => {
    const t = await open();
    for (const named of [
      { username: 'alice' },
      { email: 'alice@example.org' },
      { username: 'bob' },
      { username: 'nobody' },
      { email: 'nobody@example.org' },
    ]) {
      expect(await t.call(peer(), 'account.request-reset', named)).toEqual({});
    }
    await t.quiet();
    expect(t.box.mails).toEqual([]);
    expect(t.failures).toEqual([]);
  });

  it('says so where the server sends no mail, alike for everybody, and takes one of name and address', async () => {
    const mute = await openChat();
    await register(mute, 'alice');
    for (const username of ['alice', 'nobody']) {
      expect(await refusal(mute.call(peer(), 'account.request-reset', { username }))).toEqual(
        noMail('ask an administrator of it for a code'),
      );
    }
    for (const named of [{}, { username: 'alice', email: 'alice@example.org' }]) {
      expect(await refusal(mute.call(peer(), 'account.request-reset', named))).toEqual({
        code: 'invalid',
        message: 'username: give either username or email',
        field: 'username',
      });
    }
  });

  it('a failure of the store goes to the log and not to the caller', async () => {
    const t = await openConfirmed();
    const failing = await openChat({
      beside: t,
      mail: t.box.mail,
      store: (store) => ({ ...store, putCode: () => Promise.reject(new Error('the disk is full')) }),
    });
    expect(await failing.call(peer(), 'account.request-reset', { username: 'alice' })).toEqual({});
    await failing.quiet();
    expect(failing.failures.map(({ error }) => String(error))).toEqual(['Error: the disk is full']);
    expect(t.box.mails).toEqual([]);
  });
});

describe('a changed password', () => {
  it('is told to the confirmed address, and to no other', async () => {
    const t = await openConfirmed();
    const change = async (name: string) =>
      t.call(await loggedIn(t, name), 'account.change-password', {
        proof: await proof(name),
        verifier: (await newVerifier(name)).verifier,
      });
    await change('alice');
    await change('bob');
    expect(t.box.mails).toEqual([
      {
        kind: 'password-changed',
        to: 'alice@example.org',
        subject: 'The password of your chat account was changed',
        text: [
          'The password of the chat account alice',
          'at chat.example:8080',
          'was changed on 2026-03-01 12:00 UTC. All its other sessions have ended.',
          '',
          'If it was not you, ask for a code at once, or ask an administrator of the',
          'server for help:',
          '',
          '    chat reset alice --server chat.example:8080',
          '',
        ].join('\n'),
      },
    ]);
    const unconfirmed = await open();
    unconfirmed.box.mails.length = 0;
    await unconfirmed.call(await loggedIn(unconfirmed, 'alice'), 'account.change-password', {
      proof: await proof('alice'),
      verifier: (await newVerifier('alice')).verifier,
    });
    expect(unconfirmed.box.mails).toEqual([]);
  });
});

describe('a code for a new password', () => {
  it('6.3.8: leaves the salt of the name as it was, whether the new one is shown or a client makes something of it', async () => {
    const t = await openConfirmed();
    const told = () => t.call(peer(), 'login.salt', { username: 'alice' });
    const before = await told();
    await t.call(peer(), 'account.reset-password', { code: await resetCode(t), password: another });
    expect(await told()).toEqual(before);
    await t.call(peer(), 'login.password', { username: 'alice', password: another });
    const code = await resetCode(t);
    const { verifier } = await newVerifier('alice');
    const other = new Uint8Array(16).toBase64();
    for (const [changed, message] of [
      [{ salt: other }, 'verifier.salt: another one is asked for (see login.salt)'],
      [{ cost: 11 }, 'verifier.cost: 10 is asked for (see login.salt)'],
    ] as const) {
      const wrong = { code, username: 'alice', verifier: { ...verifier, ...changed } };
      const field = `verifier.${Object.keys(changed)[0]}`;
      expect(await refusal(t.call(peer(), 'account.reset-password', wrong))).toEqual({
        code: 'invalid',
        message,
        field,
      });
    }
    await t.call(peer(), 'account.reset-password', { code, username: 'alice', verifier });
    expect(await told()).toEqual(before);
    await login(t, peer(), 'alice', { password: another });
  });

  it('leaves salt and cost also where the server’s cost has risen: the next login is asked for more', async () => {
    const t = await openConfirmed();
    const raised = await openChat({ beside: t, policy: { bcryptCost: 11 } });
    const told = () => raised.call(peer(), 'login.salt', { username: 'alice' });
    const before = await told();
    const code = await resetCode(t);
    await raised.call(peer(), 'account.reset-password', { code, ...(await newVerifier('alice')) });
    expect(await told()).toEqual(before);
    const { raise } = await login(raised, peer(), 'alice', { password: another });
    expect(raise?.cost).toBe(11);
  });

  it('6.5.1: works once, also by two at once', async () => {
    const t = await openConfirmed();
    const code = await resetCode(t);
    const secrets = [another, 'a third horse battery staple'];
    const both = await Promise.allSettled(
      secrets.map(async (secret) =>
        t.call(peer(), 'account.reset-password', { code, ...(await newVerifier('alice', secret)) }),
      ),
    );
    const winner = both.findIndex(({ status }) => status === 'fulfilled');
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    await login(t, peer(), 'alice', { password: secrets[winner] ?? '' });
    expect(
      await refusal(t.call(peer(), 'account.reset-password', { code, ...(await newVerifier('alice')) })),
    ).toEqual(deadCode);
  });

  it('6.4.1: works 1 ms before the hour is over, and not at its end', async () => {
    for (const [age, lives] of [
      [oneTimeCodeMs - 1, true],
      [oneTimeCodeMs, false],
    ] as const) {
      const t = await openConfirmed();
      const code = await resetCode(t);
      vi.setSystemTime(Date.now() + age);
      const call = t.call(peer(), 'account.reset-password', { code, ...(await newVerifier('alice')) });
      if (lives) await call;
      else expect(await refusal(call)).toEqual(deadCode);
      await login(t, peer(), 'alice', { password: lives ? another : password });
    }
  });

  it('is one text for an unknown one, one that confirms an address, and one of another account, which keeps it', async () => {
    const t = await openConfirmed();
    const code = await resetCode(t);
    const alice = await loggedIn(t, 'alice');
    await t.call(alice, 'account.set-email', { email: 'new@example.org', proof: await proof('alice') });
    const confirming = t.box.code();
    await t.call(alice, 'account.verify-email', { code: confirming });
    const fresh = await resetCode(t);
    await t.call(alice, 'account.set-email', { email: 'x@example.org', proof: await proof('alice') });
    const unconfirmed = t.box.code();
    for (const [given, name] of [
      [newOneTimeCode(), 'alice'],
      [code, 'alice'],
      [fresh, 'alice'],
      [unconfirmed, 'alice'],
    ] as const) {
      expect(
        await refusal(
          t.call(peer(), 'account.reset-password', { code: given, ...(await newVerifier(name)) }),
        ),
      ).toEqual(deadCode);
    }
    await t.call(alice, 'account.verify-email', { code: unconfirmed });
    const good = await resetCode(t);
    expect(
      await refusal(t.call(peer(), 'account.reset-password', { code: good, ...(await newVerifier('bob')) })),
    ).toEqual(deadCode);
    await t.call(peer(), 'account.reset-password', { code: good, ...(await newVerifier('alice')) });
  });

  it('takes a verifier, a hashed password or a password; the last makes the account open, the others private', async () => {
    const t = await openConfirmed();
    const privacy = async () => (await t.store.account('alice' as never))?.privacy;
    const open = { code: await resetCode(t), password: another };
    expect(await t.call(peer(), 'account.reset-password', open)).toEqual({ username: 'alice' });
    expect(await privacy()).toBe('open');
    await t.call(peer(), 'login.password', { username: 'alice', password: another });
    const { salt, cost } = await t.call(peer(), 'login.salt', { username: 'alice' });
    const hashed_password = formatHashedPassword(
      await authSecret('alice', password, Uint8Array.fromBase64(salt), cost),
    );
    const code = await resetCode(t);
    const hashed = { username: 'alice', code, hashed_password };
    expect(await t.call(peer(), 'account.reset-password', hashed)).toEqual({ username: 'alice' });
    expect(await privacy()).toBe('private');
    await t.call(peer(), 'login.hashed-password', { username: 'alice', hashed_password });
    await login(t, peer(), 'alice');
    expect(await refusal(t.call(peer(), 'login.password', { username: 'alice', password }))).toMatchObject({
      code: 'unauthenticated',
    });
  });

  it('leaves the second factor on: the next login asks for it', async () => {
    const t = await openConfirmed();
    const alice = await loggedIn(t, 'alice');
    const { secret } = await t.call(alice, 'account.totp-begin', { proof: await proof('alice') });
    const otp = (steps: number): string => totpCode(secretOf(secret), totpStep(Date.now()) + steps);
    await t.call(alice, 'account.totp-confirm', { code: otp(0) });
    const code = await resetCode(t);
    await t.call(peer(), 'account.reset-password', { code, ...(await newVerifier('alice')) });
    const connection = peer();
    const { exchange, proof: message } = await challenged(t, connection, 'alice', another);
    expect(await refusal(t.call(connection, 'login.finish', { exchange, message }))).toMatchObject({
      code: 'second-factor-required',
    });
    await t.call(connection, 'login.finish', { exchange, message, otp: otp(1) });
    expect(connection.session?.username).toBe('alice');
  });

  it('opens the account that waits after failed logins, at an address that has not to wait itself', async () => {
    const t = await openConfirmed();
    await makeAdministrator(t, 'bob');
    const bob = await loggedIn(t, 'bob');
    const logIn = (address: string, secret: string) =>
      login(t, peer({ address }), 'alice', { password: secret });
    const byAdministrator = async () =>
      (await t.call(bob, 'admin.reset', { username: 'alice', proof: await proof('bob') })).code;
    for (const [home, code] of [
      ['192.0.2.7', () => resetCode(t)],
      ['192.0.2.8', byAdministrator],
    ] as const) {
      for (let n = 0; n < failuresPastWait; n++) await refusal(logIn(home, 'mistyped'));
      for (let n = 0; n < 6; n++) await refusal(logIn(`198.51.100.${n}`, 'guessed'));
      // What the address has to wait for its own failures.
      vi.advanceTimersByTime(2_000);
      expect((await refusal(logIn(home, another))).code).toBe('rate-limited');
      await t.call(peer(), 'account.reset-password', { code: await code(), ...(await newVerifier('alice')) });
      await logIn(home, another);
    }
  });

  it('is kept when the new password is refused', async () => {
    const t = await openConfirmed();
    const code = await resetCode(t);
    const verifier = (await newVerifier('alice')).verifier;
    for (const [given, message] of [
      [{ password: 'short' }, 'password: it has at least 6 characters'],
      [{ password: 'alice' }, 'password: it has at least 6 characters'],
      [{}, 'password: give one of password, hashed_password, verifier and certificate_request'],
      [{ verifier }, 'username: give the one that the secret was made for'],
      [
        { username: 'alice', verifier, password },
        'password: give one of password, hashed_password, verifier and certificate_request',
      ],
      [
        { username: 'alice', verifier: { ...verifier, cost: 11 } },
        'verifier.cost: 10 is asked for (see login.salt)',
      ],
    ] as const) {
      expect(await refusal(t.send(peer(), 'account.reset-password', { code, ...given }))).toMatchObject({
        code: 'invalid',
        message,
      });
    }
    await t.call(peer(), 'account.reset-password', { code, ...(await newVerifier('alice')) });
  });

  it('6.4.1: is made by an administrator too, for an hour and once, with or without mail', async () => {
    const t = await openChat();
    await register(t, 'alice', 'root');
    await makeAdministrator(t, 'root');
    const [root, alice] = [await loggedIn(t, 'root'), await loggedIn(t, 'alice')];
    const issued = await t.call(root, 'admin.reset', { username: 'alice', proof: await proof('root') });
    expect(issued).toEqual({
      username: 'alice',
      code: expect.stringMatching(/^([0-9A-HJKMNP-TV-Z]{4}-){6}[0-9A-HJKMNP-TV-Z]{4}$/),
      expires_at: new Date(start + oneTimeCodeMs).toISOString(),
    });
    const { code } = await t.call(root, 'admin.reset', { username: 'alice', proof: await proof('root') });
    const reset = async (given: string) =>
      t.call(peer(), 'account.reset-password', { code: given, ...(await newVerifier('alice')) });
    expect(await refusal(reset(issued.code))).toEqual(deadCode);
    vi.setSystemTime(start + oneTimeCodeMs - 1);
    await reset(code);
    expect(alice.endings).toEqual(['credentials-changed']);
    expect(root.endings).toEqual([]);
    expect(await refusal(reset(code))).toEqual(deadCode);
  });

  it('is made by nobody but an administrator, and for nobody but an account', async () => {
    const t = await openChat();
    await register(t, 'alice', 'root');
    const alice = await loggedIn(t, 'alice');
    const ofAlice = { username: 'root', proof: await proof('alice') };
    expect(await refusal(t.call(alice, 'admin.reset', ofAlice))).toMatchObject({ code: 'forbidden' });
    expect(await refusal(t.call(peer(), 'admin.reset', ofAlice))).toEqual(logInFirst);
    await makeAdministrator(t, 'root');
    const forNobody = { username: 'nobody', proof: await proof('root') };
    expect(await refusal(t.call(await loggedIn(t, 'root'), 'admin.reset', forNobody))).toEqual({
      code: 'not-found',
      message: 'there is no user @nobody',
      field: 'username',
    });
  });

  it('6.2.3, 7.5.1: is not made by an administrator’s session alone, nor by anybody for the own account', async () => {
    const t = await openChat();
    await register(t, 'alice', 'root');
    await makeAdministrator(t, 'root');
    const stolen = await loggedIn(t, 'root');
    const made: unknown[] = [];
    for (const given of [
      { username: 'alice' },
      { username: 'alice', proof: await proof('root', 'wrong horse') },
      { username: 'alice', proof: await proof('alice') },
      { username: 'root', proof: await proof('root') },
    ]) {
      made.push(await refusal(t.send(stolen, 'admin.reset', given)));
    }
    const notHis = { code: 'unauthenticated', message: expect.stringContaining('nothing was changed') };
    expect(made).toEqual([
      {
        code: 'invalid',
        message: 'proof: give one of exchange and message, password, hashed_password or certificate: true',
        field: 'proof',
      },
      notHis,
      notHis,
      {
        code: 'conflict',
        message: 'nobody resets the own password: change it, or ask another administrator',
        field: 'username',
      },
    ]);
  });

  it('of an administrator is not pushed aside by a stranger who asks for a mail', async () => {
    const t = await openConfirmed();
    await register(t, 'root');
    await makeAdministrator(t, 'root');
    const { code } = await t.call(await loggedIn(t, 'root'), 'admin.reset', {
      username: 'alice',
      proof: await proof('root'),
    });
    await resetCode(t);
    await t.call(peer(), 'account.reset-password', { code, ...(await newVerifier('alice')) });
  });

  it('stands nowhere in the audit trail, which says whose password was set', async () => {
    const t = await openConfirmed();
    const code = await resetCode(t);
    await t.call(peer(), 'account.reset-password', { code, password: another });
    const entries = t.audit.filter(({ operation }) => operation.includes('reset'));
    expect(entries.map(({ operation, user, outcome }) => [operation, user, outcome])).toEqual([
      ['account.request-reset', 'alice', 'ok'],
      ['account.reset-password', 'alice', 'ok'],
    ]);
    expect(JSON.stringify(t.audit)).not.toContain(code);
  });
});

describe('a flood of mail', () => {
  const from = (n: number) => peer({ address: `192.0.2.${n}` });

  it('ends at five codes an hour for one mailbox, whoever asks; the answers stay the same, and the last code good', async () => {
    const t = await openConfirmed();
    // One was sent to confirm the address.
    const left = mailLimits.codesPerHour - 1;
    for (let n = 1; n <= 20; n++) {
      expect(await t.call(from(n), 'account.request-reset', { username: 'alice' })).toEqual({});
    }
    await t.quiet();
    expect(t.box.mails).toHaveLength(left);
    expect(t.failures).toEqual([]);
    const code = t.box.code();
    await t.call(peer(), 'account.reset-password', { code, ...(await newVerifier('alice')) });
  });

  it('ends at twenty requests an hour from one address, whether they name anybody or not', async () => {
    const t = await openConfirmed();
    // One was made to confirm the address, from another place.
    for (let n = 1; n <= mailLimits.requestsPerHour; n++) {
      await t.call(from(77), 'account.request-reset', { username: n % 2 === 0 ? 'alice' : 'nobody' });
    }
    const wait = 3_600_000;
    for (const username of ['alice', 'nobody']) {
      expect(await refusal(t.call(from(77), 'account.request-reset', { username }))).toEqual({
        code: 'rate-limited',
        message: 'too many requests for mail: wait before the next one',
        retryAfterMs: wait,
      });
    }
    await t.call(from(78), 'account.request-reset', { username: 'nobody' });
    vi.advanceTimersByTime(wait - 1);
    expect(await refusal(t.call(from(77), 'account.request-reset', { username: 'nobody' }))).toMatchObject({
      retryAfterMs: 1,
    });
    vi.advanceTimersByTime(1);
    await t.call(from(77), 'account.request-reset', { username: 'nobody' });
  });

  it('ends at five codes an hour for one account, whose address changes each time', async () => {
    const t = await open();
    const bob = await loggedIn(t, 'bob');
    const change = async (n: number) =>
      t.call(bob, 'account.set-email', { email: `stranger${n}@example.org`, proof: await proof('bob') });
    for (let n = 1; n <= mailLimits.codesPerHour; n++) expect((await change(n)).mail_sent).toBe(true);
    expect(await change(6)).toEqual({
      email: 'stranger6@example.org',
      email_verified: false,
      mail_sent: false,
    });
    expect(t.box.mails).toHaveLength(mailLimits.codesPerHour);
    expect(await refusal(t.call(bob, 'account.request-email-verification', {}))).toMatchObject({
      code: 'rate-limited',
      message: 'too many mails: wait before the next one',
    });
  });
});

it('mails of a server that does not know how it is reached name no server', async () => {
  const box = mailbox();
  const t = await openChat({ mail: { ...box.mail, server: undefined } });
  await t.call(peer(), 'account.register', { ...(await registration('alice')), email: 'alice@example.org' });
  const alice = await loggedIn(t, 'alice');
  await t.call(alice, 'account.request-email-verification', {});
  expect(box.mails[0]?.text).toMatch(/^This address was given for the chat account alice\.\n/);
  expect(box.mails[0]?.text).not.toContain('--server');
  expect(box.mails[0]?.text).not.toContain('undefined');
});

/** Makes an account an administrator, as a claim does. */
async function makeAdministrator(t: TestChat, name: string): Promise<void> {
  const codeHash = new Uint8Array(32).fill(9);
  const account = await t.store.account(name as never);
  if (!account) throw new Error('no such account');
  await t.store.offerClaim({ codeHash });
  expect(await t.store.claimAdministration({ codeHash, userId: account.id })).toBe('claimed');
}
