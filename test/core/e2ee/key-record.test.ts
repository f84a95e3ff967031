import { ed25519 } from '@noble/curves/ed25519.js';
import { describe, expect, it } from 'vitest';
import { fromBase64url, toBase64url } from '../../../src/core/crypto/bytes.ts';
import { newSecretKeys, nextSecretKeys, publicKeysOf } from '../../../src/core/e2ee/account-keys.ts';
import {
  followsRecord,
  type KeyRecord,
  noRecord,
  readKeyRecord,
  signKeyRecord,
} from '../../../src/core/e2ee/key-record.ts';
import { parseUsername } from '../../../src/core/model/username.ts';
import { flipped, type KeyedAccount, keyed, realm } from './support/accounts.ts';

const alice = parseUsername('alice');

/** The record that follows `before`, with what a test bends. */
function next(
  { record, secrets }: KeyedAccount,
  bent: Partial<Omit<KeyRecord, 'keys'>> = {},
  by = nextSecretKeys(secrets),
) {
  const { user, seq, epoch, digest, at } = record;
  return signKeyRecord(
    { realm, user, seq: seq + 1, previous: digest, epoch: epoch + 1, at: at + 1, ...bent },
    by,
  );
}

describe('a key record', () => {
  it('says whose keys these are, and is read by everybody', () => {
    const { record, secrets } = keyed('alice');
    expect(readKeyRecord(record.text)).toEqual(record);
    expect(record).toMatchObject({ realm, user: 'alice', seq: 1, epoch: 1, keys: publicKeysOf(secrets) });
  });

  it('is nothing any more when one bit of it has changed', () => {
    const { record } = keyed('alice');
    const bytes = fromBase64url(record.text) ?? new Uint8Array();
    for (let index = 0; index < bytes.length; index++) {
      expect(readKeyRecord(toBase64url(flipped(bytes, index, index % 8)))).toBeUndefined();
    }
    for (const text of [
      '',
      'A',
      `${record.text}A`,
      record.text.slice(0, -1),
      ` ${record.text}`,
      'x'.repeat(2_000),
    ]) {
      expect(readKeyRecord(text)).toBeUndefined();
    }
  });

  it('is nothing when another key has signed it', () => {
    const { record } = keyed('alice');
    const bytes = fromBase64url(record.text) ?? new Uint8Array();
    const signed = bytes.subarray(0, -64);
    const forged = new Uint8Array(bytes);
    forged.set(ed25519.sign(signed, newSecretKeys().identity), signed.length);
    expect(readKeyRecord(toBase64url(forged))).toBeUndefined();
  });

  it.each([
    ['a name that no account has', { user: 'Alice' as typeof alice }],
    ['no number', { seq: 0 }],
    ['no epoch', { epoch: 0 }],
    ['a digest of another length', { previous: new Uint8Array(31) }],
  ])('is nothing with %s, whoever signed it', (_what, bent) => {
    const secrets = newSecretKeys();
    const fields = { realm, user: alice, seq: 1, previous: noRecord(), epoch: 1, at: 1, ...bent };
    expect(readKeyRecord(signKeyRecord(fields, secrets).text)).toBeUndefined();
  });
});

describe('a record that follows another', () => {
  it('is the next in number, over the digest of the one before, in the next epoch when the key is another', () => {
    const first = keyed('alice');
    expect(followsRecord(first.record, undefined)).toBe(true);
    expect(followsRecord(next(first), first.record)).toBe(true);
    // A new identity over the same encryption key is no new epoch; who trusts it is not decided here.
    const sameKey = { identity: newSecretKeys().identity, encryption: first.secrets.encryption };
    expect(followsRecord(next(first, { epoch: 1 }, sameKey), first.record)).toBe(true);
    expect(followsRecord(next(first, { epoch: 2 }, sameKey), first.record)).toBe(false);
  });

  it.each([
    ['the same number again', { seq: 1 }],
    ['a number left out', { seq: 3 }],
    ['another past', { previous: noRecord() }],
    ['the old epoch', { epoch: 1 }],
    ['an epoch left out', { epoch: 3 }],
    ['another account', { user: parseUsername('mallory') }],
    ['another server', { realm: 'other.example' }],
  ])('is refused with %s', (_what, bent) => {
    const first = keyed('alice');
    expect(followsRecord(next(first, bent), first.record)).toBe(false);
  });

  it('is not the first of an account unless its number and its past say so', () => {
    const first = keyed('alice');
    expect(followsRecord(next(first), undefined)).toBe(false);
    expect(followsRecord(first.record, first.record)).toBe(false);
  });
});
