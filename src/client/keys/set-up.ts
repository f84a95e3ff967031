import { equalDigests } from '../../core/crypto/bytes.ts';
import { publicKeysOf } from '../../core/e2ee/account-keys.ts';
import {
  type BackupOwner,
  currentKeys,
  type KeyBackup,
  type KeyRing,
  openKeyRing,
  type PasswordStretch,
  unwrapByPassword,
  unwrapByRecoveryKey,
} from '../../core/e2ee/key-backup.ts';
import type { SignedKeyRecord } from '../../core/e2ee/key-record.ts';
import { ChatError } from '../../core/errors.ts';
import type { OneTimeCode } from '../../core/one-time-code.ts';
import type { Connection } from '../connection.ts';
import type { FreshProof } from '../prove-again.ts';
import { fetchBackup, type KeptBackup } from './fetch-backup.ts';
import { fetchOwnRecord, type ShownKeys } from './fetch-record.ts';
import type { KeyFile, KeyStore } from './key-file.ts';
import { makeKeys } from './make-keys.ts';
import { adopt, adoptPublished, publishKept } from './pending-keys.ts';
import { type RecoveryKeeper, storeKept } from './recovery-keeper.ts';

/** Whose keys are set up, and what can open their backup. */
export interface SetUpOptions {
  readonly owner: BackupOwner;
  readonly store: KeyStore;
  /** What the account has just logged in with; undefined for a login with a token. */
  readonly password: string | undefined;
  readonly stretch: PasswordStretch;
  /** Keeps the recovery key of new keys before anybody else knows of them; what it throws ends the making. */
  readonly recovery?: RecoveryKeeper | undefined;
  /**
   * Asked for when the password does not open the backup, and once more with why the one before was refused, three times at most;
   * undefined when nobody can be asked.
   */
  readonly askRecoveryKey: ((refused?: ChatError) => Promise<OneTimeCode | undefined>) | undefined;
  /** Makes a fresh proof, for a login that is too old to be given the backup, or to publish first keys, without one. */
  readonly prove?: (() => Promise<FreshProof>) | undefined;
}

/** How the keys came to be here. `made` shows the recovery key this once; `recovered` says that the password does not open the backup. */
export type SetUpKeys =
  | { readonly kind: 'kept' | 'restored' | 'recovered'; readonly file: KeyFile }
  | { readonly kind: 'made'; readonly file: KeyFile; readonly recoveryKey: OneTimeCode }
  /** There is a backup that nothing at hand opens: old private messages cannot be read here. */
  | { readonly kind: 'locked' };

/**
 * Sees to it that a device has its account's keys after a login (security 5): those that are here, those of the backup, or new
 * ones. Keys are published together with their backup, so that no message can be sealed for keys that only this device has.
 * Throws `invalid` for a recovery key that is not the account's, `untrusted` for a server that shows other keys than the account's own.
 */
export async function setUpKeys(connection: Connection, options: SetUpOptions): Promise<SetUpKeys> {
  try {
    return await setUpOnce(connection, options);
  } catch (error) {
    // Another device has made them at the same time: those are the account's.
    if (error instanceof ChatError && error.code === 'conflict') return await setUpOnce(connection, options);
    throw error;
  }
}

async function setUpOnce(connection: Connection, options: SetUpOptions): Promise<SetUpKeys> {
  const { owner, store } = options;
  const shown = await fetchOwnRecord(connection, owner);
  const wasPending = await adoptPublished(store, shown);
  const here = await store.load();
  const isOwn = here && here.record.user === owner.user && here.record.realm === owner.realm;
  if (isOwn) {
    const caught = await catchUp(connection, options, here, shown);
    return wasPending && caught.kind === 'kept' ? { ...caught, kind: 'restored' } : caught;
  }
  const kept = shown.backupVersion === 0 ? undefined : await fetchBackup(connection, options.prove);
  if (!kept) return await make(connection, options, shown.record);
  const opened = await unlock(kept.backup, options);
  if (!opened) return { kind: 'locked' };
  return { kind: opened.kind, file: await take(options, kept, opened.key, shown.record) };
}

