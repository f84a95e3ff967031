import { equalDigests } from '../../core/crypto/bytes.ts';
import { newSecretKeys, publicKeysOf } from '../../core/e2ee/account-keys.ts';
import {
  type BackupOwner,
  currentKeys,
  type KeyBackup,
  type KeyRing,
  newBackupKey,
  openKeyRing,
  type PasswordStretch,
  sealKeyRing,
  unwrapByPassword,
  unwrapByRecoveryKey,
  wrapByPassword,
  wrapByRecoveryKey,
} from '../../core/e2ee/key-backup.ts';
import { noRecord, readKeyRecord, type SignedKeyRecord, signKeyRecord } from '../../core/e2ee/key-record.ts';
import { ChatError } from '../../core/errors.ts';
import { newOneTimeCode, type OneTimeCode } from '../../core/one-time-code.ts';
import { believed } from '../answers.ts';
import type { Connection } from '../connection.ts';
import { BadFrame, objectIn, textIn } from '../frames.ts';
import type { KeyFile, KeyStore } from './key-file.ts';

/** Whose keys are set up, and what can open their backup. */
export interface SetUpOptions {
  readonly owner: BackupOwner;
  readonly store: KeyStore;
  /** Of a private account, which has just logged in with it; undefined for an open one, and for a login with a token. */
  readonly password: string | undefined;
  readonly stretch: PasswordStretch;
  /** Asked for when the password does not open the backup; undefined when nobody can be asked. */
  readonly askRecoveryKey: (() => Promise<OneTimeCode>) | undefined;
}

/** How the keys came to be here. `made` shows the recovery key this once. */
export type SetUpKeys =
  | { readonly kind: 'kept' | 'restored'; readonly file: KeyFile }
  | { readonly kind: 'made'; readonly file: KeyFile; readonly recoveryKey: OneTimeCode }
  /** There is a backup that nothing at hand opens: old private messages cannot be read here. */
  | { readonly kind: 'locked' };

/**
 * Sees to it that a device has its account's keys after a login (security 5): those that are here, those of the backup, or new
 * ones. A backup is stored before the keys in it are published, so that no message can be sealed for keys that only this device has.
 * Throws `invalid` for a recovery key that is not the account's, `untrusted` for a server that shows other keys than the account's own.
 */
export async function setUpKeys(connection: Connection, options: SetUpOptions): Promise<SetUpKeys> {
  const { owner, store } = options;
  const published = await newestRecord(connection, owner);
  const here = await store.load();
  if (here && here.record.user === owner.user && here.record.realm === owner.realm) {
    if (published?.text === here.record.text) return { kind: 'kept', file: here };
    return await catchUp(connection, options, here, published);
  }
  const kept = await backupOf(connection);
  if (!kept) return await make(connection, options, published);
  const backupKey = await unlock(kept.backup, options);
  if (!backupKey) return { kind: 'locked' };
  return { kind: 'restored', file: await take(connection, options, kept, backupKey, published) };
}

/** The keys have changed on another device, or what was made here was never published. */
async function catchUp(
  connection: Connection,
  options: SetUpOptions,
  here: KeyFile,
  published: SignedKeyRecord | undefined,
): Promise<SetUpKeys> {
  if (published && published.seq <= here.record.seq) {
    throw untrusted('the server shows other keys of this account than this device has');
  }
  if (!published) {
    await connection.call('keys.publish', { record: here.record.text });
    return { kind: 'kept', file: here };
  }
  const kept = await backupOf(connection);
  if (!kept) return { kind: 'locked' };
  const isSameKey = (await openKeyRing(kept.backup.contents, here.backupKey, options.owner)) !== undefined;
  const backupKey = isSameKey ? here.backupKey : await unlock(kept.backup, options);
  if (!backupKey) return { kind: 'locked' };
  return { kind: 'restored', file: await take(connection, options, kept, backupKey, published) };
}

interface KeptBackup {
  readonly backup: KeyBackup;
  readonly version: number;
}

async function take(
  connection: Connection,
  { owner, store }: SetUpOptions,
  { backup, version }: KeptBackup,
  backupKey: Uint8Array,
  published: SignedKeyRecord | undefined,
): Promise<KeyFile> {
  const ring = await openKeyRing(backup.contents, backupKey, owner);
  if (!ring) throw untrusted('the server shows a backup of keys that this account has not made');
  const record = published ?? firstRecord(owner, ring);
  if (!fits(record, ring))
    throw untrusted('the server shows keys of this account that are not those of its backup');
  if (!published) await connection.call('keys.publish', { record: record.text });
  return await store.update((file) => ({
    record,
    ring,
    backupKey,
    backupVersion: version,
    pins: file?.record.user === owner.user && file.record.realm === owner.realm ? file.pins : new Map(),
  }));
}

