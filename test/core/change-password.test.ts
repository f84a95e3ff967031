import { describe, expect, it } from 'vitest';
import { fromBase64, toBase64 } from '../../src/core/crypto/bytes.ts';
import { formatHashedPassword } from '../../src/core/crypto/hashed-password.ts';
import { saltOfName, verifierFrom } from '../../src/core/crypto/verifier.ts';
import { parseUsername } from '../../src/core/model/username.ts';
import { commonPasswordWarning } from '../../src/core/new-password.ts';
import type { InputOf, OutputOf } from '../../src/core/operations/index.ts';
import type { Store } from '../../src/core/ports/store.ts';
import {
  authSecret,
  badCredentials,
  badToken,
  challenged,
  FakePeer,
  loggedIn,
  logInFirst,
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

type Change = InputOf<'account.change-password'>;

const next = 'another horse, another staple';
const notHers = {
  code: 'unauthenticated',
  message: 'the password is wrong; nothing was changed',
};
const conflict = {
  code: 'conflict',
  message: 'the verifier has been changed since this login began: begin again',
};

/** A server with the private alice, who is logged in, and the open olga, who is too. */
async function opened(parts: OpenChatParts = {}) {
  const t = await openChat(parts);
  await register(t, 'alice');
  await t.call(peer(), 'account.register', { username: 'olga', password });
  return { t, alice: await loggedIn(t, 'alice'), olga: await withPassword(t, 'olga') };
}

/** A new connection that has logged in by showing its password. */
async function withPassword(t: TestChat, username: string, secret = password) {
  const connection = new FakePeer();
  return Object.assign(connection, {
    opened: await t.call(connection, 'login.password', { username, password: secret }),
  });
}

/** The proof over a challenge of a connection that is logged in. */
async function proofOf(t: TestChat, connection: FakePeer, secret = password): Promise<Change['proof']> {
  const username = connection.session?.username ?? 'nobody';
  const { exchange, proof } = await challenged(t, connection, username, secret);
  return { exchange, message: proof };
}

/** What a client makes of its new password, with the salt and the cost that it is told. */
async function madeOf(t: TestChat, connection: FakePeer, secret = next) {
  const { salt: told, cost, suite } = await t.call(connection, 'account.begin-change-password', {});
  const salt = fromBase64(told) ?? new Uint8Array();
  const made = await authSecret(connection.session?.username ?? 'nobody', secret, salt, cost);
  const { storedKey, serverKey } = verifierFrom(made, salt, cost);
  return {
    hashed_password: formatHashedPassword(made),
    verifier: {
      suite: suite as 'CHAT-SCRAM-BCRYPT-1',
      salt: told,
      cost,
      stored_key: toBase64(storedKey),
      server_key: toBase64(serverKey),
    },
  };
}

/** Changes the password as our client does; `wish` says whether the account is to be open. */
async function change(
  t: TestChat,
  connection: FakePeer,
  { to = next, from = password, ...wish }: { to?: string; from?: string } & Pick<Change, 'privacy'> = {},
): Promise<OutputOf<'account.change-password'>> {
  const { verifier } = await madeOf(t, connection, to);
  const proof = await proofOf(t, connection, from);
  return await t.call(connection, 'account.change-password', { proof, verifier, ...wish });
}

const refusedEach = expect.stringMatching(`^${badCredentials.message}`);

/** Which ways of proving a password let `username` in with `secret`, each tried on a connection of its own. */
async function waysIn(t: TestChat, username: string, secret: string): Promise<string[]> {
  const { salt, cost } = await t.call(peer(), 'login.salt', { username });
  const made = await authSecret(username, secret, fromBase64(salt) ?? new Uint8Array(), cost);
  const tried: Record<string, (on: FakePeer) => Promise<unknown>> = {
    'challenge-response': (on) => login(t, on, username, { password: secret }),
    password: (on) => t.call(on, 'login.password', { username, password: secret }),
    'hashed-password': (on) =>
      t.call(on, 'login.hashed-password', { username, hashed_password: formatHashedPassword(made) }),
  };
  const ways: string[] = [];
  for (const [way, go] of Object.entries(tried)) {
    const on = new FakePeer();
    const outcome = await go(on).then(
      () => 'in',
      ({ code, message }) => ({ code, message }),
    );
    if (outcome === 'in') ways.push(way);
    else expect(outcome).toMatchObject({ code: 'unauthenticated', message: refusedEach });
  }
  return ways;
}

const all = ['challenge-response', 'password', 'hashed-password'];
const unseen = ['challenge-response', 'hashed-password'];
const unlimited = { policy: { freeFailedLogins: 0 } };

describe('6.2.3: a password is changed by who proves the old one', () => {
  it('and then the new one logs in, and the old one nowhere', async () => {
    const { t, alice } = await opened(unlimited);
    expect(await waysIn(t, 'alice', password)).toEqual(unseen);
    expect(await change(t, alice)).toMatchObject({ privacy: 'private' });
    expect(await waysIn(t, 'alice', password)).toEqual([]);
    expect(await waysIn(t, 'alice', next)).toEqual(unseen);
  });

  it('of an open account too, at each way to log in', async () => {
    const { t, olga } = await opened(unlimited);
    expect(await waysIn(t, 'olga', password)).toEqual(all);
    const answer = await t.call(olga, 'account.change-password', { proof: { password }, password: next });
    expect(answer).toEqual({ privacy: 'open', ended_sessions: 3 });
    expect(await waysIn(t, 'olga', password)).toEqual([]);
    expect(await waysIn(t, 'olga', next)).toEqual(all);
  });

  it('and not by who shows nothing, or something wrong, another’s, or what was used before', async () => {
    const { t, alice, olga } = await opened();
    const { verifier } = await madeOf(t, alice);
    const tried = (proof: unknown) => refusal(t.send(alice, 'account.change-password', { proof, verifier }));
    expect(await tried(undefined)).toMatchObject({ code: 'invalid', field: 'proof' });
    expect(await tried({})).toMatchObject({ code: 'invalid', field: 'proof' });
    expect(await tried({ password: 'wrong horse battery' })).toEqual(notHers);
    expect(await tried(await proofOf(t, alice, 'wrong horse battery'))).toEqual(notHers);
    expect(await tried(await proofOf(t, olga))).toMatchObject({ code: 'conflict' });
    const used = await proofOf(t, alice);
    await t.call(alice, 'account.change-password', { proof: used, verifier });
    expect(await tried(used)).toMatchObject({ code: 'conflict' });
    expect((await t.store.credential(parseUsername('alice')))?.verifier.storedKey).toEqual(
      fromBase64(verifier.stored_key),
    );
  });

  it('and not by who is not logged in', async () => {
    const { t, alice } = await opened();
    const { verifier } = await madeOf(t, alice);
    const stranger = peer();
    const { exchange, proof: message } = await challenged(t, stranger, 'alice');
    const given = { proof: { exchange, message }, verifier };
    expect(await refusal(t.call(stranger, 'account.change-password', given))).toEqual(logInFirst);
    expect(await refusal(t.call(stranger, 'account.begin-change-password', {}))).toEqual(logInFirst);
  });

  it('and leaves a line in the audit trail, whether it was done or not', async () => {
    const { t, alice } = await opened();
    const { verifier } = await madeOf(t, alice);
    const wrong = { proof: { hashed_password: `v1.${'A'.repeat(43)}` }, verifier };
    await refusal(t.call(alice, 'account.change-password', wrong));
    await change(t, alice);
    expect(
      t.audit
        .filter(({ operation }) => operation === 'account.change-password')
        .map(({ user, outcome, details }) => [user, outcome, details?.privacy]),
    ).toEqual([
      ['alice', 'unauthenticated', undefined],
      ['alice', 'ok', 'private'],
    ]);
  });
});

describe('7.4.3: a changed password', () => {
  it('ends all other sessions, on their connections and their tokens, and says how many', async () => {
    const { t, alice } = await opened();
    const [live, gone] = [await loggedIn(t, 'alice'), await loggedIn(t, 'alice')];
    gone.leave();
    expect(await change(t, alice)).toEqual({ privacy: 'private', ended_sessions: 2 });
    expect(live.endings).toEqual(['credentials-changed']);
    expect(live.session).toBeUndefined();
    for (const { session_token, refresh_token } of [live.opened, gone.opened]) {
      expect(await refusal(t.call(peer(), 'login.resume', { session_token }))).toEqual(badToken);
      expect(await refusal(t.call(peer(), 'session.refresh', { refresh_token }))).toEqual(badToken);
    }
  });

  it('leaves its own session as it was, and those of others', async () => {
    const { t, alice, olga } = await opened();
    await change(t, alice);
    expect(alice.endings).toEqual([]);
    const { session_token } = alice.opened;
    expect(await t.call(peer(), 'login.resume', { session_token })).toMatchObject({ username: 'alice' });
    expect(await t.call(olga, 'account.me', {})).toMatchObject({ username: 'olga' });
  });

  it('is told at another node', async () => {
    const { t, alice } = await opened();
    const beside = await openChat({ beside: t, bus: () => t.bus });
    const there = new FakePeer();
    const { session_token } = (await loggedIn(t, 'alice')).opened;
    await beside.call(there, 'login.resume', { session_token });
    await change(t, alice);
    expect(there.endings).toEqual(['credentials-changed']);
  });

  it('kills a login that was begun before, and one whose proof was being judged', async () => {
    let atOpening = async (): Promise<void> => {};
    const { t, alice } = await opened({
      store: (store) => ({
        ...store,
        async openSession(session: Parameters<Store['openSession']>[0]) {
          const meanwhile = atOpening;
          atOpening = async () => {};
          await meanwhile();
          return await store.openSession(session);
        },
      }),
    });
    const begun = peer();
    const { exchange, proof: message } = await challenged(t, begun, 'alice');
    atOpening = async () => void (await change(t, alice));
    expect(await refusal(login(t, peer(), 'alice'))).toEqual(conflict);
    expect(await refusal(t.call(begun, 'login.finish', { exchange, message }))).toEqual(conflict);
    expect(begun.session).toBeUndefined();
    const { sessions } = await t.call(alice, 'session.list', {});
    expect(sessions).toHaveLength(1);
  });

  it('kills a raise of the verifier that was asked for before', async () => {
    const { t } = await opened();
    const raised = await openChat({ beside: t, policy: { bcryptCost: 11 } });
    const alice = await loggedIn(raised, 'alice');
    const asked = alice.opened.raise;
    if (!asked) throw new Error('the cost has risen');
    const salt = fromBase64(asked.salt) ?? new Uint8Array();
    const made = verifierFrom(await authSecret('alice', password, salt, 11), salt, 11);
    await change(raised, alice);
    const late = {
      suite: 'CHAT-SCRAM-BCRYPT-1',
      salt: asked.salt,
      cost: 11,
      stored_key: toBase64(made.storedKey),
      server_key: toBase64(made.serverKey),
    } as const;
    expect(await refusal(raised.call(alice, 'account.raise-verifier', { verifier: late }))).toMatchObject({
      code: 'conflict',
    });
    expect(await waysIn(raised, 'alice', next)).toEqual(unseen);
  });
});

describe('7.5.1: a change of who may see the password', () => {
  it('needs a fresh proof, whatever it was before', async () => {
    const { t, alice, olga } = await opened();
    for (const [on, privacy] of [
      [alice, 'open'],
      [olga, 'private'],
    ] as const) {
      const { verifier } = await madeOf(t, on);
      expect(await refusal(t.send(on, 'account.change-password', { verifier, privacy }))).toMatchObject({
        code: 'invalid',
        field: 'proof',
      });
    }
    expect((await t.call(alice, 'account.me', {})).privacy).toBe('private');
    expect((await t.call(olga, 'account.me', {})).privacy).toBe('open');
  });

  it('opens a private account, with its old password or another one', async () => {
    const { t, alice } = await opened(unlimited);
    expect(await change(t, alice, { to: password, privacy: 'open' })).toMatchObject({ privacy: 'open' });
    expect(await waysIn(t, 'alice', password)).toEqual(all);
    expect(await change(t, alice, { privacy: 'open' })).toMatchObject({ privacy: 'open' });
    expect(await waysIn(t, 'alice', next)).toEqual(all);
  });

  it('opens a private account whose new password is shown', async () => {
    const { t, alice } = await opened(unlimited);
    const proof = await proofOf(t, alice);
    await t.call(alice, 'account.change-password', { proof, password: next });
    expect(await waysIn(t, 'alice', next)).toEqual(all);
  });

  it('makes an open account private by a new password that is not shown, and by no other', async () => {
    const { t, olga } = await opened(unlimited);
    expect(await refusal(change(t, olga, { to: password }))).toEqual({
      code: 'invalid',
      message: 'password: the server has seen this one: a private account needs another',
      field: 'password',
    });
    const shown = { proof: { password }, password: next, privacy: 'private' } as const;
    expect(await refusal(t.call(olga, 'account.change-password', shown))).toMatchObject({
      code: 'invalid',
      field: 'privacy',
    });
    expect(await waysIn(t, 'olga', password)).toEqual(all);
    const { hashed_password } = await madeOf(t, olga);
    await t.call(olga, 'account.change-password', { proof: { password }, hashed_password });
    expect(await waysIn(t, 'olga', next)).toEqual(unseen);
  });

  it('is told by account.me', async () => {
    const { t, alice } = await opened();
    await change(t, alice, { privacy: 'open' });
    expect((await t.call(alice, 'account.me', {})).privacy).toBe('open');
  });
});

describe('a new password', () => {
  it.each([
    ['none', {}],
    ['two', { password: next, hashed_password: `v1.${'A'.repeat(43)}` }],
  ])('is given once: %s', async (_, secrets) => {
    const { t, olga } = await opened();
    const given = { proof: { password }, ...secrets };
    expect(await refusal(t.call(olga, 'account.change-password', given))).toMatchObject({
      code: 'invalid',
      field: 'password',
    });
  });

  it('that is shown is judged as at a registration, before the proof is', async () => {
    const { t, olga } = await opened({ policy: { minPasswordCodePoints: 8 } });
    const tried = (given: string) =>
      refusal(t.call(olga, 'account.change-password', { proof: { password: next }, password: given }));
    for (const given of ['trustno1', 'x7 Qm-3']) {
      expect(await tried(given)).toMatchObject({ code: 'invalid', field: 'password' });
    }
    expect(await tried('x7 Qm-3!')).toEqual(notHers);
    const warned = await openChat({ beside: t, policy: { commonPasswords: 'warn' } });
    const there = await withPassword(warned, 'olga');
    expect(
      await warned.call(there, 'account.change-password', { proof: { password }, password: 'trustno1' }),
    ).toMatchObject({ warning: commonPasswordWarning });
  });

  it('is made with the salt and the cost that the client is told, and no other', async () => {
    const { t, alice } = await opened();
    const { verifier } = await madeOf(t, alice);
    const tried = async (bent: object) =>
      refusal(
        t.send(alice, 'account.change-password', {
          proof: await proofOf(t, alice),
          verifier: { ...verifier, ...bent },
        }),
      );
    expect(await tried({ cost: 11 })).toMatchObject({ code: 'invalid', field: 'verifier.cost' });
    expect(await tried({ salt: toBase64(saltOf('bob')) })).toMatchObject({
      code: 'invalid',
      field: 'verifier.salt',
    });
    expect(await waysIn(t, 'alice', password)).toEqual(unseen);
  });

  it('leaves the salt of the name as it was, so that nobody learns of it', async () => {
    const { t, alice, olga } = await opened();
    const told = async () =>
      Promise.all(['alice', 'olga', 'nobody'].map((username) => t.call(peer(), 'login.salt', { username })));
    const before = await told();
    await change(t, alice);
    await t.call(olga, 'account.change-password', { proof: { password }, password: next });
    expect(await told()).toEqual(before);
  });

  it('goes to the server’s cost when that has risen, with the salt that the name has there', async () => {
    const { t } = await opened();
    const raised = await openChat({ beside: t, policy: { bcryptCost: 11 } });
    const alice = await loggedIn(raised, 'alice');
    await change(raised, alice);
    const { verifier } = (await t.store.credential(parseUsername('alice'))) ?? {};
    const { serverSecret } = await t.store.settings({ realm: '', serverSecret: new Uint8Array() });
    expect([verifier?.cost, verifier?.salt]).toEqual([
      11,
      saltOfName(serverSecret, parseUsername('alice'), 11),
    ]);
    expect(await waysIn(raised, 'alice', next)).toEqual(unseen);
  });

  it('stays at its cost when the server’s was lowered', async () => {
    const t = await openChat({ policy: { bcryptCost: 11 } });
    await t.call(peer(), 'account.register', { username: 'olga', password });
    const lowered = await openChat({ beside: t, policy: { bcryptCost: 10 } });
    const olga = await withPassword(lowered, 'olga');
    await lowered.call(olga, 'account.change-password', { proof: { password }, password: next });
    expect((await t.store.credential(parseUsername('olga')))?.verifier.cost).toBe(11);
    expect(await waysIn(lowered, 'olga', next)).toEqual(all);
  });
});

describe('two changes at once', () => {
  it('from two sessions are one change and one conflict', async () => {
    const { t, alice } = await opened(unlimited);
    const other = await loggedIn(t, 'alice');
    const given = async (on: FakePeer, secret: string) => ({
      proof: await proofOf(t, on),
      verifier: (await madeOf(t, on, secret)).verifier,
    });
    const [one, two] = [await given(alice, next), await given(other, 'a third horse, a third staple')];
    const outcomes = await Promise.allSettled([
      t.call(alice, 'account.change-password', one),
      t.call(other, 'account.change-password', two),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(await refusal(Promise.reject((outcomes[1] as PromiseRejectedResult).reason))).toEqual(conflict);
    expect(other.endings).toEqual(['credentials-changed']);
    expect(await waysIn(t, 'alice', next)).toEqual(unseen);
    expect(await waysIn(t, 'alice', 'a third horse, a third staple')).toEqual([]);
  });

  it('on one connection are one after the other: the second proof is against what is there no more', async () => {
    const { t, olga } = await opened();
    const given = { proof: { password }, password: next };
    const outcomes = await Promise.allSettled([
      t.call(olga, 'account.change-password', given),
      t.call(olga, 'account.change-password', given),
    ]);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  });
});

describe('6.2.5: a password may have any characters', () => {
  it.each([
    ['lower-case letters alone', 'correcthorsebattery'],
    ['digits alone', '8402917356'],
    ['spaces', 'a b  c   d'],
    ['emoji', '🐎🔋📎🐎🔋📎'],
    ['other scripts', 'лошадь 馬 άλογο'],
  ])('%s', async (_, secret) => {
    const { t, olga } = await opened(unlimited);
    await t.call(olga, 'account.change-password', { proof: { password }, password: secret });
    expect(await waysIn(t, 'olga', secret)).toEqual(all);
    await t.call(peer(), 'account.register', { username: 'oleg', password: secret });
    expect(await waysIn(t, 'oleg', secret)).toEqual(all);
  });
});

describe('6.2.8: no other password than the one that was set logs in', () => {
  const long = 'x'.repeat(72);
  it.each([
    ['case', 'Correct Horse Battery', 'correct horse battery'],
    ['a trailing space', 'correct horse battery', 'correct horse battery '],
    ['a leading space', 'correct horse battery', ' correct horse battery'],
    ['byte 73', `${long}a`, `${long}b`],
    ['what follows byte 72', `${long}abc`, long],
    ['the last of 1,024 bytes', `${'x'.repeat(1_023)}a`, `${'x'.repeat(1_023)}b`],
  ])('%s counts', async (_, set, other) => {
    const { t, olga } = await opened(unlimited);
    await t.call(olga, 'account.change-password', { proof: { password }, password: set });
    expect(await waysIn(t, 'olga', set)).toEqual(all);
    expect(await waysIn(t, 'olga', other)).toEqual([]);
  });
});

describe('6.2.9: a password may be long', () => {
  it.each([64, 128, 1_000, 1_024])('of %i bytes', async (bytes) => {
    const { t, alice } = await opened(unlimited);
    const secret = 'long password '.repeat(80).slice(0, bytes);
    await change(t, alice, { to: secret });
    expect(await waysIn(t, 'alice', secret)).toEqual(unseen);
    await t.call(peer(), 'account.register', { username: 'oleg', password: secret });
    expect(await waysIn(t, 'oleg', secret)).toEqual(all);
  });

  it('but not of 1,025', async () => {
    const { t, olga } = await opened();
    const given = { proof: { password }, password: 'x'.repeat(1_025) };
    expect(await refusal(t.call(olga, 'account.change-password', given))).toEqual({
      code: 'invalid',
      message: 'password: it has at most 1024 bytes',
      field: 'password',
    });
  });
});

describe('the backup of an account’s keys', () => {
  const kept = { contents: 'c2VhbGVk', recovery_wrap: 'cmVj', password_wrap: 'b2xk' };
  const anew = { contents: 'YW5ldw', recovery_wrap: 'bmV4dA', password_wrap: 'bmV3' };

  it('opens by the new password in the same step, and by none when the change does not say how', async () => {
    const { t, alice } = await opened();
    await t.call(alice, 'keys.backup', { backup: kept, version: 0 });
    const { verifier } = await madeOf(t, alice);
    const change = async (keys: object, secret: string) =>
      await t.call(alice, 'account.change-password', {
        proof: await proofOf(t, alice, secret),
        verifier,
        ...keys,
      });
    const backup = async () => await t.call(alice, 'keys.restore', {});
    expect(await refusal(change({ keys: { ...anew, version: 2 } }, password))).toEqual(conflict);
    expect(await backup()).toEqual({ backup: kept, version: 1 });
    await change({ keys: { ...anew, version: 1 } }, password);
    expect(await backup()).toEqual({ backup: anew, version: 2 });
    await change({}, next);
    const { password_wrap: _none, ...rest } = anew;
    expect(await backup()).toEqual({ backup: rest, version: 3 });
  });

  it('is never wrapped by a password that a door may be shown', async () => {
    const { t, alice } = await opened();
    await t.call(alice, 'keys.backup', { backup: kept, version: 0 });
    const { verifier } = await madeOf(t, alice);
    const keys = { ...anew, version: 1 };
    for (const open of [{ verifier, privacy: 'open' as const }, { password: next }]) {
      const proof = await proofOf(t, alice);
      expect(await refusal(t.call(alice, 'account.change-password', { proof, keys, ...open }))).toMatchObject(
        { code: 'invalid', field: 'keys' },
      );
    }
    const { password_wrap: _none, ...sealed } = keys;
    await t.call(alice, 'account.change-password', {
      proof: await proofOf(t, alice),
      verifier,
      privacy: 'open',
      keys: sealed,
    });
    const { contents, recovery_wrap } = anew;
    expect((await t.call(alice, 'keys.restore', {})).backup).toEqual({ contents, recovery_wrap });
  });
});
