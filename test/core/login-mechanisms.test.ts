import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { writeError } from '../../src/core/codecs/json-rpc.ts';
import { fromBase64, toBase64url } from '../../src/core/crypto/bytes.ts';
import { formatHashedPassword } from '../../src/core/crypto/hashed-password.ts';
import type { StretchInput } from '../../src/core/crypto/stretch.ts';
import { ChatError } from '../../src/core/errors.ts';
import { mechanisms } from '../../src/core/login/index.ts';
import { parseUsername, usernamesFromEmail } from '../../src/core/model/username.ts';
import type { OperationName } from '../../src/core/operations/index.ts';
import type { PasswordStretcher, StretchRequest } from '../../src/core/ports/password-stretcher.ts';
import type { Store } from '../../src/core/ports/store.ts';
import { scriptRandomness } from '../../src/core/random.ts';
import {
  authSecret,
  badCredentials,
  badToken,
  loggedIn,
  login,
  type OpenChatParts,
  openChat,
  password,
  peer,
  refusal,
  register,
  saltOf,
  type TestChat,
} from './support/chat.ts';
import { happens } from './support/meanwhile.ts';

const start = Date.parse('2026-03-01T12:00:00.000Z');
const wrong = 'incorrect horse battery staple';
const alreadyLoggedIn = { code: 'conflict', message: 'this connection is logged in already' };
const badPassword = {
  code: 'unauthenticated',
  message:
    'unknown user or wrong secret (an account made by `chat register` signs in elsewhere with a token: `chat token`)',
};

