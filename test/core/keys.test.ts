import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { newSecretKeys, nextSecretKeys, type SecretKeys } from '../../src/core/e2ee/account-keys.ts';
import {
  type KeyRecord,
  noRecord,
  type SignedKeyRecord,
  signKeyRecord,
} from '../../src/core/e2ee/key-record.ts';
import { parseUsername } from '../../src/core/model/username.ts';
import { keyChangesPerHour, keysAfterLoginMs } from '../../src/core/policy.ts';
import { smallOrderKeys, withEncryptionKey } from './e2ee/support/accounts.ts';
import {
  challenged,
  type FakePeer,
  loggedIn,
  logInFirst,
  openChat,
  password,
  peer,
  refusal,
  register,
  type TestChat,
} from './support/chat.ts';

const realm = 'chat.example';
const start = 1_800_000_000_000;
beforeEach(() => void vi.useFakeTimers({ now: start }));
afterEach(() => void vi.useRealTimers());

function first(name: string, secrets: SecretKeys, bent: Partial<KeyRecord> = {}): SignedKeyRecord {
  const user = parseUsername(name);
  return signKeyRecord({ realm, user, seq: 1, previous: noRecord(), epoch: 1, at: start, ...bent }, secrets);
}

function following({ user, seq, epoch, digest }: SignedKeyRecord, secrets: SecretKeys): SignedKeyRecord {
  return signKeyRecord({ realm, user, seq: seq + 1, previous: digest, epoch: epoch + 1, at: start }, secrets);
}

async function proofOf(t: TestChat, connection: FakePeer, secret = password) {
  const { exchange, proof } = await challenged(t, connection, 'alice', secret);
  return { exchange, message: proof };
}

async function open(): Promise<{ t: TestChat; alice: FakePeer; bob: FakePeer }> {
  const t = await openChat();
  await register(t, 'alice', 'bob');
  return { t, alice: await loggedIn(t, 'alice'), bob: await loggedIn(t, 'bob') };
}

