import { describe, expect, it } from 'vitest';
import { loginByCertificate, registerByCertificate } from '../../../src/client/certificate.ts';
import { changePassword } from '../../../src/client/change-password.ts';
import { rotateKeys, sealAnew, sealForChange } from '../../../src/client/keys/change-keys.ts';
import { parseUsername } from '../../../src/core/model/username.ts';
import { newOneTimeCode, type OneTimeCode } from '../../../src/core/one-time-code.ts';
import { showing, shown, TestKey, testAuthority } from '../../core/support/certificates.ts';
import {
  FakePeer,
  loggedIn,
  openChat,
  refusal,
  register,
  type TestChat,
  wholeSecret,
} from '../../core/support/chat.ts';
import { cheapStretch, connectionTo, type Device, device, keeper, realm } from './support/keyed-client.ts';

const noPassword = { password: undefined, stretch: cheapStretch };
const prove = async () => ({ certificate: true }) as const;

/** A chat that signs certificates, with bob, who has a password, and his keys. */
async function open() {
  const t = await openChat({ authority: await testAuthority() });
  await register(t, 'bob');
  return { t, bob: await device(t, 'bob') };
}

/** A connection on which an account has logged in by the certificate over its key. */
async function byCertificate(t: TestChat, username: string, key: TestKey): Promise<FakePeer> {
  const peer = showing(shown(key, { issuedTo: username }));
  const { session, realm: told } = await loginByCertificate(connectionTo(t, peer), { username });
  expect([session.username, told]).toEqual([username, realm]);
  return peer;
}

/** Alice, who has registered with a key alone, and her first machine. */
async function alice(t: TestChat) {
  const key = new TestKey();
  const request = await key.request('alice');
  const registration = { username: 'alice', request, label: 'first' };
  await registerByCertificate(connectionTo(t, new FakePeer()), registration);
  const first = await device(t, 'alice', { peer: await byCertificate(t, 'alice', key), ...noPassword });
  return { key, first, recoveryKey: recoveryKeyOf(first) };
}

function recoveryKeyOf({ keys }: Device): OneTimeCode {
  if (keys.kind !== 'made') throw new Error(`keys were ${keys.kind}`);
  return keys.recoveryKey;
}

/** What the last message of a conversation is to its reader. */
async function read(reader: Device, from: string) {
  return await (await reader.messages()).open(await reader.last(from));
}

const text = (words: string) => ({ kind: 'text', text: words, isVerified: false, isStale: false });