beforeEach(() => {
  vi.useFakeTimers({ now: start });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A chat with `alice`, private, and `olga`, open, both with `password`. */
async function open(parts: OpenChatParts = {}): Promise<TestChat & { stretched: StretchInput[] }> {
  const stretched: StretchInput[] = [];
  const stretcher: PasswordStretcher = parts.stretcher ?? {
    stretch(input) {
      stretched.push(input);
      return authSecret(input.username, input.password, input.salt, input.cost);
    },
  };
  const t = await openChat({ ...parts, stretcher });
  await register(t, 'alice');
  // Always the same salt, so that her password is stretched once for all tests.
  const restore = scriptRandomness((length) => new Uint8Array(length).fill(7));
  await t.call(peer(), 'account.register', { username: 'olga', email: 'Olga@Example.org', password });
  restore();
  stretched.length = 0;
  t.audit.length = 0;
  return Object.assign(t, { stretched });
}

/** What a client makes of a password after `login.salt`. */
async function hashed(t: TestChat, username: string, secret = password): Promise<string> {
  const { salt, cost } = await t.call(peer(), 'login.salt', { username });
  return formatHashedPassword(await authSecret(username, secret, fromBase64(salt) ?? new Uint8Array(), cost));
}

const opened = (username: string) => ({
  user_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
  username,
  session_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
  session_token: expect.stringMatching(/^cs1_[\w-]{43}$/),
  refresh_token: expect.stringMatching(/^cr1_[\w-]{43}$/),
  expires_at: new Date(start + 24 * 3_600_000).toISOString(),
  device_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
});

describe('login.password', () => {
  it('logs an open account in by its name or its e-mail address, whatever their case', async () => {
    const t = await open();
    for (const named of [{ username: 'OLGA' }, { email: 'olga@example.ORG' }]) {
      const connection = peer({ door: 'http' });
      const answer = await t.call(connection, 'login.password', {
        ...named,
        password,
        device: { label: 'browser' },
      });
      expect(answer).toEqual(opened('olga'));
      expect(await t.call(connection, 'account.me', {})).toMatchObject({
        username: 'olga',
        privacy: 'open',
        email: 'Olga@Example.org',
        session: { device: 'browser' },
      });
    }
  });

  it('takes any spelling of one password, and no other password', async () => {
    const t = await open();
    await t.call(peer(), 'account.register', { username: 'zoe', password: 'crème\u00a0brûlée' });
    await t.call(peer(), 'login.password', { username: 'zoe', password: 'cre\u0300me bru\u0302le\u0301e' });
    for (const other of ['creme brulee', 'crème brûlée ', 'Crème brûlée']) {
      expect(await refusal(t.call(peer(), 'login.password', { username: 'zoe', password: other }))).toEqual(
        badPassword,
      );
    }
  });

  it('6.3.8, 1.10: answers a wrong password, an unknown name or address, and a private account alike', async () => {
    // More failures than are free, each of which would make the next one wait.
    const t = await open({ policy: { freeFailedLogins: 0 } });
    const answers = new Set<string>();
    const work: unknown[] = [];
    for (const asked of [
      { username: 'olga', password: wrong },
      { email: 'olga@example.org', password: wrong },
      { username: 'nothere', password },
      { email: 'nobody@example.org', password },
      { username: 'alice', password },
      { username: 'alice', password: wrong },
    ]) {
      const connection = peer();
      t.stretched.length = 0;
      const error = await t.call(connection, 'login.password', asked).catch((thrown: unknown) => thrown);
      if (!(error instanceof ChatError)) throw new Error('it was not refused');
      answers.add(writeError(1, error));
      work.push(t.stretched.map(({ cost, salt }) => [cost, salt.length]));
      expect(connection.session).toBeUndefined();
    }
    expect(answers).toEqual(new Set([writeError(1, new ChatError('unauthenticated', badPassword.message))]));
    // The same work each time: one stretch at the server's cost.
    expect(work).toEqual(Array.from({ length: 6 }, () => [[10, 16]]));
  });

  it('1.8: does the work for an unknown name with the salt that its challenges have', async () => {
    const t = await open();
    for (const _ of [1, 2])
      await refusal(t.call(peer(), 'login.password', { username: 'nothere', password }));
    const { salt } = await t.call(peer(), 'login.salt', { username: 'nothere' });
    expect(t.stretched.map((input) => input.salt)).toEqual([fromBase64(salt), fromBase64(salt)]);
  });

  it('6.3.2: an address of nobody logs in nobody, also when somebody is called nobody', async () => {
    const t = await open();
    await t.call(peer(), 'account.register', { username: 'nobody', password });
    expect(await refusal(t.call(peer(), 'login.password', { email: 'x@example.org', password }))).toEqual(
      badPassword,
    );
    await t.call(peer(), 'login.password', { username: 'nobody', password });
  });

  it('refuses passwords of five code points and takes those of six, before any work', async () => {
    const t = await open();
    const fields = { code: 'invalid', field: 'password', message: 'password: it has at least 6 characters' };
    const five = '🐎🐎🐎🐎🐎';
    expect(await refusal(t.call(peer(), 'login.password', { username: 'olga', password: five }))).toEqual(
      fields,
    );
    expect(await refusal(t.call(peer(), 'account.register', { username: 'ines', password: five }))).toEqual(
      fields,
    );
    expect(t.stretched).toEqual([]);
    const six = `${five}🐎`;
    await t.call(peer(), 'account.register', { username: 'ines', password: six });
    await t.call(peer(), 'login.password', { username: 'ines', password: six });
  });

  it.each([
    ['a control character', 'pass\u0000word', 'control characters are not allowed'],
    ['a lone surrogate', 'pass\ud800word', 'it is not well-formed Unicode'],
    ['1,025 bytes', 'x'.repeat(1_025), 'it has at most 1024 bytes'],
  ])('refuses a password with %s, naming the rule and never the password', async (_what, secret, rule) => {
    const t = await open();
    const expected = { code: 'invalid', field: 'password', message: `password: ${rule}` };
    expect(await refusal(t.call(peer(), 'login.password', { username: 'olga', password: secret }))).toEqual(
      expected,
    );
    expect(await refusal(t.call(peer(), 'account.register', { username: 'ines', password: secret }))).toEqual(
      expected,
    );
  });

  it('6.2.9: takes passwords of 64, 128 and 1,024 bytes, and every byte of them counts', async () => {
    const t = await open();
    for (const length of [64, 128, 1_024]) {
      const username = `long${length}`;
      const secret = 'x'.repeat(length);
      await t.call(peer(), 'account.register', { username, password: secret });
      await t.call(peer(), 'login.password', { username, password: secret });
      const other = `${secret.slice(0, -1)}y`;
      expect(await refusal(t.call(peer(), 'login.password', { username, password: other }))).toEqual(
        badPassword,
      );
    }
  });

  it.each([
    [{ password }, 'username: give either username or email', 'username'],
    [
      { username: 'olga', email: 'o@example.org', password },
      'username: give either username or email',
      'username',
    ],
    [{ email: 'no address', password }, 'email: not an e-mail address', 'email'],
    [{ username: 'olga' }, expect.stringMatching(/^password: /), 'password'],
    [{ username: 'olga', password: 7 }, expect.stringMatching(/^password: /), 'password'],
  ])('refuses %j, naming the field', async (params, message, field) => {
    const t = await open();
    expect(await refusal(t.send(peer(), 'login.password', params))).toEqual({
      code: 'invalid',
      message,
      field,
    });
  });

  it('is refused on a connection that is logged in, without any work', async () => {
    const t = await open();
    const olga = await loggedIn(t, 'olga');
    expect(await refusal(t.call(olga, 'login.password', { username: 'olga', password }))).toEqual(
      alreadyLoggedIn,
    );
    expect(t.stretched).toEqual([]);
  });

  it('6.3.8: tells by no wait whose an e-mail address is', async () => {
    const t = await open();
    for (let tries = 0; tries < 8; tries++) {
      const from = peer({ address: `192.0.2.${tries}` });
      await refusal(t.call(from, 'login.password', { username: 'olga', password: wrong }));
    }
    const answers = async (email: string, address: string): Promise<unknown[]> => {
      const from = peer({ address });
      // The name has failed from here before, as it has from elsewhere.
      await refusal(t.call(from, 'login.password', { username: 'olga', password: wrong }));
      const tries: unknown[] = [];
      for (let count = 0; count < 5; count++) {
        tries.push(await refusal(t.call(from, 'login.password', { email, password: wrong })));
      }
      return tries;
    };
    const ofOlga = await answers('OLGA@example.org', '198.51.100.1');
    expect(ofOlga.map((answer) => (answer as { code: string }).code)).toEqual([
      ...new Array(4).fill('unauthenticated'),
      'rate-limited',
    ]);
    expect(await answers('nobody@example.org', '198.51.100.2')).toEqual(ofOlga);
  });

  it('is refused when the password was changed, the account removed or disabled, while it was stretched', async () => {
    let meanwhile = async (): Promise<void> => {};
    const t = await open({
      stretcher: {
        async stretch(input) {
          const secret = await authSecret(input.username, input.password, input.salt, input.cost);
          await meanwhile();
          return secret;
        },
      },
    });
    const beginAgain = {
      code: 'conflict',
      message: 'the verifier has been changed since this login began: begin again',
    };
    const disabled = { code: 'forbidden', message: 'this account is disabled: ask an administrator' };
    for (const [what, secret, expected] of [
      ['changed', password, beginAgain],
      ['changed', wrong, badPassword],
      ['removed', password, badPassword],
      ['disabled', password, disabled],
      ['disabled', wrong, badPassword],
    ] as const) {
      const username = `${what}-${secret === wrong ? 'wrong' : 'right'}`;
      meanwhile = async () => {};
      await t.call(peer(), 'account.register', { username, password });
      meanwhile = () => happens(t.store, what, username);
      const connection = peer();
      expect(await refusal(t.call(connection, 'login.password', { username, password: secret }))).toEqual(
        expected,
      );
      expect(connection.session).toBeUndefined();
    }
  });

  it('is stretched for the caller’s address, for as long as the caller is there', async () => {
    const requests: StretchRequest[] = [];
    const t = await open({
      stretcher: {
        stretch(input, request) {
          requests.push(request);
          return authSecret(input.username, input.password, input.salt, input.cost);
        },
      },
    });
    const connection = peer({ address: '2001:db8:0:1::7' });
    await t.call(connection, 'login.password', { username: 'olga', password });
    const request = requests.at(-1);
    expect(request?.owner).toBe('2001:db8:0:1::/64');
    expect(request?.isWanted()).toBe(true);
    connection.leave();
    expect(request?.isWanted()).toBe(false);
  });

  it('hands on what a full pool says', async () => {
    let isFull = false;
    const t = await open({
      stretcher: {
        stretch(input) {
          if (isFull) return Promise.reject(new ChatError('unavailable', 'full', { retryAfterMs: 1_000 }));
          return authSecret(input.username, input.password, input.salt, input.cost);
        },
      },
    });
    isFull = true;
    const full = { code: 'unavailable', message: 'full', retryAfterMs: 1_000 };
    for (const username of ['olga', 'alice', 'nothere']) {
      expect(await refusal(t.call(peer(), 'login.password', { username, password }))).toEqual(full);
    }
    expect(await refusal(t.call(peer(), 'account.register', { username: 'ines', password }))).toEqual(full);
  });
});

describe('login.hashed-password', () => {
  it.each(['alice', 'olga'])('logs %s in, however the account was made', async (username) => {
    const t = await open();
    const connection = peer({ door: 'pipe' });
    const answer = await t.call(connection, 'login.hashed-password', {
      username,
      hashed_password: await hashed(t, username),
      device: { label: 'bot' },
    });
    expect(answer).toEqual(opened(username));
    expect(connection.session).toMatchObject({ username, door: 'pipe', deviceLabel: 'bot' });
    expect(t.stretched).toEqual([]);
  });

  it('6.3.8: answers an unknown name and a wrong secret alike', async () => {
    const t = await open();
    const answers = new Set<string>();
    for (const [username, secret] of [
      ['alice', wrong],
      ['olga', wrong],
      ['nothere', password],
    ] as const) {
      const connection = peer();
      const hashed_password = await hashed(t, username, secret);
      const error = await t
        .call(connection, 'login.hashed-password', { username, hashed_password })
        .catch((thrown: unknown) => thrown);
      if (!(error instanceof ChatError)) throw new Error('it was not refused');
      answers.add(writeError(1, error));
      expect(connection.session).toBeUndefined();
    }
    expect(answers).toEqual(
      new Set([writeError(1, new ChatError('unauthenticated', badCredentials.message))]),
    );
  });

  it("does not take one account's secret for another, nor the verifier that a stolen database shows", async () => {
    const t = await open();
    const hashed_password = await hashed(t, 'olga');
    expect(
      await refusal(t.call(peer(), 'login.hashed-password', { username: 'alice', hashed_password })),
    ).toEqual(badCredentials);
    const stolen = await t.store.credential(parseUsername('olga'));
    for (const key of [stolen?.verifier.storedKey, stolen?.verifier.serverKey]) {
      const stolenKey = formatHashedPassword(key ?? new Uint8Array());
      expect(
        await refusal(
          t.call(peer(), 'login.hashed-password', { username: 'olga', hashed_password: stolenKey }),
        ),
      ).toEqual(badCredentials);
    }
  });

  it.each([
    ['no prefix', toBase64url(new Uint8Array(32))],
    ['another version', `v2.${toBase64url(new Uint8Array(32))}`],
    ['31 bytes', `v1.${toBase64url(new Uint8Array(31))}`],
    ['33 bytes', `v1.${toBase64url(new Uint8Array(33))}`],
    ['padding', `v1.${toBase64url(new Uint8Array(32))}=`],
    ['stray bits', `v1.${'A'.repeat(42)}B`],
    ['the other base64', `v1.${'/'.repeat(42)}8`],
    ['nothing after it', 'v1.'],
    ['nothing', ''],
  ])('refuses a secret with %s', async (_what, hashed_password) => {
    const t = await open();
    const expected = {
      code: 'invalid',
      message: 'hashed_password: v1. and 32 bytes in base64url are expected',
      field: 'hashed_password',
    };
    const username = 'ines';
    expect(await refusal(t.call(peer(), 'login.hashed-password', { username, hashed_password }))).toEqual(
      expected,
    );
    expect(await refusal(t.call(peer(), 'account.register', { username, hashed_password }))).toEqual(
      expected,
    );
  });

  it('is refused on a connection that is logged in', async () => {
    const t = await open();
    const olga = await loggedIn(t, 'olga');
    const hashed_password = await hashed(t, 'olga');
    expect(
      await refusal(t.call(olga, 'login.hashed-password', { username: 'olga', hashed_password })),
    ).toEqual(alreadyLoggedIn);
  });
});

describe('login.salt', () => {
  it('tells realm, suite and cost, and for an account the salt that its challenges have', async () => {
    const t = await open();
    expect(await t.call(peer(), 'login.salt', { username: 'Alice' })).toEqual({
      realm: 'chat.example',
      suite: 'CHAT-SCRAM-BCRYPT-1',
      salt: Buffer.from(saltOf('alice')).toString('base64'),
      cost: 10,
    });
  });

  it('1.8: has the same shape for a name without an account, the same each time, and another for each name', async () => {
    const t = await open();
    const one = await t.call(peer(), 'login.salt', { username: 'nothere' });
    expect(one).toEqual({
      realm: 'chat.example',
      suite: 'CHAT-SCRAM-BCRYPT-1',
      salt: expect.stringMatching(/^[\w+/]{22}==$/),
      cost: 10,
    });
    expect(await t.call(peer({ address: '192.0.2.9' }), 'login.salt', { username: 'nothere' })).toEqual(one);
    expect((await t.call(peer(), 'login.salt', { username: 'notthere' })).salt).not.toBe(one.salt);
    // The challenge of a login has the very same.
    const { message } = await t.call(peer(), 'login.begin', {
      message: 'n,,n=nothere,r=fyko+d2lbbFgONRv9qkxdawL',
    });
    expect(/,s=([^,]*)/.exec(message)?.[1]).toBe(one.salt);
  });

  it('is the same before and after a registration with the secret that was made with it', async () => {
    const t = await open();
    const before = await t.call(peer(), 'login.salt', { username: 'ines' });
    const hashed_password = await hashed(t, 'ines');
    await t.call(peer(), 'account.register', { username: 'ines', hashed_password });
    expect(await t.call(peer(), 'login.salt', { username: 'ines' })).toEqual(before);
    expect(await hashed(t, 'ines')).toBe(hashed_password);
  });

  it('is the same before and after a registration with a password', async () => {
    const t = await open();
    const before = await t.call(peer(), 'login.salt', { username: 'ines' });
    await t.call(peer(), 'account.register', { username: 'ines', password });
    expect(await t.call(peer(), 'login.salt', { username: 'ines' })).toEqual(before);
  });
});

describe('one account, every mechanism', () => {
  it('made from a password, it logs in by challenge and response, by password, hashed and by token', async () => {
    const t = await open();
    const answer = await login(t, peer(), 'olga');
    await t.call(peer(), 'login.password', { username: 'olga', password });
    await t.call(peer(), 'login.hashed-password', {
      username: 'olga',
      hashed_password: await hashed(t, 'olga'),
    });
    const { session_token } = answer;
    await t.call(peer(), 'login.resume', { session_token, username: 'olga' });
  });

  it('made from a verifier, it logs in by everything that does not show the password', async () => {
    const t = await open();
    const { session_token } = await login(t, peer(), 'alice');
    await t.call(peer(), 'login.hashed-password', {
      username: 'alice',
      hashed_password: await hashed(t, 'alice'),
    });
    await t.call(peer(), 'login.resume', { session_token, username: 'alice' });
    expect(await refusal(t.call(peer(), 'login.password', { username: 'alice', password }))).toEqual(
      badPassword,
    );
  });

  it('made from a hashed password, it is private and logs in by challenge and response', async () => {
    const t = await open();
    await t.call(peer(), 'account.register', {
      username: 'ines',
      hashed_password: await hashed(t, 'ines'),
    });
    const connection = peer();
    await login(t, connection, 'ines');
    expect(await t.call(connection, 'account.me', {})).toMatchObject({ privacy: 'private' });
    expect(await refusal(t.call(peer(), 'login.password', { username: 'ines', password }))).toEqual(
      badPassword,
    );
  });

  it('has each mechanism once, and each of their operations in the registry', () => {
    const names: OperationName[] = mechanisms.flatMap(({ operations }) => operations.map(({ name }) => name));
    expect(mechanisms.map(({ name }) => name)).toEqual([
      'challenge-response',
      'password',
      'hashed-password',
      'certificate',
      'second-step',
      'token',
    ]);
    expect(names).toEqual([
      'login.begin',
      'login.finish',
      'login.password',
      'login.salt',
      'login.hashed-password',
      'login.certificate',
      'login.second-factor',
      'login.resume',
    ]);
  });

  it('6.1.3: has each mechanism in the table of docs/security.md with what it shows the server', () => {
    const page = readFileSync(new URL('../../docs/security.md', import.meta.url), 'utf8');
    for (const { name, shows } of mechanisms) expect(page).toContain(`| \`${name}\` | ${shows} |`);
  });
});

describe('login.resume with a name', () => {
  it("refuses another account's token like a dead one, and leaves it alive", async () => {
    const t = await open();
    const { session_token } = await login(t, peer(), 'alice');
    const connection = peer();
    expect(await refusal(t.call(connection, 'login.resume', { session_token, username: 'olga' }))).toEqual(
      badToken,
    );
    expect(connection.session).toBeUndefined();
    await t.call(connection, 'login.resume', { session_token, username: 'ALICE' });
  });
});

describe('account.register with a password', () => {
  it('makes an open account, and stores nothing that a stolen database could log in with', async () => {
    const t = await open();
    await t.call(peer(), 'account.register', { username: 'ines', password });
    const stored = await t.store.credential(parseUsername('ines'));
    expect(stored?.account).toMatchObject({ username: 'ines', privacy: 'open', email: null });
    const { salt, cost, storedKey } = stored?.verifier ?? {};
    expect([salt?.length, cost, storedKey?.length]).toEqual([16, 10, 32]);
    expect(JSON.stringify(stored)).not.toContain(password);
  });

  it('gives two accounts with one password different salts', async () => {
    const t = await open();
    await t.call(peer(), 'account.register', { username: 'ines', password });
    await t.call(peer(), 'account.register', { username: 'iris', password });
    expect(t.stretched[0]?.salt).not.toEqual(t.stretched[1]?.salt);
  });

  it('refuses a name that is taken, or an address alone that leads to another account, before any work', async () => {
    const t = await open();
    expect(await refusal(t.call(peer(), 'account.register', { username: 'alice', password }))).toEqual({
      code: 'conflict',
      message: 'this username is taken already',
      field: 'username',
    });
    expect(
      await refusal(t.call(peer(), 'account.register', { email: 'olga@example.ORG', password })),
    ).toEqual({ code: 'conflict', message: 'this e-mail address is taken already', field: 'email' });
    expect(t.stretched).toEqual([]);
  });

  it('15.4.2: of 20 at once with one name makes one account', async () => {
    const t = await open();
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        t.call(peer(), 'account.register', { username: 'ines', password: `${password} ${index % 2}` }).then(
          () => 'created',
          (error: ChatError) => error.code,
        ),
      ),
    );
    expect(outcomes.toSorted()).toEqual([...Array(19).fill('conflict'), 'created']);
  });

  it.each([
    [{ username: 'ines' }, 'password'],
    [{ username: 'ines', password, hashed_password: `v1.${toBase64url(new Uint8Array(32))}` }, 'password'],
    [{ password }, 'username'],
    [{ email: 'i@example.org', hashed_password: `v1.${toBase64url(new Uint8Array(32))}` }, 'username'],
    [{ username: 'ines', email: 'i@', password }, 'email'],
    [{ username: 'i n', password }, 'username'],
  ])('refuses %j, naming the field', async (params, field) => {
    const t = await open();
    expect(await refusal(t.send(peer(), 'account.register', params))).toMatchObject({
      code: 'invalid',
      field,
    });
  });
});

