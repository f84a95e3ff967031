import { x25519 } from '@noble/curves/ed25519.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { concat, fromBase64url, toBase64url, utf8 } from '../crypto/bytes.ts';
import type { Username } from '../model/username.ts';
import type { OneTimeCode } from '../one-time-code.ts';
import { randomBytes } from '../random.ts';
import type { SecretKeys } from './account-keys.ts';
import { decrypt, encrypt } from './aes-gcm.ts';
import { numberOf, readFields, writeFields } from './fields.ts';
import { unwrap, wrapTo } from './hpke.ts';

/** An account's secret keys, of all epochs: what old messages and new ones are read with. */
export interface KeyRing {
  /** Ed25519, 32 bytes. */
  readonly identity: Uint8Array;
  /** X25519 secret keys by the number of the record that they came with, the newest last; at least one. */
  readonly encryption: readonly { readonly seq: number; readonly secret: Uint8Array }[];
  /** X25519, the public half of the recovery key: a new backup key is wrapped to it without the recovery key being there. */
  readonly recovery: Uint8Array;
}

/** What the server keeps of a key ring: all of it sealed (security 5), in base64url. */
export interface KeyBackup {
  /** The key ring under a random backup key. */
  readonly contents: string;
  /** The backup key, sealed to the public half of the recovery key. */
  readonly recovery_wrap: string;
  /** The backup key under the password, for private accounts. */
  readonly password_wrap?: string | undefined;
}

/** What is to change of a backup: what is left out stays, and a wrap that is null goes. */
export interface KeyBackupChange {
  readonly contents?: string | undefined;
  readonly recovery_wrap?: string | undefined;
  readonly password_wrap?: string | null | undefined;
}

/** Whose backup it is: no wrap opens as another account's, or on another server. */
export interface BackupOwner {
  readonly realm: string;
  readonly user: Username;
}

/** scrypt with N=2^17, r=8, p=1 (RFC 7914): 32 bytes of a password and a salt of 16. */
export type PasswordStretch = (password: string, salt: Uint8Array) => Promise<Uint8Array>;

/** The cost of {@link PasswordStretch}: 128 MB and about half a second. */
export const scryptCost = { N: 2 ** 17, r: 8, p: 1, dkLen: 32 } as const;

const backupKeyBytes = 32;
const saltBytes = 16;
const nonceBytes = 12;
/** An encapsulated key of X25519. */
const encapsulatedBytes = 32;

/** A key for a new backup. */
export function newBackupKey(): Uint8Array {
  return randomBytes(backupKeyBytes);
}

/** The current secret keys of a ring. */
export function currentKeys({ identity, encryption }: KeyRing): SecretKeys {
  const newest = encryption.at(-1);
  if (!newest) throw new Error('a key ring has at least one encryption key');
  return { identity, encryption: newest.secret };
}

/** Seals a key ring under a backup key. */
export function sealKeyRing(ring: KeyRing, backupKey: Uint8Array, owner: BackupOwner): Promise<string> {
  const fields = ring.encryption.flatMap(({ seq, secret }) => [seq, secret]);
  return seal(
    backupKey,
    boundTo('contents', owner),
    writeFields([ring.identity, writeFields(fields), ring.recovery]),
  );
}

/** Opens a sealed key ring; undefined when the key is not its own or it was changed. */
export async function openKeyRing(
  contents: string,
  backupKey: Uint8Array,
  owner: BackupOwner,
): Promise<KeyRing | undefined> {
  const plain = await open(backupKey, boundTo('contents', owner), contents);
  const [identity, list, recovery] = (plain && readFields(plain, 3)) ?? [];
  if (identity?.length !== 32 || !list || recovery?.length !== 32) return undefined;
  const fields = readFields(list);
  if (!fields || fields.length === 0 || fields.length % 2 === 1) return undefined;
  const encryption: { seq: number; secret: Uint8Array }[] = [];
  for (let index = 0; index < fields.length; index += 2) {
    const [seqField, secret] = fields.slice(index, index + 2);
    const seq = seqField && numberOf(seqField);
    if (!seq || secret?.length !== 32) return undefined;
    encryption.push({ seq, secret });
  }
  return { identity, encryption, recovery };
}

/** The public half of a recovery key. */
export function recoveryPublicKey(recoveryKey: OneTimeCode): Uint8Array {
  return x25519.getPublicKey(recoverySecret(recoveryKey));
}

/** Wraps a backup key to the public half of the recovery key. */
export async function wrapByRecoveryKey(
  backupKey: Uint8Array,
  publicKey: Uint8Array,
  owner: BackupOwner,
): Promise<string> {
  const { enc, sealed } = await wrapTo(publicKey, boundTo('recovery', owner), backupKey);
  return toBase64url(concat(enc, sealed));
}

/** Unwraps a backup key; undefined when the recovery key is not its own. */
export async function unwrapByRecoveryKey(
  wrap: string,
  recoveryKey: OneTimeCode,
  owner: BackupOwner,
): Promise<Uint8Array | undefined> {
  const bytes = fromBase64url(wrap);
  if (!bytes || bytes.length <= encapsulatedBytes) return undefined;
  const parts = { enc: bytes.subarray(0, encapsulatedBytes), sealed: bytes.subarray(encapsulatedBytes) };
  return asBackupKey(await unwrap(recoverySecret(recoveryKey), boundTo('recovery', owner), parts));
}

/** Wraps a backup key under the password, stretched with a salt of its own: never with what the server's verifier is made of. */
export async function wrapByPassword(
  backupKey: Uint8Array,
  password: string,
  owner: BackupOwner,
  stretch: PasswordStretch,
): Promise<string> {
  const salt = randomBytes(saltBytes);
  const sealed = await seal(await stretch(password, salt), boundTo('password', owner), backupKey);
  return `${toBase64url(salt)}.${sealed}`;
}

/** Unwraps a backup key; undefined when the password is not the one, or the wrap is no wrap. */
export async function unwrapByPassword(
  wrap: string,
  password: string,
  owner: BackupOwner,
  stretch: PasswordStretch,
): Promise<Uint8Array | undefined> {
  const [saltText = '', sealed = '', ...rest] = wrap.split('.');
  const salt = fromBase64url(saltText);
  if (salt?.length !== saltBytes || rest.length > 0) return undefined;
  return asBackupKey(await open(await stretch(password, salt), boundTo('password', owner), sealed));
}

function asBackupKey(bytes: Uint8Array | undefined): Uint8Array | undefined {
  return bytes?.length === backupKeyBytes ? bytes : undefined;
}

/** It has 128 random bits: it needs no stretching. */
function recoverySecret(recoveryKey: OneTimeCode): Uint8Array {
  return hkdf(sha256, utf8(recoveryKey), utf8('chat-recovery-key-v1'), utf8('x25519'), 32);
}

function boundTo(what: 'contents' | 'recovery' | 'password', { realm, user }: BackupOwner): Uint8Array {
  return writeFields(['chat-key-backup-v1', what, realm, user]);
}

async function seal(key: Uint8Array, bound: Uint8Array, plain: Uint8Array): Promise<string> {
  const nonce = randomBytes(nonceBytes);
  return toBase64url(concat(nonce, await encrypt(key, nonce, bound, plain)));
}

async function open(key: Uint8Array, bound: Uint8Array, text: string): Promise<Uint8Array | undefined> {
  const sealed = fromBase64url(text);
  if (!sealed || sealed.length < nonceBytes) return undefined;
  return decrypt(key, sealed.subarray(0, nonceBytes), bound, sealed.subarray(nonceBytes));
}
