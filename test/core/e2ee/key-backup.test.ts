import { scryptSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { newSecretKeys } from '../../../src/core/e2ee/account-keys.ts';
import {
  currentKeys,
  type KeyRing,
  newBackupKey,
  openKeyRing,
  type PasswordStretch,
  recoveryPublicKey,
  scryptCost,
  sealKeyRing,
  unwrapByPassword,
  unwrapByRecoveryKey,
  wrapByPassword,
  wrapByRecoveryKey,
} from '../../../src/core/e2ee/key-backup.ts';
import { parseUsername } from '../../../src/core/model/username.ts';
import { newOneTimeCode } from '../../../src/core/one-time-code.ts';
import { realm } from './support/accounts.ts';

const owner = { realm, user: parseUsername('alice') };
const others = [
  { realm: 'other.example', user: owner.user },
  { realm, user: parseUsername('mallory') },
];
/** As the real one, at a cost that a test can pay. */
const stretch: PasswordStretch = async (password, salt) =>
  new Uint8Array(scryptSync(password, salt, 32, { N: 16, r: 8, p: 1 }));

function ring(epochs: number): KeyRing {
  const { identity } = newSecretKeys();
  const encryption = Array.from({ length: epochs }, (_, index) => ({
    seq: index + 1,
    secret: newSecretKeys().encryption,
  }));
  return { identity, encryption, recovery: recoveryPublicKey(newOneTimeCode()) };
}

/** A text with one character in place of another of the alphabet, everywhere in turn. */
function* bent(text: string): Generator<string> {
  for (let index = 0; index < text.length; index++) {
    yield `${text.slice(0, index)}${text[index] === 'B' ? 'C' : 'B'}${text.slice(index + 1)}`;
  }
}

describe('a backup of an account’s keys', () => {
  it.each([1, 2, 40])('gives %i epochs back to who has the backup key', async (epochs) => {
    const [keys, backupKey] = [ring(epochs), newBackupKey()];
    const contents = await sealKeyRing(keys, backupKey, owner);
    expect(await openKeyRing(contents, backupKey, owner)).toEqual(keys);
    expect(currentKeys(keys).encryption).toBe(keys.encryption.at(-1)?.secret);
  });

  it('opens with no other key, for no other account, on no other server, and not when a bit has changed', async () => {
    const backupKey = newBackupKey();
    const contents = await sealKeyRing(ring(2), backupKey, owner);
    expect(await openKeyRing(contents, newBackupKey(), owner)).toBeUndefined();
    for (const other of others) expect(await openKeyRing(contents, backupKey, other)).toBeUndefined();
    for (const text of bent(contents)) expect(await openKeyRing(text, backupKey, owner)).toBeUndefined();
    for (const text of ['', 'A', 'AAAA']) expect(await openKeyRing(text, backupKey, owner)).toBeUndefined();
  });

  it('gives its key to the recovery key alone', async () => {
    const [backupKey, recoveryKey] = [newBackupKey(), newOneTimeCode()];
    const wrap = await wrapByRecoveryKey(backupKey, recoveryPublicKey(recoveryKey), owner);
    expect(await unwrapByRecoveryKey(wrap, recoveryKey, owner)).toEqual(backupKey);
    expect(await unwrapByRecoveryKey(wrap, newOneTimeCode(), owner)).toBeUndefined();
    for (const other of others) expect(await unwrapByRecoveryKey(wrap, recoveryKey, other)).toBeUndefined();
    for (const text of bent(wrap))
      expect(await unwrapByRecoveryKey(text, recoveryKey, owner)).toBeUndefined();
  });

  it('gives its key to the password alone, with a salt of its own each time', async () => {
    const backupKey = newBackupKey();
    const wrap = await wrapByPassword(backupKey, 'correct horse', owner, stretch);
    expect(await unwrapByPassword(wrap, 'correct horse', owner, stretch)).toEqual(backupKey);
    expect(await unwrapByPassword(wrap, 'Correct horse', owner, stretch)).toBeUndefined();
    for (const other of others) {
      expect(await unwrapByPassword(wrap, 'correct horse', other, stretch)).toBeUndefined();
    }
    for (const text of [...bent(wrap), '', '.', `${wrap}.`, wrap.replace('.', '')]) {
      expect(await unwrapByPassword(text, 'correct horse', owner, stretch)).toBeUndefined();
    }
    expect(await wrapByPassword(backupKey, 'correct horse', owner, stretch)).not.toBe(wrap);
  });

  it('never takes one wrap for another', async () => {
    const [backupKey, recoveryKey] = [newBackupKey(), newOneTimeCode()];
    const wrap = await wrapByRecoveryKey(backupKey, recoveryPublicKey(recoveryKey), owner);
    expect(await openKeyRing(wrap, backupKey, owner)).toBeUndefined();
  });

  it('is stretched as the design says', () => {
    expect(scryptCost).toEqual({ N: 131_072, r: 8, p: 1, dkLen: 32 });
  });
});