describe('account.register with an e-mail address alone', () => {
  it('makes the name of its local part, numbered when that is taken, and says which', async () => {
    const t = await open();
    const names: string[] = [];
    for (const email of ['Sam.Doe+chat@example.org', 'sam.doe@example.com', 'sam.doe@example.net']) {
      names.push((await t.call(peer(), 'account.register', { email, password })).username);
    }
    expect(names).toEqual(['sam.doe', 'sam.doe2', 'sam.doe3']);
    const connection = peer();
    await t.call(connection, 'login.password', { email: 'sam.doe@example.com', password });
    expect(await t.call(connection, 'account.me', {})).toMatchObject({
      username: 'sam.doe2',
      email: 'sam.doe@example.com',
    });
    expect(t.audit.map(({ operation, user, outcome }) => [operation, user, outcome])).toEqual([
      ['account.register', 'sam.doe', 'ok'],
      ['account.register', 'sam.doe2', 'ok'],
      ['account.register', 'sam.doe3', 'ok'],
      ['login.password', 'sam.doe2', 'ok'],
    ]);
  });

  it('takes the next name when somebody else was faster', async () => {
    let isFirst = true;
    const t = await open({
      store: (store): Store => ({
        ...store,
        async createAccount(account) {
          if (account.account.username === 'sam' && isFirst) {
            isFirst = false;
            return { kind: 'taken', field: 'username' };
          }
          return await store.createAccount(account);
        },
      }),
    });
    expect(await t.call(peer(), 'account.register', { email: 'sam@example.org', password })).toMatchObject({
      username: 'sam2',
    });
  });

  it('refuses an address that is taken', async () => {
    const t = await open();
    expect(
      await refusal(t.call(peer(), 'account.register', { email: 'OLGA@example.org', password })),
    ).toEqual({ code: 'conflict', message: 'this e-mail address is taken already', field: 'email' });
  });

  it.each([
    ['Sam@example.org', ['sam', 'sam2', 'sam3']],
    ['_sam-@example.org', ['sam-', 'sam-2', 'sam-3']],
    ['!!!@example.org', ['user', 'user2', 'user3']],
    ['söm.ö@example.org', ['s-m.-', 's-m.-2', 's-m.-3']],
    [`${'a'.repeat(40)}@example.org`, ['a'.repeat(32), `${'a'.repeat(31)}2`, `${'a'.repeat(31)}3`]],
  ])('makes names of %s', (email, names) => {
    expect([...usernamesFromEmail(email)].slice(0, 3)).toEqual(names);
  });

  it('makes nothing but names, whatever the address', () => {
    for (const email of ['@', 'x', '', '+@x', `${'-'.repeat(50)}@x`]) {
      for (const name of usernamesFromEmail(email)) expect(parseUsername(name)).toBe(name);
    }
  });
});

