import { newSecretKeys, type SecretKeys } from '../../../../src/core/e2ee/account-keys.ts';
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
