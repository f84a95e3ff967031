import { ed25519 } from '@noble/curves/ed25519.js';
import { concat, fromBase64url, toBase64url } from '../../../../src/core/crypto/bytes.ts';
import { newSecretKeys, type SecretKeys } from '../../../../src/core/e2ee/account-keys.ts';
import { readFields, writeFields } from '../../../../src/core/e2ee/fields.ts';
import { noRecord, type SignedKeyRecord, signKeyRecord } from '../../../../src/core/e2ee/key-record.ts';
import { parseUsername } from '../../../../src/core/model/username.ts';

export const realm = 'chat.example';

/** An account with its first record. */
export interface KeyedAccount {
  readonly secrets: SecretKeys;
  readonly record: SignedKeyRecord;
}

/** An account with new keys and the record of them. */
export function keyed(name: string, at = 1_800_000_000_000): KeyedAccount {
  const secrets = newSecretKeys();
  const user = parseUsername(name);
  return {
    secrets,
    record: signKeyRecord({ realm, user, seq: 1, previous: noRecord(), epoch: 1, at }, secrets),
  };
}

/** `bytes` with one bit of one byte turned over. */
export function flipped(bytes: Uint8Array, index: number, bit = 0): Uint8Array {
  return bytes.map((byte, place) => (place === index ? byte ^ (1 << bit) : byte));
}

/** The u-coordinates with which every X25519 key agrees on zeros alone: those of order 1, 2, 4 and 8, and two in a second spelling. */
export const smallOrderKeys: readonly Uint8Array[] = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].map((hex) => Uint8Array.fromHex(hex));

/** A record in which another encryption key stands than its owner has, signed as it has to be. */
export function withEncryptionKey(
  record: SignedKeyRecord,
  { identity }: Pick<SecretKeys, 'identity'>,
  encryption: Uint8Array,
): string {
  const signed = (fromBase64url(record.text) ?? new Uint8Array()).slice(0, -64);
  const fields = [...(readFields(signed) ?? [])];
  fields.splice(7, 1, encryption);
  const bytes = writeFields(fields);
  return toBase64url(concat(bytes, ed25519.sign(bytes, identity)));
}