describe('the limits and the audit trail of mechanisms', () => {
  it('count every mechanism against the one limit of logins of an address', async () => {
    const t = await openChat({ policy: { loginsPerMinute: 3 } });
    const hashed_password = formatHashedPassword(new Uint8Array(32));
    const calls = [
      () => t.call(peer(), 'login.password', { username: 'olga', password }),
      () => t.call(peer(), 'login.hashed-password', { username: 'olga', hashed_password }),
      () => t.call(peer(), 'login.resume', { session_token: 'x' }),
      () => t.call(peer(), 'login.salt', { username: 'olga' }),
    ];
    const codes: string[] = [];
    for (const call of calls) codes.push((await refusal(call())).code);
    expect(codes).toEqual(['unauthenticated', 'unauthenticated', 'unauthenticated', 'rate-limited']);
  });

  it('16.2.5: say who, through which door and with what outcome, and hold no secret', async () => {
    const t = await open();
    const hashed_password = await hashed(t, 'alice');
    await refusal(t.call(peer({ door: 'slash' }), 'login.password', { username: 'Alice', password }));
    await refusal(t.call(peer({ door: 'slash' }), 'login.password', { username: 'nothere', password }));
    await refusal(t.call(peer({ door: 'http' }), 'login.password', { email: 'x@example.org', password }));
    await t.call(peer({ door: 'http' }), 'login.password', { email: 'olga@example.org', password });
    await t.call(peer({ door: 'pipe' }), 'login.hashed-password', { username: 'alice', hashed_password });
    expect(t.audit.map(({ operation, user, door, outcome }) => [operation, user, door, outcome])).toEqual([
      ['login.password', 'alice', 'slash', 'unauthenticated'],
      ['login.password', 'nothere', 'slash', 'unauthenticated'],
      ['login.password', undefined, 'http', 'unauthenticated'],
      ['login.password', 'olga', 'http', 'ok'],
      ['login.hashed-password', 'alice', 'pipe', 'ok'],
    ]);
    const trail = JSON.stringify(t.audit);
    expect(trail).not.toContain(password);
    expect(trail).not.toContain(hashed_password);
  });
});