describe('keys.publish', () => {
  it('publishes an account’s keys for everybody who is logged in', async () => {
    const { t, alice, bob } = await open();
    const { text: record } = first('alice', newSecretKeys());
    expect(await t.call(alice, 'keys.publish', { record })).toEqual({ seq: 1 });
    expect(await t.call(bob, 'keys.get', { user: 'Alice' })).toEqual({ record, newest_seq: 1 });
    expect(await refusal(t.call(peer(), 'keys.get', { user: 'alice' }))).toEqual(logInFirst);
    expect(t.audit.at(-1)).toMatchObject({ operation: 'keys.publish', user: 'alice', outcome: 'ok' });
  });

  it('takes a next epoch by the same identity, and its repetition, but nothing out of turn', async () => {
    const { t, alice } = await open();
    const secrets = newSecretKeys();
    const one = first('alice', secrets);
    const two = following(one, nextSecretKeys(secrets));
    const notNext = { code: 'conflict', field: 'record' };
    expect(await refusal(t.call(alice, 'keys.publish', { record: two.text }))).toMatchObject(notNext);
    await t.call(alice, 'keys.publish', { record: one.text });
    await t.call(alice, 'keys.publish', { record: two.text, proof: await proofOf(t, alice) });
    expect(await t.call(alice, 'keys.publish', { record: two.text })).toEqual({ seq: 2 });
    for (const { text: record } of [one, following(one, nextSecretKeys(secrets))]) {
      expect(await refusal(t.call(alice, 'keys.publish', { record }))).toMatchObject({
        ...notNext,
        message: "record: it does not follow the account's newest, which is number 2",
      });
    }
    expect(await t.call(alice, 'keys.get', { user: 'alice', seq: 1 })).toEqual({
      record: one.text,
      newest_seq: 2,
      backup_version: 0,
    });
  });

  it('7.5.1: takes another identity key, and another epoch, with a fresh proof alone', async () => {
    const { t, alice } = await open();
    const secrets = newSecretKeys();
    const one = first('alice', secrets);
    const { text: record } = following(one, newSecretKeys());
    await t.call(alice, 'keys.publish', { record: one.text });
    for (const next of [record, following(one, nextSecretKeys(secrets)).text]) {
      expect(await refusal(t.call(alice, 'keys.publish', { record: next }))).toMatchObject({
        code: 'forbidden',
        message: 'a key record after the first takes a proof of the password: give proof',
        field: 'proof',
      });
    }
    const wrong = await proofOf(t, alice, 'wrong horse battery staple');
    expect(await refusal(t.call(alice, 'keys.publish', { record, proof: wrong }))).toMatchObject({
      code: 'unauthenticated',
    });
    expect(await t.call(alice, 'keys.get', { user: 'alice' })).toMatchObject({ newest_seq: 1 });
    expect(await t.call(alice, 'keys.publish', { record, proof: await proofOf(t, alice) })).toEqual({
      seq: 2,
    });
  });

  it('7.5.1: takes an account’s first keys shortly after a login, and later with a fresh proof', async () => {
    const { t, alice, bob } = await open();
    vi.advanceTimersByTime(keysAfterLoginMs);
    await t.call(bob, 'keys.publish', { record: first('bob', newSecretKeys()).text });
    vi.advanceTimersByTime(1);
    const { text: record } = first('alice', newSecretKeys());
    expect(await refusal(t.call(alice, 'keys.publish', { record }))).toEqual({
      code: 'forbidden',
      message: "this login is too old to give an account's first keys: give proof, or log in again",
      field: 'proof',
    });
    const wrong = await proofOf(t, alice, 'wrong horse battery staple');
    expect(await refusal(t.call(alice, 'keys.publish', { record, proof: wrong }))).toMatchObject({
      code: 'unauthenticated',
    });
    expect(await t.call(alice, 'keys.get', { user: 'alice' })).toMatchObject({ newest_seq: 0 });
    const proof = await proofOf(t, alice);
    expect(await t.call(alice, 'keys.publish', { record, proof })).toEqual({ seq: 1 });
  });

  it('7.5.1: over a backup that is there, without a record before, takes a fresh proof too', async () => {
    const { t, alice } = await open();
    await t.call(alice, 'keys.backup', { backup: { contents: 'c29tZQ', recovery_wrap: 'cmVj' }, version: 0 });
    const { text: record } = first('alice', newSecretKeys());
    const over = { record, backup: { contents: 'bmV3', version: 1 } };
    expect(await refusal(t.call(alice, 'keys.publish', over))).toMatchObject({
      code: 'forbidden',
      field: 'proof',
    });
    expect(await t.call(alice, 'keys.publish', { ...over, proof: await proofOf(t, alice) })).toEqual({
      seq: 1,
    });
  });

  it('7.5.1: over a backup that is there takes a fresh proof, and with one both change or neither', async () => {
    const { t, alice } = await open();
    const secrets = newSecretKeys();
    const one = first('alice', secrets);
    const two = following(one, nextSecretKeys(secrets));
    const sealed = { contents: 'c29tZQ', recovery_wrap: 'cmVj' };
    const publish = async (record: SignedKeyRecord, backup: object, proven = false) =>
      await t.call(alice, 'keys.publish', {
        record: record.text,
        backup: backup as { version: number },
        ...(proven && { proof: await proofOf(t, alice) }),
      });
    expect(await refusal(publish(one, { contents: 'c29tZQ', version: 0 }))).toMatchObject({
      code: 'invalid',
      field: 'backup.recovery_wrap',
    });
    await publish(one, { ...sealed, version: 0 });
    expect(await refusal(publish(two, { contents: 'bmV3', version: 1 }))).toMatchObject({
      code: 'forbidden',
      field: 'proof',
    });
    expect(await refusal(publish(two, { contents: 'bmV3', version: 2 }, true))).toMatchObject({
      code: 'conflict',
      field: 'version',
    });
    expect(await t.call(alice, 'keys.get', { user: 'alice' })).toMatchObject({
      newest_seq: 1,
      backup_version: 1,
    });
    await publish(two, { contents: 'bmV3', version: 1 }, true);
    expect(await t.call(alice, 'keys.get', { user: 'alice' })).toMatchObject({ newest_seq: 2 });
    expect(await t.call(alice, 'keys.restore', {})).toMatchObject({
      backup: { ...sealed, contents: 'bmV3' },
      version: 2,
    });
  });

  it('is refused for another account, another server, and what nobody has signed', async () => {
    const { t, alice } = await open();
    const secrets = newSecretKeys();
    const refused = async (record: string) =>
      (await refusal(t.call(alice, 'keys.publish', { record }))).message;
    expect(await refused(first('bob', secrets).text)).toBe('record: it is of another account');
    expect(await refused(first('alice', secrets, { realm: 'other' }).text)).toBe(
      'record: it is for another server',
    );
    expect(await refused('AAAA')).toBe('record: not a key record that its own identity key has signed');
    expect(await refused('not base64url!')).toBe('record: a key record is base64url');
  });

  it('is refused with an encryption key of small order: whoever sealed to it would fail', async () => {
    const { t, alice } = await open();
    const secrets = newSecretKeys();
    for (const key of smallOrderKeys) {
      const record = withEncryptionKey(first('alice', secrets), secrets, key);
      expect((await refusal(t.call(alice, 'keys.publish', { record }))).message).toBe(
        'record: nothing can be sealed to its encryption key',
      );
    }
    const other = withEncryptionKey(first('alice', secrets), secrets, newSecretKeys().encryption);
    expect(await t.call(alice, 'keys.publish', { record: other })).toEqual({ seq: 1 });
  });

  it('is judged only so many times an hour: each costs two signatures', async () => {
    const { t, alice } = await open();
    const { text: record } = first('bob', newSecretKeys());
    for (let given = 0; given < keyChangesPerHour; given++)
      expect(await refusal(t.call(alice, 'keys.publish', { record }))).toMatchObject({ code: 'invalid' });
    expect(await refusal(t.call(alice, 'keys.publish', { record }))).toMatchObject({
      code: 'rate-limited',
      message: 'too many changes of keys: wait before the next one',
    });
  });

  it('adds one of many that are published at once', async () => {
    const { t, alice } = await open();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, () =>
        t.call(alice, 'keys.publish', { record: first('alice', newSecretKeys()).text }),
      ),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });
});

