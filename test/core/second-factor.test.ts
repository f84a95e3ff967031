import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { toBase64, utf8 } from '../../src/core/crypto/bytes.ts';
import { nobleDigests } from '../../src/core/crypto/digests.ts';
import { formatHashedPassword } from '../../src/core/crypto/hashed-password.ts';
import { stepMs, totpCode, totpStep } from '../../src/core/crypto/totp.ts';
import { ChatError } from '../../src/core/errors.ts';
import type { InputOf, OutputOf } from '../../src/core/operations/index.ts';
import { operations } from '../../src/core/operations/index.ts';
import type { Peer } from '../../src/core/peer.ts';
import {
  exchangeWithFactorMs,
  factorSetupMs,
  failuresPastWait,
  freeWrongCodes,
  sharedSessions,
  wrongCodesPerLogin,
} from '../../src/core/policy.ts';
import type { PasswordStretcher } from '../../src/core/ports/password-stretcher.ts';
import { localSessionCache } from '../../src/server/session-cache/local.ts';
import {
  authSecret,
  challenged,
  type FakePeer,
  loggedIn,
  logInFirst,
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
import { Network } from './support/network.ts';
import { secretOf, wrongCodeAt } from './support/second-factor.ts';

const start = Date.parse('2026-03-01T12:00:00.000Z');
const wrongCode = {
  code: 'unauthenticated',
  message: 'the one-time code is wrong, too old or has been used already',
};
const factorRequired = {
  code: 'second-factor-required',
  message: 'a second factor is required: give the one-time code of your authenticator, or a recovery code',
};
const beginAgain = { code: 'unauthenticated', message: 'this login has ended: begin again' };

beforeEach(() => void vi.useFakeTimers({ now: start }));
afterEach(() => void vi.useRealTimers());

/** What `alice` proves herself with, besides her password. */
interface Alice {
  readonly t: TestChat;
  /** The connection on which she turned the factor on. */
  readonly connection: Awaited<ReturnType<typeof loggedIn>>;
  readonly secret: Uint8Array;
  readonly recoveryCodes: readonly string[];
  /** The code that her authenticator shows now, or some steps from now. */
  code(steps?: number): string;
}

const proofOf = async (
  t: TestChat,
  connection: Peer,
  otp?: string,
): Promise<InputOf<'account.totp-off'>['proof']> => {
  const { exchange, proof } = await challenged(t, connection, 'alice');
  return { exchange, message: proof, otp };
};

/** A real chat, whose recovery codes alone are hashed in no time: ten of them are made in most tests. */
function openQuickly(parts: OpenChatParts = {}): Promise<TestChat> {
  return openChat({ stretcher: quick, ...parts });
}

const quick: PasswordStretcher = {
  stretch: async ({ username, password: secret, salt, cost }) =>
    secret.startsWith('recovery code ')
      ? nobleDigests.hmacSha256(salt, utf8(`${username} ${secret} ${cost}`))
      : authSecret(username, secret, salt, cost),
};

/** A server whose threads can have too much to do; `stretched` are the passwords and codes that were asked of them. */
async function openBusy(): Promise<Alice & { stretched: string[]; state: { isBusy: boolean } }> {
  const stretched: string[] = [];
  const state = { isBusy: false };
  const stretcher: PasswordStretcher = {
    async stretch(input, request) {
      stretched.push(input.password);
      if (state.isBusy) throw new ChatError('rate-limited', 'too many', { retryAfterMs: 1_000 });
      return await quick.stretch(input, request);
    },
  };
  const alice = await open({ stretcher });
  stretched.length = 0;
  return Object.assign(alice, { stretched, state });
}

/** A server with the private alice, whose factor is on; its last used step is the one before `start`'s. */
async function open(parts: OpenChatParts = {}): Promise<Alice> {
  const t = await openQuickly(parts);
  await register(t, 'alice');
  vi.setSystemTime(start - stepMs);
  const connection = await loggedIn(t, 'alice');
  const begun = await t.call(connection, 'account.totp-begin', { proof: await proofOf(t, connection) });
  const secret = secretOf(begun.secret);
  const code = (steps = 0): string => totpCode(secret, totpStep(Date.now()) + steps);
  const { recovery_codes: recoveryCodes } = await t.call(connection, 'account.totp-confirm', {
    code: code(),
  });
  vi.setSystemTime(start);
  return { t, connection, secret, recoveryCodes, code };
}

/** Logs in by a hashed password, which costs no time here. */
async function logInWith(
  t: TestChat,
  connection: Peer,
  otp: string | undefined,
): Promise<OutputOf<'login.hashed-password'>> {
  const hashed = formatHashedPassword(await authSecret('alice', password, saltOf('alice'), 10));
  return await t.call(connection, 'login.hashed-password', {
    username: 'alice',
    hashed_password: hashed,
    otp,
  });
}

/** The same message with a proof that is no password's. */
const forged = ({ message }: object & { message?: string }): string =>
  (message ?? '').replace(/p=.*/, `p=${toBase64(new Uint8Array(32))}`);

const isLoggedIn = (connection: FakePeer): boolean => connection.session !== undefined;

describe('turning the second factor on', () => {
  it('needs a fresh proof and then a code, and answers ten recovery codes', async () => {
    const t = await openQuickly();
    await register(t, 'alice');
    const connection = await loggedIn(t, 'alice');
    expect(await refusal(t.send(connection, 'account.totp-begin', {}))).toMatchObject({ code: 'invalid' });
    const given = await proofOf(t, connection);
    const proof = { ...given, message: forged(given) };
    expect((await refusal(t.send(connection, 'account.totp-begin', { proof }))).code).toBe('unauthenticated');
    const begun = await t.call(connection, 'account.totp-begin', {
      proof: await proofOf(t, connection),
      issuer: 'chat here',
    });
    expect(begun).toEqual({
      secret: expect.stringMatching(/^[A-Z2-7]{32}$/),
      uri: `otpauth://totp/chat%20here:alice?issuer=chat%20here&secret=${begun.secret}&algorithm=SHA1&digits=6&period=30`,
    });
    expect((await t.call(connection, 'account.me', {})).second_factor).toEqual({
      on: false,
      recovery_codes_left: 0,
    });
    const code = totpCode(secretOf(begun.secret), totpStep(start));
    const on = await t.call(connection, 'account.totp-confirm', { code });
    expect(on).toEqual({ recovery_codes: expect.any(Array), ended_sessions: 0 });
    expect(new Set(on.recovery_codes).size).toBe(10);
    expect((await t.call(connection, 'account.me', {})).second_factor).toEqual({
      on: true,
      recovery_codes_left: 10,
    });
  });

  it('7.4.3: ends the other sessions, says why and how many, and keeps its own', async () => {
    const t = await openQuickly();
    await register(t, 'alice');
    const [own, other, another] = [
      await loggedIn(t, 'alice'),
      await loggedIn(t, 'alice'),
      await loggedIn(t, 'alice'),
    ];
    const { secret } = await t.call(own, 'account.totp-begin', { proof: await proofOf(t, own) });
    expect([other.isGone, another.isGone]).toEqual([false, false]);
    const on = await t.call(own, 'account.totp-confirm', {
      code: totpCode(secretOf(secret), totpStep(start)),
    });
    expect(on.ended_sessions).toBe(2);
    expect([own.endings, other.endings, another.endings]).toEqual([
      [],
      ['credentials-changed'],
      ['credentials-changed'],
    ]);
    expect((await t.call(own, 'account.me', {})).username).toBe('alice');
  });

  it('asks for nothing as long as it was only begun, and is forgotten after a quarter of an hour', async () => {
    const t = await openQuickly();
    await register(t, 'alice');
    const connection = await loggedIn(t, 'alice');
    const { secret } = await t.call(connection, 'account.totp-begin', {
      proof: await proofOf(t, connection),
    });
    expect((await loggedIn(t, 'alice')).session?.username).toBe('alice');
    vi.setSystemTime(start + factorSetupMs);
    const code = totpCode(secretOf(secret), totpStep(Date.now()));
    expect(await refusal(t.call(connection, 'account.totp-confirm', { code }))).toEqual({
      code: 'conflict',
      message: 'no second factor is being set up, or for too long: begin again',
    });
    vi.setSystemTime(start + factorSetupMs - 1);
    const last = totpCode(secretOf(secret), totpStep(Date.now()));
    expect((await t.call(connection, 'account.totp-confirm', { code: last })).recovery_codes).toHaveLength(
      10,
    );
  });

  it('is not confirmed by guessing: wrong codes make the next ones wait', async () => {
    const t = await openQuickly();
    await register(t, 'alice');
    const connection = await loggedIn(t, 'alice');
    const { secret } = await t.call(connection, 'account.totp-begin', {
      proof: await proofOf(t, connection),
    });
    const wrong = wrongCodeAt(secretOf(secret), start);
    for (let tried = 0; tried < freeWrongCodes; tried++) {
      expect(await refusal(t.call(connection, 'account.totp-confirm', { code: wrong }))).toEqual(wrongCode);
    }
    const code = totpCode(secretOf(secret), totpStep(start));
    expect((await refusal(t.call(connection, 'account.totp-confirm', { code }))).code).toBe('rate-limited');
    vi.setSystemTime(start + 1_000);
    expect((await t.call(connection, 'account.totp-confirm', { code })).recovery_codes).toHaveLength(10);
  });

  it('is refused while one is on', async () => {
    const { t, connection, code } = await open();
    const proof = await proofOf(t, connection, code());
    expect(await refusal(t.call(connection, 'account.totp-begin', { proof }))).toMatchObject({
      code: 'conflict',
    });
    expect(await refusal(t.call(connection, 'account.totp-confirm', { code: code() }))).toMatchObject({
      code: 'conflict',
    });
  });

  it('keeps its secret sealed, and its recovery codes hashed: neither stands in the database', async () => {
    const { t, connection, secret, recoveryCodes } = await open();
    const userId = connection.session?.userId;
    if (!userId) throw new Error('she is logged in');
    const kept = await t.store.secondFactor(userId);
    expect(Buffer.from(kept?.secret ?? []).includes(Buffer.from(secret))).toBe(false);
    const hashed = await t.store.recoveryCode({ userId, number: 3 });
    expect(hashed?.salt).toHaveLength(16);
    expect(hashed?.hash).toHaveLength(32);
    expect(JSON.stringify([toBase64(hashed?.hash ?? new Uint8Array())])).not.toContain(recoveryCodes[3]);
  });
});

describe('6.3.4: a login', () => {
  it('without the code is asked for it, and opens nothing', async () => {
    const { t } = await open();
    for (const otp of [undefined, '', '  ']) {
      const connection = peer();
      expect(await refusal(logInWith(t, connection, otp))).toEqual(factorRequired);
      expect(isLoggedIn(connection)).toBe(false);
      expect(await refusal(t.call(connection, 'account.me', {}))).toEqual(logInFirst);
    }
  });

  it('with a wrong secret is asked for nothing: nobody hears of the factor who has not proven the first', async () => {
    const { t, code } = await open();
    const hashed = formatHashedPassword(new Uint8Array(32));
    for (const otp of [undefined, '000000', code()]) {
      const input = { username: 'alice', hashed_password: hashed, otp };
      expect(await refusal(t.call(peer(), 'login.hashed-password', input))).toEqual({
        code: 'unauthenticated',
        message: 'unknown user or wrong secret',
      });
    }
    // The code that came with a wrong secret was not used up.
    expect((await logInWith(t, peer(), code())).username).toBe('alice');
  });

  it('takes the code of its step, of the one before and of the one after, to the millisecond', async () => {
    const { t, secret } = await open();
    const step = totpStep(start) + 10;
    const code = totpCode(secret, step);
    const at = step * stepMs;
    const tryAt = async (now: number): Promise<string> => {
      vi.setSystemTime(now);
      return await logInWith(t, peer(), code).then(
        () => 'in',
        (error: Error) => error.message,
      );
    };
    expect(await tryAt(at - stepMs - 1)).toBe(wrongCode.message);
    expect(await tryAt(at + 2 * stepMs)).toBe(wrongCode.message);
    expect(await tryAt(at + 2 * stepMs - 1)).toBe('in');
  });

  it('takes the earliest moment of the step before, too', async () => {
    const { t, secret } = await open();
    const step = totpStep(start) + 10;
    vi.setSystemTime((step - 1) * stepMs);
    expect((await logInWith(t, peer(), totpCode(secret, step))).username).toBe('alice');
  });

  it('6.5.1: takes a code once, also when two come at once, on two nodes', async () => {
    const { t, code } = await open();
    const other = await openQuickly({ beside: t });
    const now = code();
    const outcomes = await Promise.all(
      [t, other, t, other].map((node) =>
        logInWith(node, peer(), now).then(
          () => 'in',
          (error: { code: string }) => error.code,
        ),
      ),
    );
    expect(outcomes.sort()).toEqual(['in', 'unauthenticated', 'unauthenticated', 'unauthenticated']);
    expect(await refusal(logInWith(t, peer(), now))).toEqual(wrongCode);
    // An older one that nobody has used is too old after a newer one.
    expect(await refusal(logInWith(t, peer(), code(-1)))).toEqual(wrongCode);
    expect((await logInWith(t, peer(), code(1))).username).toBe('alice');
  });

  it('takes no used code again because the clock was set back', async () => {
    const { t, code } = await open();
    const used = code();
    await logInWith(t, peer(), used);
    vi.setSystemTime(start - 60_000);
    expect(await refusal(logInWith(t, peer(), code()))).toEqual(wrongCode);
    vi.setSystemTime(start);
    expect(await refusal(logInWith(t, peer(), used))).toEqual(wrongCode);
  });

  it('takes a recovery code in place of a code, each once', async () => {
    const { t, connection, recoveryCodes } = await open();
    const [first = '', second = ''] = recoveryCodes;
    expect((await logInWith(t, peer(), first)).username).toBe('alice');
    expect(await refusal(logInWith(t, peer(), first))).toEqual(wrongCode);
    const typed = second.toLowerCase().replaceAll('-', ' ');
    const outcomes = await Promise.all(
      [peer(), peer()].map((one) =>
        logInWith(t, one, typed).then(
          () => 'in',
          (error: { code: string }) => error.code,
        ),
      ),
    );
    expect(outcomes.sort()).toEqual(['in', 'unauthenticated']);
    expect((await t.call(connection, 'account.me', {})).second_factor.recovery_codes_left).toBe(8);
    const recovered = t.audit.filter(
      ({ factor, outcome }) => factor === 'hashed-password+recovery-code' && outcome === 'ok',
    );
    expect(recovered).toHaveLength(2);
    expect(await refusal(logInWith(t, peer(), `9${first.slice(1)}`))).toEqual(wrongCode);
  });

  it('by challenge and response gives the same proof again with the code, on its connection', async () => {
    const { t, code } = await open();
    const connection = peer();
    const { exchange, proof, verifyServer } = await challenged(t, connection, 'alice');
    const finish = (otp?: string, on: Peer = connection) =>
      t.call(on, 'login.finish', { exchange, message: proof, otp });
    expect(await refusal(finish())).toEqual(factorRequired);
    expect(await refusal(finish(code(), peer()))).toEqual(beginAgain);
    expect(await refusal(finish('000000'))).toEqual(wrongCode);
    vi.setSystemTime(start + exchangeWithFactorMs - 1);
    const opened = await finish(code());
    verifyServer(opened.message);
    expect(connection.session?.username).toBe('alice');
    expect(await refusal(finish(code(1)))).toMatchObject({ code: 'conflict' });
  });

  it('by challenge and response over HTTP, where each request is a peer of its own, gives the same proof again', async () => {
    const { t, code } = await open();
    const request = () => peer({ door: 'http', events: null });
    const { exchange, proof } = await challenged(t, request(), 'alice');
    const finish = (otp?: string) => t.call(request(), 'login.finish', { exchange, message: proof, otp });
    expect(await refusal(finish())).toEqual(factorRequired);
    expect((await finish(code())).username).toBe('alice');
    expect(await refusal(finish(code(1)))).toEqual(beginAgain);
  });

  it('by challenge and response waits two minutes for the code and no millisecond more', async () => {
    const { t, code } = await open();
    const connection = peer();
    const { exchange, proof } = await challenged(t, connection, 'alice');
    await refusal(t.call(connection, 'login.finish', { exchange, message: proof }));
    // A wrong code gets no time of its own.
    vi.setSystemTime(start + exchangeWithFactorMs - 1);
    const wrong = { exchange, message: proof, otp: '000000' };
    expect(await refusal(t.call(connection, 'login.finish', wrong))).toEqual(wrongCode);
    vi.setSystemTime(start + exchangeWithFactorMs);
    const late = { exchange, message: proof, otp: code() };
    expect(await refusal(t.call(connection, 'login.finish', late))).toEqual(beginAgain);
  });

  it('by challenge and response is over after a wrong proof, and after a few wrong codes', async () => {
    const { t, code } = await open({ policy: { freeFailedLogins: 0 } });
    const connection = peer();
    const begin = async () => {
      const { exchange, proof } = await challenged(t, connection, 'alice');
      await refusal(t.call(connection, 'login.finish', { exchange, message: proof }));
      return { exchange, message: proof };
    };
    const first = await begin();
    const wrongProof = { ...first, message: forged(first), otp: code() };
    expect((await refusal(t.call(connection, 'login.finish', wrongProof))).code).toBe('unauthenticated');
    expect(await refusal(t.call(connection, 'login.finish', { ...first, otp: code() }))).toEqual(beginAgain);
    const second = await begin();
    for (let tried = 0; tried < wrongCodesPerLogin; tried++) {
      const wrong = { ...second, otp: '9-9999-9999-9999' };
      expect(await refusal(t.call(connection, 'login.finish', wrong))).toEqual(wrongCode);
    }
    expect(await refusal(t.call(connection, 'login.finish', { ...second, otp: code() }))).toEqual(beginAgain);
  });

  it('by a token needs no code: its session had one', async () => {
    const { t, code } = await open();
    const { session_token } = await logInWith(t, peer(), code());
    const connection = peer();
    await t.call(connection, 'login.resume', { session_token });
    expect(isLoggedIn(connection)).toBe(true);
  });

  it('that began before the factor was on, and ends after, asks for a code', async () => {
    let onOpening: (() => Promise<void>) | undefined;
    const t = await openQuickly({
      store: (store) => ({
        ...store,
        async openSession(session) {
          await onOpening?.();
          return await store.openSession(session);
        },
      }),
    });
    await register(t, 'alice');
    const own = await loggedIn(t, 'alice');
    const begun = await t.call(own, 'account.totp-begin', { proof: await proofOf(t, own) });
    const secret = secretOf(begun.secret);
    onOpening = async () => {
      onOpening = undefined;
      await t.call(own, 'account.totp-confirm', { code: totpCode(secret, totpStep(start)) });
    };
    const connection = peer();
    const { exchange, proof: message } = await challenged(t, connection, 'alice');
    expect(await refusal(t.call(connection, 'login.finish', { exchange, message }))).toEqual(factorRequired);
    expect(isLoggedIn(connection)).toBe(false);
    vi.setSystemTime(start + stepMs);
    const otp = totpCode(secret, totpStep(Date.now()));
    await t.call(connection, 'login.finish', { exchange, message, otp });
    expect(isLoggedIn(connection)).toBe(true);
  });

  it('that gave its code as the factor was turned off opens nothing', async () => {
    let onOpening: (() => Promise<void>) | undefined;
    const { t, connection, code } = await open({
      store: (store) => ({
        ...store,
        async openSession(session) {
          await onOpening?.();
          return await store.openSession(session);
        },
      }),
    });
    const proof = await proofOf(t, connection, code(1));
    onOpening = async () => {
      onOpening = undefined;
      await t.call(connection, 'account.totp-off', { proof });
    };
    const late = peer();
    expect(await refusal(logInWith(t, late, code()))).toEqual({
      code: 'conflict',
      message: 'the second factor has been changed since this login began: begin again',
    });
    expect(isLoggedIn(late)).toBe(false);
  });

  it('with a password that was changed meanwhile hears of that before a code is asked for or used up', async () => {
    const { t, code } = await open();
    const begin = async () => {
      const connection = peer();
      const { exchange, proof: message } = await challenged(t, connection, 'alice');
      return (otp?: string) => t.call(connection, 'login.finish', { exchange, message, otp });
    };
    const [withCode, without] = [await begin(), await begin()];
    await happens(t.store, 'changed', 'alice');
    const conflict = {
      code: 'conflict',
      message: 'the verifier has been changed since this login began: begin again',
    };
    expect(await refusal(without())).toEqual(conflict);
    expect(await refusal(withCode(code()))).toEqual(conflict);
    const next = await authSecret('alice', 'a new horse, a new staple', saltOf('alice'), 10);
    const hashed_password = formatHashedPassword(next);
    await t.call(peer(), 'login.hashed-password', { username: 'alice', hashed_password, otp: code() });
  });
});

describe('a code that comes by itself', () => {
  it('goes on with the login that was made on its connection, for two minutes', async () => {
    const { t, code } = await open();
    const connection = peer();
    await refusal(logInWith(t, connection, undefined));
    vi.setSystemTime(start + exchangeWithFactorMs - 1);
    const opened = await t.call(connection, 'login.second-factor', { otp: code() });
    expect(opened).toMatchObject({ username: 'alice', session_token: expect.stringMatching(/^cs1_/) });
    const late = peer();
    await refusal(logInWith(t, late, undefined));
    vi.setSystemTime(Date.now() + exchangeWithFactorMs);
    expect(await refusal(t.call(late, 'login.second-factor', { otp: code() }))).toEqual({
      code: 'unauthenticated',
      message: 'no login waits for a code here: log in again',
    });
  });

  it('goes on with nothing elsewhere, after a wrong secret, after a login, or after a few wrong ones', async () => {
    const { t, code, recoveryCodes } = await open({ policy: { freeFailedLogins: 0 } });
    const nothing = { code: 'unauthenticated', message: 'no login waits for a code here: log in again' };
    const waiting = peer();
    await refusal(logInWith(t, waiting, undefined));
    expect(await refusal(t.call(peer(), 'login.second-factor', { otp: code() }))).toEqual(nothing);
    for (let tried = 0; tried < wrongCodesPerLogin; tried++) {
      expect(await refusal(t.call(waiting, 'login.second-factor', { otp: 'nonsense' }))).toEqual(wrongCode);
    }
    expect(await refusal(t.call(waiting, 'login.second-factor', { otp: code() }))).toEqual(nothing);
    const wrongSecret = peer();
    const hashed = formatHashedPassword(new Uint8Array(32));
    await refusal(
      t.call(wrongSecret, 'login.hashed-password', { username: 'alice', hashed_password: hashed }),
    );
    expect(await refusal(t.call(wrongSecret, 'login.second-factor', { otp: code() }))).toEqual(nothing);
    const used = peer();
    await refusal(logInWith(t, used, undefined));
    await t.call(used, 'login.second-factor', { otp: code() });
    await t.call(used, 'session.end', {});
    expect(await refusal(t.call(used, 'login.second-factor', { otp: recoveryCodes[0] ?? '' }))).toEqual(
      nothing,
    );
  });

  it('ends what failed for the e-mail address under which its login was made', async () => {
    const t = await openQuickly();
    const [email, from] = ['olga@example.org', { address: '198.51.100.1' }];
    vi.setSystemTime(start - stepMs);
    const owner = peer();
    await t.call(owner, 'account.register', { username: 'olga', email, password });
    await t.call(owner, 'login.password', { email, password });
    const begun = await t.call(owner, 'account.totp-begin', { proof: { password } });
    const secret = secretOf(begun.secret);
    const code = (): string => totpCode(secret, totpStep(Date.now()));
    await t.call(owner, 'account.totp-confirm', { code: code() });
    vi.setSystemTime(start);
    const fail = (): Promise<unknown> =>
      refusal(t.call(peer(from), 'login.password', { email, password: 'no such words' }));
    for (let tries = 0; tries < failuresPastWait; tries++) await fail();
    const connection = peer(from);
    const required = t.call(connection, 'login.password', { email: email.toUpperCase(), password });
    expect(await refusal(required)).toEqual(factorRequired);
    await t.call(connection, 'login.second-factor', { otp: code() });
    for (let tries = 0; tries < failuresPastWait; tries++) {
      const elsewhere = peer({ address: `203.0.113.${tries}` });
      await refusal(t.call(elsewhere, 'login.password', { email, password: 'no such words' }));
    }
    // Of the address itself two are left before it waits, and of the account as many.
    expect(await fail()).toMatchObject({ code: 'unauthenticated' });
    expect(await fail()).toMatchObject({ code: 'unauthenticated' });
    expect(await fail()).toMatchObject({ code: 'rate-limited', retryAfterMs: 1_000 });
  });

  it('is audited under the name of the login that it goes on with', async () => {
    const { t, code } = await open();
    const connection = peer();
    await refusal(logInWith(t, connection, undefined));
    await refusal(t.call(connection, 'login.second-factor', { otp: '000000' }));
    await t.call(connection, 'login.second-factor', { otp: code() });
    const last = t.audit.slice(-3);
    expect(last.map(({ operation, user, factor, outcome }) => [operation, user, factor, outcome])).toEqual([
      ['login.hashed-password', 'alice', 'hashed-password', 'second-factor-required'],
      ['login.second-factor', 'alice', 'second-step+totp', 'unauthenticated'],
      ['login.second-factor', 'alice', 'second-step+totp', 'ok'],
    ]);
  });
});

describe('guessing codes', () => {
  it('is slowed by account, from whatever address, and a recovery code gets its owner past that', async () => {
    const { t, secret, code, recoveryCodes } = await open();
    const wrong = wrongCodeAt(secret, start);
    for (let tried = 0; tried < freeWrongCodes; tried++) {
      expect(await refusal(logInWith(t, peer({ address: `198.51.100.${tried}` }), wrong))).toEqual(wrongCode);
    }
    const elsewhere = (otp: string, last: number) =>
      logInWith(t, peer({ address: `203.0.113.${last}` }), otp);
    expect(await refusal(elsewhere(code(), 1))).toEqual({
      code: 'rate-limited',
      message: 'too many wrong one-time codes: wait before the next one, or use a recovery code',
      retryAfterMs: 1_000,
    });
    expect((await elsewhere(recoveryCodes[0] ?? '', 2)).username).toBe('alice');
    vi.setSystemTime(start + 999);
    expect((await refusal(elsewhere(wrong, 3))).code).toBe('rate-limited');
    vi.setSystemTime(start + 1_000);
    expect(await refusal(elsewhere(wrong, 4))).toEqual(wrongCode);
    expect(await refusal(elsewhere(code(), 5))).toMatchObject({ code: 'rate-limited', retryAfterMs: 2_000 });
    vi.setSystemTime(start + 3_000);
    expect((await elsewhere(code(), 6)).username).toBe('alice');
  });

  it('in many tries at once gets no more answers than the free ones', async () => {
    const { t, secret } = await open();
    const wrong = wrongCodeAt(secret, start);
    const outcomes = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        refusal(logInWith(t, peer({ address: `198.51.100.${index}` }), wrong)),
      ),
    );
    const judged = outcomes.filter((one) => one.code === 'unauthenticated');
    expect(judged).toHaveLength(freeWrongCodes);
  });

  it('counts as failed logins too', async () => {
    const { t, secret } = await open({ policy: { freeFailedLogins: 2 } });
    const wrong = wrongCodeAt(secret, start);
    for (let tried = 0; tried < 2; tried++) {
      expect(await refusal(logInWith(t, peer(), wrong))).toEqual(wrongCode);
    }
    expect(await refusal(logInWith(t, peer(), wrong))).toMatchObject({
      code: 'rate-limited',
      message: 'too many failed logins: wait before the next one',
    });
  });
});

