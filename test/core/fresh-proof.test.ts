import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { formatHashedPassword } from '../../src/core/crypto/hashed-password.ts';
import { verifierFrom } from '../../src/core/crypto/verifier.ts';
import { type ProvenAgain, proveAgain } from '../../src/core/login/fresh-proof.ts';
import type { UserId } from '../../src/core/model/ids.ts';
import { me } from '../../src/core/operations/account/me.ts';
import { freshProof } from '../../src/core/operations/shapes.ts';
import { exchangeMs } from '../../src/core/policy.ts';
import {
  authSecret,
  challenged,
  type FakePeer,
  loggedIn,
  login,
  openChat,
  password,
  peer,
  refusal,
  register,
  saltOf,
  type TestChat,
} from './support/chat.ts';

const wrong = 'wrong horse battery staple';
const notHers = {
  code: 'unauthenticated',
  message: 'the password is wrong; nothing was changed',
};

beforeEach(() => void vi.useFakeTimers({ now: 1_800_000_000_000 }));
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Asks `connection` for a fresh proof inside of a call, as a risky operation does. */
async function prove(t: TestChat, connection: FakePeer, given: object): Promise<ProvenAgain> {
  let proven: ProvenAgain | undefined;
  const handle = me.handle;
  vi.spyOn(me, 'handle').mockImplementationOnce(async (input, context) => {
    proven = await proveAgain(context, freshProof.parse(given));
    return handle(input, context);
  });
  await t.call(connection, 'account.me', {});
  if (!proven) throw new Error('nothing was proven');
  return proven;
}

async function exchangeOf(t: TestChat, connection: FakePeer, name = 'alice', secret = password) {
  const { exchange, proof } = await challenged(t, connection, name, secret);
  return { exchange, message: proof };
}

/** A server with the private alice and the open olga. */
async function open(): Promise<TestChat> {
  const t = await openChat();
  await register(t, 'alice', 'bob');
  await t.call(peer(), 'account.register', { username: 'olga', password });
  return t;
}

describe('7.5.1: a fresh proof', () => {
  it('is the proof over a new challenge on the same connection, and answers whose it is', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    const proven = await prove(t, alice, await exchangeOf(t, alice));
    expect(proven.account.username).toBe('alice');
    expect(proven.verifier.salt).toEqual(saltOf('alice'));
    expect(alice.session?.username).toBe('alice');
  });

  it('is good once, on its own connection, for a minute', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    const ended = { code: 'conflict', message: 'this proof has ended: begin again with login.begin' };
    const used = await exchangeOf(t, alice);
    await prove(t, alice, used);
    expect(await refusal(prove(t, alice, used))).toEqual(ended);
    expect(await refusal(prove(t, alice, await exchangeOf(t, await loggedIn(t, 'alice'))))).toEqual(ended);
    const inTime = await exchangeOf(t, alice);
    vi.advanceTimersByTime(exchangeMs - 1);
    await prove(t, alice, inTime);
    const late = await exchangeOf(t, alice);
    vi.advanceTimersByTime(exchangeMs);
    expect(await refusal(prove(t, alice, late))).toEqual(ended);
  });

  it('is nobody else’s, and not made with a wrong password', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    expect(await refusal(prove(t, alice, await exchangeOf(t, alice, 'bob')))).toEqual(notHers);
    expect(await refusal(prove(t, alice, await exchangeOf(t, alice, 'alice', wrong)))).toEqual(notHers);
    expect(alice.session?.username).toBe('alice');
  });

  it('is against the verifier of now, not of when its challenge was made', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    const before = await exchangeOf(t, alice);
    const { account, verifier } = await prove(t, alice, await exchangeOf(t, alice));
    const salt = saltOf('another');
    const changed = verifierFrom(await authSecret('alice', wrong, salt, 10), salt, 10);
    await t.store.replaceVerifier({ userId: account.id, replaces: verifier.storedKey, verifier: changed });
    expect(await refusal(prove(t, alice, before))).toMatchObject({ code: 'conflict' });
    await prove(t, alice, await exchangeOf(t, alice, 'alice', wrong));
  });

  it('is the password itself for an open account alone', async () => {
    const t = await open();
    const olga = peer();
    await t.call(olga, 'login.password', { username: 'olga', password });
    expect((await prove(t, olga, { password })).account.username).toBe('olga');
    expect(await refusal(prove(t, olga, { password: wrong }))).toEqual(notHers);
    const alice = await loggedIn(t, 'alice');
    expect(await refusal(prove(t, alice, { password }))).toMatchObject({ code: 'forbidden' });
    expect(await refusal(prove(t, alice, { password: wrong }))).toEqual(notHers);
  });

  it('is what a client has made of the password', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    const hashed = async (secret: string) => ({
      hashed_password: formatHashedPassword(await authSecret('alice', secret, saltOf('alice'), 10)),
    });
    expect((await prove(t, alice, await hashed(password))).account.username).toBe('alice');
    expect(await refusal(prove(t, alice, await hashed(wrong)))).toEqual(notHers);
  });

  it('counts as a failed login when it is wrong: the sixth waits, and so does a login from there', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    const tryAgain = async (secret: string) =>
      prove(t, alice, await exchangeOf(t, alice, 'alice', secret)).then(
        () => 'proven',
        ({ code }) => code,
      );
    for (let tries = 0; tries < 5; tries++) expect(await tryAgain(wrong)).toBe('unauthenticated');
    expect(await tryAgain(password)).toBe('rate-limited');
    expect(await login(t, peer(), 'bob').catch(({ code }) => code)).toBe('rate-limited');
    vi.advanceTimersByTime(1_000);
    expect(await tryAgain(password)).toBe('proven');
  });

  it('is refused as a form that does not fit', () => {
    for (const given of [
      {},
      { password, hashed_password: `v1.${'A'.repeat(43)}` },
      { exchange: 'x' },
      { message: 'x' },
      { password: 'short' },
      { hashed_password: 'v1.short' },
    ]) {
      expect(freshProof.safeParse(given).success).toBe(false);
    }
  });

  it('is refused when the account has gone meanwhile', async () => {
    let isGone = false;
    const t = await openChat({
      store: (store) =>
        new Proxy(store, {
          get: (target, name: keyof typeof store) =>
            name === 'credential' && isGone ? async () => undefined : target[name],
        }),
    });
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    const proof = await exchangeOf(t, alice);
    isGone = true;
    expect(await refusal(prove(t, alice, proof))).toMatchObject({ code: 'unauthenticated' });
    expect(alice.session?.userId).toEqual(expect.any(String) as unknown as UserId);
  });
});
