import { nextSecretKeys } from '../../core/e2ee/account-keys.ts';
import {
  type BackupOwner,
  currentKeys,
  type KeyRing,
  sealKeyRing,
  wrapByPassword,
  wrapByRecoveryKey,
} from '../../core/e2ee/key-backup.ts';
import { signKeyRecord } from '../../core/e2ee/key-record.ts';
import { ChatError } from '../../core/errors.ts';
import { newOneTimeCode } from '../../core/one-time-code.ts';
import type { Connection } from '../connection.ts';
import { noKeysText } from '../no-keys.ts';
import type { FreshProof } from '../prove-again.ts';
import { fetchOwnRecord } from './fetch-record.ts';
import type { KeyFile, KeyStore } from './key-file.ts';
import { makeKeys, type PasswordWrap } from './make-keys.ts';
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
export async function rotateKeys(connection: Connection, options: ChangeKeysOptions): Promise<KeyFile> {
  const here = await current(connection, options.store);
  const { record, ring, backupKey, backupVersion } = here;
  const seq = record.seq + 1;
  const next = nextSecretKeys(currentKeys(ring));
  const nextRing: KeyRing = {
    identity: ring.identity,
    encryption: [...ring.encryption, { seq, secret: next.encryption }],
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
    next,
  );
  const contents = await sealKeyRing(nextRing, backupKey, record);
  await options.store.checkWritable();
  await connection.call('keys.publish', {
    record: signed.text,
    backup: { contents, version: backupVersion },
    proof: await options.prove(),
  });
  return await options.store.update((file = here) => ({
    ...file,
    record: signed,
    ring: nextRing,
    backupVersion: backupVersion + 1,
  }));
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
 * Wraps the backup anew: under a new recovery key where there is a keeper for it, who has it before anything changes, and by the password of
 * a private account; `keepsPassword` leaves what is wrapped by it as it is. What opened it before does not any more. Throws as
 * {@link rotateKeys} does.
 */
export async function wrapAnew(
  connection: Connection,
  options: ChangeKeysOptions &
    PasswordWrap & { readonly recovery: RecoveryKeeper | undefined; readonly keepsPassword?: boolean },
): Promise<void> {
  const { store, password, stretch, recovery, keepsPassword = false } = options;
  const { record, backupKey, backupVersion: version } = await current(connection, store);
  const recoveryKey = recovery && newOneTimeCode();
  const [byRecovery, byPassword] = await Promise.all([
    recoveryKey && wrapByRecoveryKey(backupKey, recoveryKey, record),
    password === undefined ? null : wrapByPassword(backupKey, password, record, stretch),
  ]);
  await store.checkWritable();
  const proof = await options.prove();
  const wrap = () =>
    connection.call('keys.backup', {
      backup: {
        ...(byRecovery !== undefined && { recovery_wrap: byRecovery }),
        ...(!keepsPassword && { password_wrap: byPassword }),
      },
      version,
      proof,
    });
  const opened = { record, opensByPassword: keepsPassword || password !== undefined };
  const next = recoveryKey ? await storeKept(recovery, recoveryKey, opened, wrap) : await wrap();
  await noteVersion(store, next.version);
}

/** The backup key wrapped by a password that is about to be the account's; undefined on a device without keys. */
export async function wrapForChange(
  connection: Connection,
  {
    store,
    password,
    stretch,
  }: { readonly store: KeyStore; readonly password: string } & Pick<PasswordWrap, 'stretch'>,
): Promise<{ readonly version: number; readonly password_wrap: string } | undefined> {
  if (!(await store.load())) return undefined;
  const { record, backupKey, backupVersion: version } = await current(connection, store);
  return { version, password_wrap: await wrapByPassword(backupKey, password, record, stretch) };
}

/** Remembers which version of the backup this device knows. */
export async function noteVersion(store: KeyStore, backupVersion: number): Promise<void> {
  await store.update((file) => {
    if (!file) throw noKeys();
    return { ...file, backupVersion };
  });
}

/** The keys here, when they are the account's newest; another way to open their backup may have been made elsewhere. */
async function current(connection: Connection, store: KeyStore): Promise<KeyFile> {
  const here = await store.load();
  if (!here) throw noKeys();
  const { record, backupVersion } = await fetchOwnRecord(connection, here.record);
  // As long as the record is the same, so is the key that the backup is sealed with.
  if (record?.text === here.record.text && backupVersion !== undefined && backupVersion > 0)
    return { ...here, backupVersion };
  throw new ChatError(
    'conflict',
    "this account's keys have changed on another device: log in again (chat login), then try once more",
  );
}

function noKeys(): ChatError {
  return new ChatError('not-found', noKeysText);
}