describe('7.5.1: turning the factor off, and new recovery codes', () => {
  it('need the password and a code, which may come after the proof', async () => {
    const { t, connection, code } = await open();
    expect(await refusal(t.send(connection, 'account.totp-off', {}))).toMatchObject({ code: 'invalid' });
    const proof = await proofOf(t, connection);
    expect(await refusal(t.call(connection, 'account.totp-off', { proof }))).toEqual(factorRequired);
    expect(
      await refusal(t.call(connection, 'account.totp-off', { proof: { ...proof, otp: '000000' } })),
    ).toEqual(wrongCode);
    const off = await t.call(connection, 'account.totp-off', { proof: { ...proof, otp: code() } });
    expect(off).toEqual({ ended_sessions: 0 });
    expect((await t.call(connection, 'account.me', {})).second_factor.on).toBe(false);
    expect((await loggedIn(t, 'alice')).session?.username).toBe('alice');
    const again = { proof: await proofOf(t, connection) };
    expect(await refusal(t.call(connection, 'account.totp-off', again))).toMatchObject({ code: 'conflict' });
    expect(
      await refusal(t.call(connection, 'account.recovery-codes', { proof: await proofOf(t, connection) })),
    ).toMatchObject({
      code: 'conflict',
    });
  });

  it('make nothing for an account without a factor, without a code, or for a wrong proof', async () => {
    const { t, connection, code, stretched } = await openBusy();
    const { exchange, proof: message } = await challenged(t, connection, 'alice');
    const wrongProof = { exchange, message: forged({ message }) };
    expect(await refusal(t.call(connection, 'account.recovery-codes', { proof: wrongProof }))).toMatchObject({
      code: 'unauthenticated',
    });
    const proof = await proofOf(t, connection);
    expect(await refusal(t.call(connection, 'account.recovery-codes', { proof }))).toEqual(factorRequired);
    await t.call(connection, 'account.totp-off', { proof: { ...proof, otp: code() } });
    const without = { proof: await proofOf(t, connection) };
    expect(await refusal(t.call(connection, 'account.recovery-codes', without))).toEqual({
      code: 'conflict',
      message: 'this account has no second factor',
    });
    expect(stretched).toEqual([]);
  });

  it('lose no code when the server has too much to do: the same proof and code are good afterwards', async () => {
    const { t, connection, code, state } = await openBusy();
    const busy = { code: 'rate-limited', message: 'too many', retryAfterMs: 1_000 };
    const proof = await proofOf(t, connection, code());
    state.isBusy = true;
    expect(await refusal(t.call(connection, 'account.recovery-codes', { proof }))).toEqual(busy);
    state.isBusy = false;
    expect((await t.call(connection, 'account.recovery-codes', { proof })).recovery_codes).toHaveLength(10);
    const change = { proof: await proofOf(t, connection, code(1)), password: 'a new horse, a new staple' };
    state.isBusy = true;
    expect(await refusal(t.call(connection, 'account.change-password', change))).toEqual(busy);
    state.isBusy = false;
    expect(await t.call(connection, 'account.change-password', change)).toMatchObject({ privacy: 'open' });
  });

  it('end the other sessions as it is turned off', async () => {
    const { t, connection, code } = await open();
    const other = peer();
    await logInWith(t, other, code());
    const proof = await proofOf(t, connection, code(1));
    expect(await t.call(connection, 'account.totp-off', { proof })).toEqual({ ended_sessions: 1 });
    expect(other.endings).toEqual(['credentials-changed']);
  });

  it('replace every recovery code from before, for a code alone', async () => {
    const { t, connection, code, recoveryCodes } = await open();
    const proof = await proofOf(t, connection);
    const renew = (otp?: string) =>
      t.call(connection, 'account.recovery-codes', {
        proof: { ...proof, ...(otp !== undefined && { otp }) },
      });
    expect(await refusal(renew())).toEqual(factorRequired);
    expect(await refusal(renew('000000'))).toEqual(wrongCode);
    const fresh = (await renew(code())).recovery_codes;
    expect(new Set([...fresh, ...recoveryCodes]).size).toBe(20);
    expect(await refusal(logInWith(t, peer(), recoveryCodes[0] ?? ''))).toEqual(wrongCode);
    expect((await logInWith(t, peer(), fresh[0] ?? '')).username).toBe('alice');
  });
});