describe('the keys of an account that has a certificate alone', () => {
  it('are made at its first login, and carry private messages to and from an account with a password', async () => {
    const { t, bob } = await open();
    const { first } = await alice(t);
    await first.send('bob', 'from a certificate');
    expect(await read(bob, 'alice')).toEqual(text('from a certificate'));
    await bob.send('alice', 'from a password');
    expect(await read(first, 'bob')).toEqual(text('from a password'));
  });

  it('are sealed under their recovery key and nothing else', async () => {
    const { t } = await open();
    const { first } = await alice(t);
    const { backup } = await first.connection.call('keys.restore', {});
    expect(backup.recovery_wrap).toMatch(/./);
    expect(backup.password_wrap).toBeUndefined();
  });

  it('come to a machine with a copy of the certificate by the recovery key, by no other, and else are locked', async () => {
    const { t, bob } = await open();
    const { key, recoveryKey } = await alice(t);
    await bob.send('alice', 'for both machines');
    const second = async (askRecoveryKey?: () => Promise<OneTimeCode | undefined>) =>
      await device(t, 'alice', {
        peer: await byCertificate(t, 'alice', key),
        ...noPassword,
        askRecoveryKey,
      });
    expect((await second()).keys).toEqual({ kind: 'locked' });
    expect((await second(async () => undefined)).keys).toEqual({ kind: 'locked' });
    expect(await refusal(second(async () => newOneTimeCode()))).toEqual({
      code: 'invalid',
      message: 'this is not the recovery key of this account: nothing was restored',
    });
    const restored = await second(async () => recoveryKey);
    expect(restored.keys.kind).toBe('recovered');
    expect(await read(restored, 'bob')).toEqual(text('for both machines'));
  });

  it('stay what they are when an administrator’s code has put another key in the place of a lost one', async () => {
    const { t, bob } = await open();
    const { recoveryKey } = await alice(t);
    await bob.send('alice', 'before the loss');
    await t.store.setAdministrator({ username: parseUsername('bob'), isAdmin: true });
    const root = await loggedIn(t, 'bob');
    const rooted = await device(t, 'bob', { peer: root });
    const { code } = await t.call(root, 'admin.reset', { username: 'alice', proof: await rooted.prove() });
    const key = new TestKey();
    const certificate_request = await key.request('alice');
    await t.call(new FakePeer(), 'account.reset-password', { username: 'alice', code, certificate_request });
    const peer = await byCertificate(t, 'alice', key);
    const askRecoveryKey = async () => recoveryKey;
    const second = await device(t, 'alice', { peer, ...noPassword, askRecoveryKey });
    expect(await read(second, 'bob')).toEqual(text('before the loss'));
    await second.send('bob', 'under the same identity');
    expect(await read(bob, 'alice')).toEqual(text('under the same identity'));
  });

  it('are rotated by the certificate as the proof, and not by a session alone', async () => {
    const { t } = await open();
    const { key, first } = await alice(t);
    const { store } = first;
    const stolen = new FakePeer();
    const opened = await t.call(showing(shown(key, { issuedTo: 'alice' })), 'login.certificate', {
      username: 'alice',
    });
    await t.call(stolen, 'login.resume', { session_token: opened.session_token });
    expect(await refusal(rotateKeys(connectionTo(t, stolen), { store, prove, ...noPassword }))).toEqual({
      code: 'unauthenticated',
      message: 'this connection has shown no certificate that logs in to this account',
    });
    expect((await store.load())?.record.seq).toBe(1);
    expect((await rotateKeys(first.connection, { store, prove, ...noPassword })).record).toMatchObject({
      seq: 2,
      epoch: 2,
    });
  });

  it('get another recovery key by the certificate as the proof, and the one before opens nothing', async () => {
    const { t } = await open();
    const { key, first, recoveryKey: old } = await alice(t);
    const { store, connection } = first;
    const recovery = keeper();
    await sealAnew(connection, { store, prove, ...noPassword, recovery });
    expect(recovery.steps).toEqual(['kept']);
    const second = async (given: OneTimeCode | undefined) =>
      await device(t, 'alice', {
        peer: await byCertificate(t, 'alice', key),
        ...noPassword,
        askRecoveryKey: async () => given,
      });
    expect(await refusal(second(old))).toMatchObject({ code: 'invalid' });
    expect((await second(recovery.keys[0])).keys.kind).toBe('recovered');
  });

  it('are sealed with the password too once it gets one, which brings them to a new machine', async () => {
    const { t, bob } = await open();
    const { first } = await alice(t);
    await bob.send('alice', 'before the password');
    const next = 'a password after all';
    const { store, connection } = first;
    await changePassword(connection, {
      username: 'alice',
      newPassword: next,
      privacy: 'private',
      prove,
      sealKeys: () => sealForChange(connection, { store, password: next, stretch: cheapStretch }),
    });
    const peer = await loggedIn(t, 'alice', { password: next, makes: wholeSecret });
    const second = await device(t, 'alice', { peer, password: next });
    expect(second.keys.kind).toBe('restored');
    expect(await read(second, 'bob')).toEqual(text('before the password'));
  });
});

describe('the keys of an account that has a password and a certificate', () => {
  /** Bob's connection that has shown a certificate of his. */
  async function mixed(t: TestChat) {
    const key = new TestKey();
    const request = await key.request('bob');
    await t.call(await loggedIn(t, 'bob'), 'certificate.issue', { request, proof: { login: true } });
    return connectionTo(t, await byCertificate(t, 'bob', key));
  }

  it('lose it where it is not kept: then the recovery key alone opens them', async () => {
    const { t, bob } = await open();
    const { store } = bob;
    await sealAnew(await mixed(t), { store, prove, ...noPassword, recovery: keeper() });
    expect((await device(t, 'bob')).keys).toEqual({ kind: 'locked' });
  });
});
