import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fromBase64, toBase64 } from '../../src/core/crypto/bytes.ts';
import { parseServerFirst } from '../../src/core/crypto/scram-messages.ts';
import { verifierFrom } from '../../src/core/crypto/verifier.ts';
import { ChatError } from '../../src/core/errors.ts';
import type { Account } from '../../src/core/model/account.ts';
import type { UserId } from '../../src/core/model/ids.ts';
import { parseUsername } from '../../src/core/model/username.ts';
import type { InputOf, OutputOf } from '../../src/core/operations/index.ts';
import { raiseMs } from '../../src/core/policy.ts';
import type { PasswordStretcher } from '../../src/core/ports/password-stretcher.ts';
import type { Store } from '../../src/core/ports/store.ts';
import { uuidV7 } from '../../src/core/random.ts';
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
  saltOf,
  type TestChat,
} from './support/chat.ts';

const alice = parseUsername('alice');
const start = Date.parse('2026-03-01T12:00:00.000Z');

beforeEach(() => {
  vi.useFakeTimers({ now: start });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A server at cost 11 with an account that was made when it was 10. */
async function raisedServer(
  parts: Pick<OpenChatParts, 'store' | 'stretcher'> = {},
  privacy: Account['privacy'] = 'private',
): Promise<TestChat> {
  const t = await openChat({ ...parts, policy: { bcryptCost: 11 } });
  const salt = saltOf('alice');
  await t.store.createAccount({
    account: {
      id: uuidV7() as UserId,
      username: alice,
      email: null,
      emailVerifiedAt: null,
      privacy,
      isAdmin: false,
      disabledAt: null,
      hasSecondFactor: false,
      createdAt: start,
    },
    verifier: verifierFrom(await authSecret('alice', password, salt, 10), salt, 10),
  });
  return t;
}

type Verifier = InputOf<'account.raise-verifier'>['verifier'];

/** What an honest client answers to what its login was asked. */
async function answerTo({ raise }: OutputOf<'login.finish'>): Promise<Verifier> {
  if (!raise) throw new Error('the login was not asked');
  const salt = fromBase64(raise.salt) ?? new Uint8Array();
  const made = verifierFrom(await authSecret('alice', password, salt, raise.cost), salt, raise.cost);
  return {
    suite: 'CHAT-SCRAM-BCRYPT-1',
    salt: raise.salt,
    cost: raise.cost,
    stored_key: toBase64(made.storedKey),
    server_key: toBase64(made.serverKey),
  };
}

/** A verifier that no password fits, for what is refused before anybody looks at its keys. */
function anyVerifier(opened: OutputOf<'login.finish'>, other: Partial<Verifier> = {}): Verifier {
  const key = toBase64(new Uint8Array(32));
  const { salt = toBase64(new Uint8Array(16)), cost = 11 } = opened.raise ?? {};
  return { suite: 'CHAT-SCRAM-BCRYPT-1', salt, cost, stored_key: key, server_key: key, ...other };
}

async function costOf(t: TestChat): Promise<number | undefined> {
  return (await t.store.credential(alice))?.verifier.cost;
}

/** What `login.salt` tells of a name for which the store has no account. */
async function saltWithout(username: string): Promise<string> {
  const empty = await openChat({
    policy: { bcryptCost: 11 },
    store: (store) => ({ ...store, credential: async () => undefined }),
  });
  return (await empty.call(peer(), 'login.salt', { username })).salt;
}

const raise = (t: TestChat, connection: FakePeer, verifier: Verifier) =>
  t.call(connection, 'account.raise-verifier', { verifier });
const notAsked = {
  code: 'forbidden',
  message: 'only a login that was just made, and was asked to, may do this',
};

describe('a login at an older cost than the server has', () => {
  it('is asked for a new verifier, with the salt that the name has at that cost, and the next login is at the new cost', async () => {
    const t = await raisedServer();
    const first = await loggedIn(t, 'alice');
    expect(first.opened.raise).toEqual({ salt: expect.stringMatching(/^[\w+/]{22}==$/), cost: 11 });
    expect(first.opened.raise?.salt).not.toBe(toBase64(saltOf('alice')));
    expect(first.opened.raise?.salt).toBe(await saltWithout('alice'));
    expect(await raise(t, first, await answerTo(first.opened))).toEqual({});
    const connection = peer();
    const { serverFirst, exchange, proof } = await challenged(t, connection, 'alice');
    expect(parseServerFirst(serverFirst)).toMatchObject({
      ok: true,
      value: { cost: 11, salt: fromBase64(first.opened.raise?.salt ?? '') },
    });
    const opened = await t.call(connection, 'login.finish', { exchange, message: proof });
    expect(opened.raise).toBeUndefined();
    // The session that was there goes on.
    expect(await t.call(first, 'account.me', {})).toMatchObject({ username: 'alice' });
  });

  it('is one all the same when it never answers, and the next one is asked again, for the same', async () => {
    const t = await raisedServer();
    const first = await loggedIn(t, 'alice');
    expect(await t.call(first, 'account.me', {})).toMatchObject({ username: 'alice' });
    const second = await loggedIn(t, 'alice');
    expect(second.opened.raise).toEqual({ salt: expect.any(String), cost: 11 });
    expect(second.opened.raise).toEqual(first.opened.raise);
    expect(await costOf(t)).toBe(10);
  });

  it('is not asked when its cost is the server’s, or above it', async () => {
    for (const bcryptCost of [10, 11]) {
      const t = await openChat({ policy: { bcryptCost } });
      const salt = saltOf('alice');
      const account = {
        id: uuidV7() as UserId,
        username: alice,
        email: null,
        emailVerifiedAt: null,
        privacy: 'private',
        isAdmin: false,
        disabledAt: null,
        hasSecondFactor: false,
        createdAt: start,
      } as const;
      const secret = await authSecret('alice', password, salt, 11);
      await t.store.createAccount({ account, verifier: verifierFrom(secret, salt, 11) });
      expect((await loggedIn(t, 'alice')).opened).not.toHaveProperty('raise');
    }
  });

  it('another login that began before is told to begin again, and then succeeds', async () => {
    const t = await raisedServer();
    const slow = peer();
    const begun = await challenged(t, slow, 'alice');
    const quick = await loggedIn(t, 'alice');
    await raise(t, quick, await answerTo(quick.opened));
    expect(
      await refusal(t.call(slow, 'login.finish', { exchange: begun.exchange, message: begun.proof })),
    ).toEqual({
      code: 'conflict',
      message: 'the verifier has been changed since this login began: begin again',
    });
    expect(slow.session).toBeUndefined();
    expect(await login(t, slow, 'alice')).toMatchObject({ username: 'alice' });
  });

  it('is audited when it raises, and when it may not', async () => {
    const t = await raisedServer();
    const connection = await loggedIn(t, 'alice', { address: '192.0.2.7' });
    const verifier = await answerTo(connection.opened);
    t.audit.length = 0;
    await raise(t, connection, verifier);
    await refusal(raise(t, connection, verifier));
    const line = { at: start, operation: 'account.raise-verifier', user: 'alice', door: 'line' };
    const details = { session: connection.opened.session_id };
    expect(t.audit).toEqual([
      { ...line, address: '192.0.2.7', outcome: 'ok', details },
      { ...line, address: '192.0.2.7', outcome: 'forbidden', details },
    ]);
  });
});

describe('account.raise-verifier is refused', () => {
  it('to a connection that is nobody’s', async () => {
    const t = await raisedServer();
    const { opened } = await loggedIn(t, 'alice');
    expect(await refusal(raise(t, peer(), anyVerifier(opened)))).toEqual(logInFirst);
  });

  it('to a session that was resumed: a stolen token changes no verifier', async () => {
    const t = await raisedServer();
    const { opened } = await loggedIn(t, 'alice');
    const thief = peer();
    await t.call(thief, 'login.resume', { session_token: opened.session_token });
    expect(await refusal(raise(t, thief, anyVerifier(opened)))).toEqual(notAsked);
    expect(await costOf(t)).toBe(10);
  });

  it('to a session that was resumed on the very connection whose login was asked', async () => {
    const t = await raisedServer();
    const other = await loggedIn(t, 'alice');
    const connection = await loggedIn(t, 'alice');
    await t.call(connection, 'session.end', {});
    await t.call(connection, 'login.resume', { session_token: other.opened.session_token });
    expect(await refusal(raise(t, connection, anyVerifier(connection.opened)))).toEqual(notAsked);
    expect(await costOf(t)).toBe(10);
  });

  it('a second time', async () => {
    const t = await raisedServer();
    const connection = await loggedIn(t, 'alice');
    await raise(t, connection, await answerTo(connection.opened));
    expect(await refusal(raise(t, connection, anyVerifier(connection.opened)))).toEqual(notAsked);
  });

  it('after 60 s, and not a millisecond before', async () => {
    const t = await raisedServer();
    const late = await loggedIn(t, 'alice');
    vi.setSystemTime(start + raiseMs);
    expect(await refusal(raise(t, late, anyVerifier(late.opened)))).toEqual(notAsked);
    const intime = await loggedIn(t, 'alice');
    vi.setSystemTime(start + 2 * raiseMs - 1);
    expect(await raise(t, intime, await answerTo(intime.opened))).toEqual({});
  });

  it.each<[string, Partial<Verifier>, string, string]>([
    ['at another cost', { cost: 12 }, 'verifier.cost', 'verifier.cost: 11 was asked for'],
    ['at the old cost', { cost: 10 }, 'verifier.cost', 'verifier.cost: 11 was asked for'],
    [
      'with a salt of its own choice',
      { salt: toBase64(new Uint8Array(16)) },
      'verifier.salt',
      'verifier.salt: another one was asked for',
    ],
  ])('%s, and that was the one try', async (_, other, field, message) => {
    const t = await raisedServer();
    const connection = await loggedIn(t, 'alice');
    expect(await refusal(raise(t, connection, anyVerifier(connection.opened, other)))).toEqual({
      code: 'invalid',
      message,
      field,
    });
    expect(await refusal(raise(t, connection, anyVerifier(connection.opened)))).toEqual(notAsked);
    expect(await costOf(t)).toBe(10);
  });

  it('when the verifier was changed since the login, which stays as it is', async () => {
    const t = await raisedServer();
    const [one, other] = [await loggedIn(t, 'alice'), await loggedIn(t, 'alice')];
    const verifier = await answerTo(one.opened);
    await raise(t, one, verifier);
    expect(await refusal(raise(t, other, anyVerifier(other.opened)))).toEqual({
      code: 'conflict',
      message: 'the verifier has been changed since this login',
    });
    const stored = (await t.store.credential(alice))?.verifier;
    expect(stored && toBase64(stored.storedKey)).toBe(verifier.stored_key);
  });

  it('when the store cannot serve, and the session goes on', async () => {
    const t = await raisedServer({
      store: (store): Store => ({
        ...store,
        replaceVerifier: () => Promise.reject(new Error('no disk')),
      }),
    });
    const connection = await loggedIn(t, 'alice');
    expect(await refusal(raise(t, connection, anyVerifier(connection.opened)))).toMatchObject({
      code: 'internal',
    });
    expect(await t.call(connection, 'account.me', {})).toMatchObject({ username: 'alice' });
  });
});

describe('a login with a password that is shown, at an older cost', () => {
  const stretcher: PasswordStretcher = {
    stretch: ({ username, password: secret, salt, cost }) => authSecret(username, secret, salt, cost),
  };
  const byPassword = (t: TestChat, connection: FakePeer, secret = password) =>
    t.call(connection, 'login.password', { username: 'alice', password: secret });

  it('is answered, and the server raises the verifier by itself', async () => {
    const onFile = Promise.withResolvers<boolean>();
    const t = await raisedServer(
      {
        stretcher,
        store: (store): Store => ({
          ...store,
          async replaceVerifier(change) {
            const isReplaced = await store.replaceVerifier(change);
            onFile.resolve(isReplaced);
            return isReplaced;
          },
        }),
      },
      'open',
    );
    const connection = peer({ door: 'http' });
    const opened = await byPassword(t, connection);
    expect(opened).not.toHaveProperty('raise');
    // Over HTTP the caller has gone by then.
    connection.leave();
    expect(await onFile.promise).toBe(true);
    const verifier = (await t.store.credential(alice))?.verifier;
    expect(verifier?.cost).toBe(11);
    expect(verifier?.salt).not.toEqual(saltOf('alice'));
    // Nobody who asks can tell it from a name that was never taken.
    const { salt, cost } = await t.call(peer(), 'login.salt', { username: 'alice' });
    expect({ salt, cost }).toEqual({ salt: await saltWithout('alice'), cost: 11 });
    expect(await byPassword(t, peer())).toMatchObject({ username: 'alice' });
    expect(await loggedIn(t, 'alice')).toMatchObject({ session: { username: 'alice' } });
    expect(t.failures).toEqual([]);
  });

  it.each<[string, unknown, number]>([
    ['too many passwords are waiting, silently', new ChatError('unavailable', 'too many'), 0],
    ['stretching fails, and the log says so', new Error('no thread'), 1],
  ])('succeeds though %s', async (_, error, failures) => {
    const asked = Promise.withResolvers<void>();
    const t = await raisedServer(
      {
        stretcher: {
          stretch(input, request) {
            if (input.cost === 10) return stretcher.stretch(input, request);
            asked.resolve();
            return Promise.reject(error);
          },
        },
      },
      'open',
    );
    expect(await byPassword(t, peer())).toMatchObject({ username: 'alice' });
    await asked.promise;
    await t.quiet();
    expect(await costOf(t)).toBe(10);
    expect(t.failures).toHaveLength(failures);
  });

  it('raises nothing for a wrong password, nor for a private account', async () => {
    const costs: number[] = [];
    for (const [privacy, secret] of [
      ['open', 'incorrect horse battery staple'],
      ['private', password],
    ] as const) {
      const t = await raisedServer(
        {
          stretcher: {
            stretch(input, request) {
              costs.push(input.cost);
              return stretcher.stretch(input, request);
            },
          },
        },
        privacy,
      );
      expect((await refusal(byPassword(t, peer(), secret))).code).toBe('unauthenticated');
      await t.quiet();
    }
    expect(costs).toEqual([10, 10]);
  });
});