describe('a server that requires a second factor', () => {
  const policy = { requiresSecondFactor: true };
  const setUpFirst = {
    code: 'forbidden',
    message: 'this server requires a second factor, and this account has none: run `chat totp on`',
  };

  it('lets an account without one log in, set one up, and do nothing else', async () => {
    const t = await openQuickly({ policy });
    await register(t, 'alice');
    const connection = await loggedIn(t, 'alice');
    expect(await refusal(t.call(connection, 'message.send', { to: '#lobby', text: 'hi' }))).toEqual(
      setUpFirst,
    );
    const { secret } = await t.call(connection, 'account.totp-begin', {
      proof: await proofOf(t, connection),
    });
    expect(await refusal(t.call(connection, 'message.send', { to: '#lobby', text: 'hi' }))).toEqual(
      setUpFirst,
    );
    await t.call(connection, 'account.totp-confirm', { code: totpCode(secretOf(secret), totpStep(start)) });
    expect((await t.call(connection, 'message.send', { to: '#lobby', text: 'hi' })).seq).toBe(1);
  });

  it('refuses by the account alone, whatever a session has seen before', async () => {
    const { t, connection, code } = await open({ policy });
    expect((await t.call(connection, 'room.list', {})).rooms).toHaveLength(1);
    const proof = await proofOf(t, connection, code());
    await t.call(connection, 'account.totp-off', { proof });
    expect(await refusal(t.call(connection, 'room.list', {}))).toEqual(setUpFirst);
  });

  it('names each operation that needs none', () => {
    const allowed = operations
      .filter((one) => one.access !== 'anyone' && 'needsNoFactor' in one)
      .map((one) => one.name);
    expect(allowed.sort()).toEqual([
      'account.cancel-erase',
      'account.erase',
      'account.export',
      'account.me',
      'account.raise-verifier',
      'account.totp-begin',
      'account.totp-confirm',
      'certificate.list',
      'certificate.revoke',
      'login.reject',
      'session.check-csrf-token',
      'session.end',
      'session.issue-csrf-token',
      'session.list',
      'session.revoke',
    ]);
  });
});

