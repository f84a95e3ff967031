import { ed25519 } from '@noble/curves/ed25519.js';
import { equalDigests, fromBase64url, toBase64url } from '../crypto/bytes.ts';
import { type Digests, nobleDigests } from '../crypto/digests.ts';
import { isUsername, type Username } from '../model/username.ts';
import { type PublicKeys, publicKeysOf, type SecretKeys } from './account-keys.ts';
import { numberOf, readFields, textOf, writeFields } from './fields.ts';

/** What an account says of its keys (security 5); each record follows the one before it. */
export interface KeyRecord {
  /** The server's realm: a record is good on one server. */
  readonly realm: string;
  readonly user: Username;
  /** 1 for the account's first record, and one more for each that follows. */
  readonly seq: number;
  /** SHA-256 of the record before; of no bytes for the first. */
  readonly previous: Uint8Array;
  /** 1 and upwards: grows when the encryption key changes. */
  readonly epoch: number;
  readonly keys: PublicKeys;
  /** When it was made by its client's clock, UTC milliseconds. */
  readonly at: number;
}

/** A record that was read and whose signature is right: what is in it was said by the holder of its identity key. */
export interface SignedKeyRecord extends KeyRecord {
  /** As it travels: base64url. */
  readonly text: string;
  /** SHA-256 of it, the `previous` of the next one. */
  readonly digest: Uint8Array;
}

const label = 'chat-key-record-v1';
const recordFields = 9;
const signatureBytes = 64;
/** A record as it travels is never longer. */
const maxTextCharacters = 1_024;

/** The `previous` of an account's first record. */
export function noRecord(digests: Digests = nobleDigests): Uint8Array {
  return digests.sha256(new Uint8Array());
}

/** Signs a record with the identity key that is in it. */
export function signKeyRecord(
  record: Omit<KeyRecord, 'keys'>,
  secrets: SecretKeys,
  digests: Digests = nobleDigests,
): SignedKeyRecord {
  const whole: KeyRecord = { ...record, keys: publicKeysOf(secrets) };
  const signed = signedBytes(whole);
  const bytes = new Uint8Array(signed.length + signatureBytes);
  bytes.set(signed);
  bytes.set(ed25519.sign(signed, secrets.identity), signed.length);
  return { ...whole, text: toBase64url(bytes), digest: digests.sha256(bytes) };
}

/** Reads a record; undefined unless it is one in its one spelling, signed by the identity key that is in it. */
export function readKeyRecord(text: string, digests: Digests = nobleDigests): SignedKeyRecord | undefined {
  if (text.length > maxTextCharacters) return undefined;
  const bytes = fromBase64url(text);
  if (!bytes || bytes.length <= signatureBytes) return undefined;
  const signed = bytes.subarray(0, -signatureBytes);
  const record = parse(signed);
  if (!record) return undefined;
  // Strict: small-order keys and signatures in a second spelling are refused (RFC 8032, 5.1.7).
  const isRight = ed25519.verify(bytes.subarray(-signatureBytes), signed, record.keys.identity, {
    zip215: false,
  });
  return isRight ? { ...record, text, digest: digests.sha256(bytes) } : undefined;
}

/** True when `next` is the record that follows `before` (undefined: none) of the same account on the same server. */
export function followsRecord(
  next: SignedKeyRecord,
  before: SignedKeyRecord | undefined,
  digests: Digests = nobleDigests,
): boolean {
  if (!before) return next.seq === 1 && next.epoch === 1 && equalDigests(next.previous, noRecord(digests));
  const isSameKey = equalDigests(next.keys.encryption, before.keys.encryption);
  return (
    next.realm === before.realm &&
    next.user === before.user &&
    next.seq === before.seq + 1 &&
    equalDigests(next.previous, before.digest) &&
    next.epoch === before.epoch + (isSameKey ? 0 : 1)
  );
}

function signedBytes({ realm, user, seq, previous, epoch, keys, at }: KeyRecord): Uint8Array {
  return writeFields([label, realm, user, seq, previous, epoch, keys.identity, keys.encryption, at]);
}

function parse(bytes: Uint8Array): KeyRecord | undefined {
  const fields = readFields(bytes, recordFields);
  if (!fields) return undefined;
  const [name, realm, user] = fields.slice(0, 3).map(textOf);
  const [, , , seqField, previous, epochField, identity, encryption, atField] = fields;
  const [seq, epoch, at] = [seqField, epochField, atField].map((field) => field && numberOf(field));
  if (name !== label || realm === undefined || user === undefined || !isUsername(user)) return undefined;
  if (!seq || !epoch || at === undefined) return undefined;
  if (previous?.length !== 32 || identity?.length !== 32 || encryption?.length !== 32) return undefined;
  return { realm, user, seq, previous, epoch, keys: { identity, encryption }, at };
}
