import { nextSecretKeys } from '../../core/e2ee/account-keys.ts';
import {
  type BackupOwner,
  currentKeys,
  type KeyRing,
  recoveryPublicKey,
} from '../../core/e2ee/key-backup.ts';
import { signKeyRecord } from '../../core/e2ee/key-record.ts';
import { ChatError } from '../../core/errors.ts';
import { newOneTimeCode } from '../../core/one-time-code.ts';
import type { Connection } from '../connection.ts';
import { noKeysText } from '../no-keys.ts';
import type { FreshProof } from '../prove-again.ts';
import { fetchOwnRecord } from './fetch-record.ts';
import type { KeyFile, KeyStore } from './key-file.ts';
import { makeKeys, type PasswordWrap, sealBackup } from './make-keys.ts';
import { adopt, publishKept } from './pending-keys.ts';
import { type RecoveryKeeper, storeKept } from './recovery-keeper.ts';

/** Whose keys are changed. */
export interface ChangeKeysOptions {
  readonly store: KeyStore;
  /** Proves the password; asked for when all else is ready, since a proof does not live long. */
  readonly prove: () => Promise<FreshProof>;
}

/**
 * Begins the account's next epoch (security 5): another encryption key under the same identity, which others fetch by themselves. Throws
 * `not-found` for a device without keys, `conflict` when they have changed on another device.
 */
export async function rotateKeys(
  connection: Connection,
  options: ChangeKeysOptions & PasswordWrap,
): Promise<KeyFile> {
  const { store } = options;
  const here = await current(connection, store);
  const { record, ring, backupVersion } = here;
  const seq = record.seq + 1;
  const secrets = nextSecretKeys(currentKeys(ring));
  const nextRing: KeyRing = {
    ...ring,
    encryption: [...ring.encryption, { seq, secret: secrets.encryption }],
  };
  const signed = signKeyRecord(
    {
      realm: record.realm,
      user: record.user,
      seq,
      previous: record.digest,
      epoch: record.epoch + 1,
      at: Date.now(),
    },
    secrets,
  );
  const { backupKey, backup } = await sealBackup(nextRing, record, options);
  await store.checkWritable();
  const proof = await options.prove();
  const next = { ...here, record: signed, ring: nextRing, backupKey, backupVersion: backupVersion + 1 };
  await publishKept(store, next, () =>
    connection.call('keys.publish', {
      record: signed.text,
      backup: { ...backup, version: backupVersion },
      proof,
    }),
  );
  return await adopt(store, next);
}

/**
 * Begins anew with another identity, for who has lost the keys and what opens their backup: old messages stay unread, and everybody has to
 * trust the new one. The recovery key of the new backup is kept before anything changes.
 */
export async function renewIdentity(
  connection: Connection,
  owner: BackupOwner,
  options: ChangeKeysOptions & PasswordWrap & { readonly recovery: RecoveryKeeper },
): Promise<KeyFile> {
  const { store, password, recovery } = options;
  const { record, backupVersion = 0 } = await fetchOwnRecord(connection, owner);
  const { file, backup, recoveryKey } = await makeKeys(owner, record && { record, backupVersion }, options);
  await store.checkWritable();
  const proof = await options.prove();
  const made = { record: file.record, opensByPassword: password !== undefined };
  const kept = { ...file, backupVersion: backupVersion + 1 };
  await storeKept(recovery, recoveryKey, made, () =>
    publishKept(store, kept, () =>
      connection.call('keys.publish', {
        record: file.record.text,
        backup: { ...backup, version: backupVersion },
        proof,
      }),
    ),
  );
  return await adopt(store, kept);
}

/**
 * Seals the backup anew, under a new key, for a new recovery key where there is a keeper for it, who has it before anything changes, and for
 * the password of a private account. Nothing that opened the one before opens it. Throws as {@link rotateKeys} does.
 */
export async function sealAnew(
  connection: Connection,
  options: ChangeKeysOptions & PasswordWrap & { readonly recovery: RecoveryKeeper | undefined },
): Promise<void> {
  const { store, password, recovery } = options;
  const here = await current(connection, store);
  const { record, backupVersion: version } = here;
  const recoveryKey = recovery && newOneTimeCode();
  const ring = recoveryKey ? { ...here.ring, recovery: recoveryPublicKey(recoveryKey) } : here.ring;
  const { backupKey, backup } = await sealBackup(ring, record, options);
  await store.checkWritable();
  const proof = await options.prove();
  const next = { ...here, ring, backupKey, backupVersion: version + 1 };
  const put = () =>
    publishKept(store, next, () => connection.call('keys.backup', { backup, version, proof }));
  const opened = { record, opensByPassword: password !== undefined };
  await (recoveryKey ? storeKept(recovery, recoveryKey, opened, put) : put());
  await adopt(store, next);
}

/** A backup that goes with a change of the password. */
export interface BackupForChange {
  readonly version: number;
  readonly contents: string;
  readonly recovery_wrap: string;
  /** Not there for an open account's password, which the server sees. */
  readonly password_wrap?: string | undefined;
}

/**
 * The backup sealed anew, for a password that is about to be the account's; undefined on a device without keys. What it is sealed with is
 * kept here, for {@link adoptChange} when the password is changed.
 */
export async function sealForChange(
  connection: Connection,
  { store, ...wrap }: { readonly store: KeyStore } & PasswordWrap,
): Promise<BackupForChange | undefined> {
  if (!(await store.load())) return undefined;
  const here = await current(connection, store);
  const { record, ring, backupVersion: version } = here;
  const { backupKey, backup } = await sealBackup(ring, record, wrap);
  await store.keepPending({ ...here, backupKey, backupVersion: version + 1 });
  const { password_wrap: byPassword, ...sealed } = backup;
  return { version, ...sealed, ...(byPassword !== null && { password_wrap: byPassword }) };
}

/** Makes what {@link sealForChange} has kept this device's own; answers whether there are keys here. */
export async function adoptChange(store: KeyStore): Promise<boolean> {
  const pending = await store.loadPending();
  if (pending) await adopt(store, pending);
  return (await store.load()) !== undefined;
}

/** The keys here, when they and their backup are the account's newest. */
async function current(connection: Connection, store: KeyStore): Promise<KeyFile> {
  const here = await store.load();
  if (!here) throw noKeys();
  const { record, backupVersion } = await fetchOwnRecord(connection, here.record);
  if (record?.text === here.record.text && backupVersion === here.backupVersion) return here;
  throw new ChatError(
    'conflict',
    "this account's keys, or what opens them, have changed on another device: log in again (chat login), then try once more",
  );
}

function noKeys(): ChatError {
  return new ChatError('not-found', noKeysText);
}