describe('a factor that is turned on or off on one of two nodes', () => {
  const policy = { requiresSecondFactor: true };

  /** Two nodes that require a factor, and alice with a session of which both have a connection; her other one is on the other node. */
  async function openTwo() {
    const network = new Network();
    const bus = () => network.open();
    const caches = () => [localSessionCache({ maxEntries: 100 })];
    const here = await openQuickly({ policy, bus, caches: caches() });
    const there = await openChat({ policy, bus, caches: caches(), beside: here });
    await register(here, 'alice');
    const own = await loggedIn(here, 'alice');
    const far = peer();
    await there.call(far, 'login.resume', { session_token: own.opened.session_token });
    const other = await loggedIn(there, 'alice');
    /** Whether alice may do something there now: on the connection that is open, then by a request with her token, which looks it up. */
    const may = async () => {
      const tries: boolean[] = [];
      const one = peer({ door: 'http', events: null });
      for (const connection of [far, one]) {
        if (connection === one) await there.chat.identify(one, own.opened.session_token);
        tries.push(
          await there.call(connection, 'room.list', {}).then(
            () => true,
            () => false,
          ),
        );
      }
      one.leave();
      return tries;
    };
    const turnOn = async () => {
      const proof = await proofOf(here, own);
      const secret = secretOf((await here.call(own, 'account.totp-begin', { proof })).secret);
      const codeNow = (steps = 0) => totpCode(secret, totpStep(Date.now()) + steps);
      await here.call(own, 'account.totp-confirm', { code: codeNow() });
      return codeNow;
    };
    return { network, here, there, own, far, other, may, turnOn };
  }
  /** Lets a notice that came be followed up. */
  const heard = async ({ there }: Pick<Awaited<ReturnType<typeof openTwo>>, 'there'>) => {
    await there.quiet();
  };

  it('7.4.3: ends the other sessions there, and lets its own go on at once', async () => {
    const two = await openTwo();
    expect(await two.may()).toEqual([false, false]);
    vi.advanceTimersByTime(1);
    await two.turnOn();
    await heard(two);
    expect(two.other.endings).toEqual(['credentials-changed']);
    expect(await two.may()).toEqual([true, true]);
    expect(two.far.endings).toEqual([]);
  });

  it('6.3.4: lets nobody go on there who has none any more, on a connection that is open neither', async () => {
    const two = await openTwo();
    vi.advanceTimersByTime(1);
    const code = await two.turnOn();
    await heard(two);
    expect(await two.may()).toEqual([true, true]);
    vi.advanceTimersByTime(1);
    const proof = await proofOf(two.here, two.own, code(1));
    await two.here.call(two.own, 'account.totp-off', { proof });
    await heard(two);
    expect(await two.may()).toEqual([false, false]);
  });

  it('is known there within 5 s when every notice is lost', async () => {
    const two = await openTwo();
    two.network.weather = 'lost';
    vi.advanceTimersByTime(1);
    const code = await two.turnOn();
    expect(two.other.endings).toEqual([]);
    vi.advanceTimersByTime(sharedSessions.recheckMs + sharedSessions.lookMs);
    await heard(two);
    expect(two.other.endings).toEqual(['revoked']);
    expect(await two.may()).toEqual([true, true]);
    const proof = await proofOf(two.here, two.own, code(1));
    await two.here.call(two.own, 'account.totp-off', { proof });
    vi.advanceTimersByTime(sharedSessions.recheckMs + sharedSessions.lookMs);
    await heard(two);
    expect(await two.may()).toEqual([false, false]);
  });

  it('leaves a CSRF token that was issued meanwhile as it is', async () => {
    const { promise: isIssued, resolve: issued } = Promise.withResolvers<void>();
    const { t, connection, code } = await open({
      store: (store) => ({
        ...store,
        removeSecondFactor: async (off) => {
          await isIssued;
          return await store.removeSecondFactor(off);
        },
      }),
    });
    const page = peer();
    await t.call(page, 'login.resume', { session_token: connection.opened.session_token });
    const proof = await proofOf(t, connection, code());
    const off = t.call(connection, 'account.totp-off', { proof });
    await t.quiet();
    const { csrf_token } = await t.call(page, 'session.issue-csrf-token', {});
    issued();
    await off;
    expect(await t.call(page, 'session.check-csrf-token', { csrf_token })).toEqual({});
  });
});
