import { fromBase64url, toBase64url } from '../../core/crypto/bytes.ts';
import type { KeyRing } from '../../core/e2ee/key-backup.ts';
import { readKeyRecord, type SignedKeyRecord } from '../../core/e2ee/key-record.ts';
import type { Pin } from './pin.ts';

/** An account's keys on this device, and what it knows of others'. */
export interface KeyFile {
  /** The account's own newest record, with the server's realm and the account's name in it. */
  readonly record: SignedKeyRecord;
  readonly ring: KeyRing;
  /** What the backup on the server is sealed with, and which version of it this is; 0 when there is none. */
  readonly backupKey: Uint8Array;
  readonly backupVersion: number;
  /** By username. */
  readonly pins: ReadonlyMap<string, Pin>;
}

/** Where a key file is kept; one process at a time changes it. */
export interface KeyStore {
  /** Undefined when there is none; throws `unavailable` naming the file when it cannot be understood. */
  load(): Promise<KeyFile | undefined>;
  /** Replaces the file, while no other process does, by what `change` makes of it; answers what is kept then. */
  update(change: (file: KeyFile | undefined) => KeyFile | Promise<KeyFile>): Promise<KeyFile>;
  /** Throws what {@link update} would, where nothing can be kept: asked before a server is told what this device must know then. */
  checkWritable(): Promise<void>;
  /** The keys that {@link keepPending} has kept; undefined where there are none, or none that can be understood. */
  loadPending(): Promise<KeyFile | undefined>;
  /** Keeps keys that a server is about to be told of beside the file, in place of any before: the answer may be lost. Undefined drops them. */
  keepPending(file: KeyFile | undefined): Promise<void>;
}

/** Spells a key file; it holds secret keys. */
export function writeKeyFile({ record, ring, backupKey, backupVersion, pins }: KeyFile): string {
  return `${JSON.stringify(
    {
      record: record.text,
      identity: toBase64url(ring.identity),
      encryption: ring.encryption.map(({ seq, secret }) => ({ seq, secret: toBase64url(secret) })),
      recovery: toBase64url(ring.recovery),
      backup_key: toBase64url(backupKey),
      backup_version: backupVersion,
      pins: Object.fromEntries(pins),
    },
    undefined,
    2,
  )}\n`;
}

/** Reads what {@link writeKeyFile} has written; undefined for all else. */
export function readKeyFile(text: string): KeyFile | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isFields(value)) return undefined;
  const record = typeof value.record === 'string' ? readKeyRecord(value.record) : undefined;
  const identity = secretIn(value.identity);
  const backupKey = secretIn(value.backup_key);
  const recovery = secretIn(value.recovery);
  const encryption = encryptionIn(value.encryption);
  const pins = pinsIn(value.pins);
  const { backup_version: backupVersion } = value;
  if (!record || !identity || !recovery || !backupKey || !encryption || !pins || !isCount(backupVersion))
    return undefined;
  return { record, ring: { identity, encryption, recovery }, backupKey, backupVersion, pins };
}

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function secretIn(value: unknown): Uint8Array | undefined {
  const bytes = typeof value === 'string' ? fromBase64url(value) : undefined;
  return bytes?.length === 32 ? bytes : undefined;
}

function encryptionIn(value: unknown): KeyRing['encryption'] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const keys: { seq: number; secret: Uint8Array }[] = [];
  for (const one of value) {
    const secret = isFields(one) ? secretIn(one.secret) : undefined;
    if (!secret || !isCount(one.seq)) return undefined;
    keys.push({ seq: one.seq, secret });
  }
  return keys;
}

function pinsIn(value: unknown): ReadonlyMap<string, Pin> | undefined {
  if (!isFields(value)) return undefined;
  const pins = new Map<string, Pin>();
  for (const [name, pin] of Object.entries(value)) {
    if (!isFields(pin)) return undefined;
    const { identity, seq, digest, isVerified } = pin;
    if (!secretIn(identity) || !secretIn(digest) || !isCount(seq) || typeof isVerified !== 'boolean')
      return undefined;
    pins.set(name, { identity: String(identity), seq, digest: String(digest), isVerified });
  }
  return pins;
}