/** The keys here are the account's, or have changed on another device. */
async function catchUp(
  connection: Connection,
  options: SetUpOptions,
  here: KeyFile,
  { record: published, backupVersion }: ShownKeys,
): Promise<SetUpKeys> {
  const isSame = published?.text === here.record.text;
  if (isSame && backupVersion === here.backupVersion) return { kind: 'kept', file: here };
  if (!published || (published.seq <= here.record.seq && !isSame)) {
    throw untrusted('the server shows older or other keys of this account than this device has');
  }
  const kept = await fetchBackup(connection, options.prove);
  if (!kept) return { kind: 'locked' };
  const key = await keyHere(kept, options, here);
  const opened = key
    ? { key, kind: isSame ? ('kept' as const) : ('restored' as const) }
    : await unlock(kept.backup, options);
  // What is here reads all that there is, whoever has sealed it anew elsewhere.
  if (!opened) return isSame ? { kind: 'kept', file: here } : { kind: 'locked' };
  return { kind: opened.kind, file: await take(options, kept, opened.key, published) };
}

/** The key of a backup that this device has, or was about to have when an answer was lost. */
async function keyHere(
  { backup }: KeptBackup,
  { owner, store }: SetUpOptions,
  here: KeyFile,
): Promise<Uint8Array | undefined> {
  for (const key of [here.backupKey, (await store.loadPending())?.backupKey]) {
    if (key && (await openKeyRing(backup.contents, key, owner))) return key;
  }
  return undefined;
}

async function take(
  { owner, store }: SetUpOptions,
  { backup, version }: KeptBackup,
  backupKey: Uint8Array,
  record: SignedKeyRecord | undefined,
): Promise<KeyFile> {
  const ring = await openKeyRing(backup.contents, backupKey, owner);
  if (!ring) throw untrusted('the server shows a backup of keys that this account has not made');
  if (!record || !fits(record, ring))
    throw untrusted('the server shows keys of this account that are not those of its backup');
  return await adopt(store, { record, ring, backupKey, backupVersion: version, pins: new Map() });
}

async function make(
  connection: Connection,
  { owner, store, password, stretch, recovery, prove }: SetUpOptions,
  published: SignedKeyRecord | undefined,
): Promise<SetUpKeys> {
  // Keys without a backup are nobody's any more; a new identity would have to be trusted by everybody.
  if (published) return { kind: 'locked' };
  // The server has seen the password of an open account.
  const isPrivate = password !== undefined && (await connection.call('account.me', {})).privacy === 'private';
  const wrap = { password: isPrivate ? password : undefined, stretch };
  const { file, backup, recoveryKey } = await makeKeys(owner, undefined, wrap);
  await store.checkWritable();
  const made = { record: file.record, opensByPassword: wrap.password !== undefined };
  await storeKept(recovery, recoveryKey, made, () =>
    publishKept(store, file, async () => {
      const proof = await prove?.();
      await connection.call('keys.publish', {
        record: file.record.text,
        backup: { ...backup, version: 0 },
        ...(proof !== undefined && { proof }),
      });
    }),
  );
  return { kind: 'made', file: await adopt(store, file), recoveryKey };
}

/** The key of a backup, and how it came to be opened; undefined when nothing at hand opens it. */
async function unlock(
  backup: KeyBackup,
  options: SetUpOptions,
): Promise<{ readonly key: Uint8Array; readonly kind: 'restored' | 'recovered' } | undefined> {
  const { owner, password, stretch, askRecoveryKey } = options;
  if (password !== undefined && backup.password_wrap !== undefined) {
    const key = await unwrapByPassword(backup.password_wrap, password, owner, stretch);
    if (key) return { key, kind: 'restored' };
  }
  if (!askRecoveryKey) return undefined;
  let refused: ChatError | undefined;
  for (let left = 3; left > 0; left -= 1) {
    const recoveryKey = await askRecoveryKey(refused);
    if (recoveryKey === undefined) return undefined;
    const key = await unwrapByRecoveryKey(backup.recovery_wrap, recoveryKey, owner);
    if (key) return { key, kind: 'recovered' };
    refused = new ChatError('invalid', 'this is not the recovery key of this account: nothing was restored');
  }
  throw refused;
}

/** True when a record is of the keys that a ring holds as its newest. */
function fits(record: SignedKeyRecord, ring: KeyRing): boolean {
  const keys = publicKeysOf(currentKeys(ring));
  return (
    equalDigests(record.keys.identity, keys.identity) && equalDigests(record.keys.encryption, keys.encryption)
  );
}

function untrusted(why: string): ChatError {
  return new ChatError('untrusted', why);
}