async function make(
  connection: Connection,
  { owner, store, password, stretch }: SetUpOptions,
  published: SignedKeyRecord | undefined,
): Promise<SetUpKeys> {
  // Keys without a backup are nobody's any more; a new identity would have to be trusted by everybody.
  if (published) return { kind: 'locked' };
  const { identity, encryption } = newSecretKeys();
  const ring: KeyRing = { identity, encryption: [{ seq: 1, secret: encryption }] };
  const [backupKey, recoveryKey] = [newBackupKey(), newOneTimeCode()];
  const record = firstRecord(owner, ring);
  const [contents, byRecovery, byPassword] = await Promise.all([
    sealKeyRing(ring, backupKey, owner),
    wrapByRecoveryKey(backupKey, recoveryKey, owner),
    password === undefined ? undefined : wrapByPassword(backupKey, password, owner, stretch),
  ]);
  const backup: KeyBackup = {
    contents,
    recovery_wrap: byRecovery,
    ...(byPassword !== undefined && { password_wrap: byPassword }),
  };
  const { version } = await connection.call('keys.backup', { backup, version: 0 });
  await connection.call('keys.publish', { record: record.text });
  const file = await store.update(() => ({
    record,
    ring,
    backupKey,
    backupVersion: version,
    pins: new Map(),
  }));
  return { kind: 'made', file, recoveryKey };
}

/** What is sealed, in base64url. */
const sealedShape = /^[\w.-]{1,32768}$/;

/** The key of a backup; undefined when nothing at hand opens it. */
async function unlock(backup: KeyBackup, options: SetUpOptions): Promise<Uint8Array | undefined> {
  const { owner, password, stretch, askRecoveryKey } = options;
  if (password !== undefined && backup.password_wrap !== undefined) {
    const key = await unwrapByPassword(backup.password_wrap, password, owner, stretch);
    if (key) return key;
  }
  if (!askRecoveryKey) return undefined;
  const key = await unwrapByRecoveryKey(backup.recovery_wrap, await askRecoveryKey(), owner);
  if (!key)
    throw new ChatError('invalid', 'this is not the recovery key of this account: nothing was restored');
  return key;
}

function firstRecord({ realm, user }: BackupOwner, ring: KeyRing): SignedKeyRecord {
  return signKeyRecord(
    { realm, user, seq: 1, previous: noRecord(), epoch: 1, at: Date.now() },
    currentKeys(ring),
  );
}

/** True when a record is of the keys that a ring holds as its newest. */
function fits(record: SignedKeyRecord, ring: KeyRing): boolean {
  const keys = publicKeysOf(currentKeys(ring));
  return (
    equalDigests(record.keys.identity, keys.identity) && equalDigests(record.keys.encryption, keys.encryption)
  );
}

async function newestRecord(
  connection: Connection,
  { realm, user }: BackupOwner,
): Promise<SignedKeyRecord | undefined> {
  const answer = await orUndefined(connection.call('keys.get', { user }));
  if (answer === undefined) return undefined;
  const record = believed(connection, answer, (value) => {
    const read = readKeyRecord(textIn(objectIn(value, 'an answer'), 'record', /^[\w-]{1,1024}$/));
    if (!read) throw new BadFrame('a key record that nobody has signed');
    return read;
  });
  if (record.user !== user || record.realm !== realm)
    throw untrusted('the server shows keys of another account');
  return record;
}

async function backupOf(connection: Connection): Promise<KeptBackup | undefined> {
  const answer = await orUndefined(connection.call('keys.restore', {}));
  if (answer === undefined) return undefined;
  return believed(connection, answer, (value) => {
    const { backup, version } = objectIn(value, 'an answer');
    const fields = objectIn(backup, 'a backup');
    const { password_wrap: byPassword } = fields;
    if (!Number.isSafeInteger(version)) throw new BadFrame('a wrong version');
    if (byPassword !== undefined && typeof byPassword !== 'string')
      throw new BadFrame('a wrong password_wrap');
    return {
      version: Number(version),
      backup: {
        contents: textIn(fields, 'contents', sealedShape),
        recovery_wrap: textIn(fields, 'recovery_wrap', sealedShape),
        ...(byPassword !== undefined && { password_wrap: byPassword }),
      },
    };
  });
}

/** What there is not is undefined. */
async function orUndefined<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ChatError && error.code === 'not-found') return undefined;
    throw error;
  }
}

function untrusted(why: string): ChatError {
  return new ChatError('untrusted', why);
}