describe('keys.get', () => {
  it('says whether nobody has the name, or nobody has published keys under it', async () => {
    const { t, alice } = await open();
    expect(await refusal(t.call(alice, 'keys.get', { user: 'nobody' }))).toEqual({
      code: 'not-found',
      message: 'there is no user @nobody',
      field: 'user',
    });
    expect(await t.call(alice, 'keys.get', { user: 'bob' })).toEqual({ record: null, newest_seq: 0 });
    await t.call(alice, 'keys.publish', { record: first('alice', newSecretKeys()).text });
    expect(await refusal(t.call(alice, 'keys.get', { user: 'alice', seq: 2 }))).toMatchObject({
      field: 'seq',
    });
  });
});

describe('keys.backup and keys.restore', () => {
  const backup = { contents: 'c29tZQ', recovery_wrap: 'cmVj', password_wrap: 'c2FsdA.cGFzcw' };

  it('keep sealed keys for their own account', async () => {
    const { t, alice, bob } = await open();
    expect(await refusal(t.call(alice, 'keys.restore', {}))).toMatchObject({ code: 'not-found' });
    expect(await t.call(alice, 'keys.backup', { backup, version: 0 })).toEqual({ version: 1 });
    expect(await t.call(alice, 'keys.restore', {})).toEqual({ backup, version: 1 });
    expect(await refusal(t.call(bob, 'keys.restore', {}))).toMatchObject({ code: 'not-found' });
    expect(await t.call(alice, 'keys.get', { user: 'alice' })).toMatchObject({ backup_version: 1 });
    expect(await t.call(bob, 'keys.get', { user: 'alice' })).not.toHaveProperty('backup_version');
  });

  it('7.5.1: overwrite with a fresh proof alone, and only what was read', async () => {
    const { t, alice } = await open();
    await t.call(alice, 'keys.backup', { backup, version: 0 });
    expect(await refusal(t.call(alice, 'keys.backup', { backup, version: 1 }))).toMatchObject({
      code: 'forbidden',
      field: 'proof',
    });
    expect(await refusal(t.call(alice, 'keys.backup', { backup, version: 0 }))).toMatchObject({
      code: 'conflict',
    });
    const wrong = await proofOf(t, alice, 'wrong horse battery staple');
    expect(await refusal(t.call(alice, 'keys.backup', { backup, version: 1, proof: wrong }))).toMatchObject({
      code: 'unauthenticated',
    });
    const proven = { backup: { ...backup, contents: 'bmV3' }, version: 1, proof: await proofOf(t, alice) };
    expect(await t.call(alice, 'keys.backup', proven)).toEqual({ version: 2 });
    const late = { backup, version: 1, proof: await proofOf(t, alice) };
    expect(await refusal(t.call(alice, 'keys.backup', late))).toMatchObject({
      code: 'conflict',
      field: 'version',
    });
  });

  it('7.5.1: take a first backup shortly after a login, and later for a fresh proof', async () => {
    const { t, alice, bob } = await open();
    vi.advanceTimersByTime(keysAfterLoginMs);
    await t.call(bob, 'keys.backup', { backup, version: 0 });
    vi.advanceTimersByTime(1);
    expect(await refusal(t.call(alice, 'keys.backup', { backup, version: 0 }))).toMatchObject({
      code: 'forbidden',
      field: 'proof',
    });
    const proof = await proofOf(t, alice);
    expect(await t.call(alice, 'keys.backup', { backup, version: 0, proof })).toEqual({ version: 1 });
  });

  it('7.5.1: are given out shortly after a login, and later for a fresh proof', async () => {
    const { t, alice } = await open();
    await t.call(alice, 'keys.backup', { backup, version: 0 });
    vi.advanceTimersByTime(keysAfterLoginMs);
    await t.call(alice, 'keys.restore', {});
    vi.advanceTimersByTime(1);
    expect(await refusal(t.call(alice, 'keys.restore', {}))).toMatchObject({
      code: 'forbidden',
      field: 'proof',
    });
    expect(await t.call(alice, 'keys.restore', { proof: await proofOf(t, alice) })).toMatchObject({
      version: 1,
    });
  });

  it('keep no wrap by a password that the server has seen', async () => {
    const t = await openChat();
    const olga = peer();
    await t.call(olga, 'account.register', { username: 'olga', password, open_session: true });
    expect(await refusal(t.call(olga, 'keys.backup', { backup, version: 0 }))).toMatchObject({
      code: 'forbidden',
      field: 'backup.password_wrap',
    });
    const { password_wrap: _none, ...withoutPassword } = backup;
    expect(await t.call(olga, 'keys.backup', { backup: withoutPassword, version: 0 })).toEqual({
      version: 1,
    });
    expect(await t.call(olga, 'keys.restore', {})).toEqual({ backup: withoutPassword, version: 1 });
  });

  it('refuse what is no sealed key', async () => {
    const { t, alice } = await open();
    const bad = { ...backup, contents: '<script>' };
    expect(await refusal(t.call(alice, 'keys.backup', { backup: bad, version: 0 }))).toMatchObject({
      code: 'invalid',
      field: 'backup.contents',
    });
  });
});