describe('a login that ends with its connection', () => {
  const params = { username: 'olga', password, ends_with_connection: true };

  it('is a session like others as long as the connection is open, and no longer', async () => {
    const t = await open();
    const connection = peer({ door: 'slash', address: '192.0.2.7' });
    const { session_id, session_token, refresh_token } = await t.call(connection, 'login.password', params);
    const other = await loggedIn(t, 'olga');
    const listed = async () => (await t.call(other, 'session.list', {})).sessions.map(({ id }) => id);
    expect(await listed()).toContain(session_id);
    t.audit.length = 0;
    connection.leave();
    await t.quiet();
    expect(await listed()).toEqual([other.opened.session_id]);
    expect(await refusal(t.call(peer(), 'login.resume', { session_token }))).toEqual(badToken);
    expect(await refusal(t.call(peer(), 'session.refresh', { refresh_token }))).toEqual(badToken);
    expect(t.audit[0]).toEqual({
      at: start,
      operation: 'session.end',
      user: 'olga',
      door: 'slash',
      address: '192.0.2.7',
      outcome: 'ok',
      details: { session: session_id },
    });
  });

  it('is ended once: what was revoked before leaves no second line in the audit trail', async () => {
    const t = await open();
    const connection = peer();
    const { session_id } = await t.call(connection, 'login.password', params);
    const other = await loggedIn(t, 'olga');
    await t.call(other, 'session.revoke', { id: session_id });
    expect(connection.endings).toEqual(['revoked']);
    await t.quiet();
    expect(t.audit.filter(({ operation }) => operation === 'session.end')).toEqual([]);
  });

  it('leaves the session of any other login alive', async () => {
    const t = await open();
    const connection = peer();
    const { session_token } = await t.call(connection, 'login.password', { username: 'olga', password });
    connection.leave();
    await t.quiet();
    await t.call(peer(), 'login.resume', { session_token });
  });

  it('also when the connection went while the password was stretched', async () => {
    const connection = peer();
    const t = await open({
      stretcher: {
        async stretch(input) {
          const secret = await authSecret(input.username, input.password, input.salt, input.cost);
          connection.leave();
          return secret;
        },
      },
    });
    await t.call(connection, 'login.password', params);
    await t.quiet();
    const olga = await loggedIn(t, 'olga');
    expect((await t.call(olga, 'session.list', {})).sessions).toHaveLength(1);
  });
});
