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
import { newOneTimeCode, type OneTimeCode } from '../../core/one-time-code.ts';
import type { Connection } from '../connection.ts';
import type { FreshProof } from '../prove-again.ts';
import { fetchOwnRecord } from './fetch-record.ts';
import type { KeyFile, KeyStore } from './key-file.ts';
import { makeKeys, type PasswordWrap } from './make-keys.ts';

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
 * trust the new one. Answers the recovery key of the new backup, which is shown this once.
 */
export async function renewIdentity(
  connection: Connection,
  owner: BackupOwner,
  options: ChangeKeysOptions & PasswordWrap,
): Promise<{ readonly file: KeyFile; readonly recoveryKey: OneTimeCode }> {
  const { record, backupVersion = 0 } = await fetchOwnRecord(connection, owner);
  const { file, backup, recoveryKey } = await makeKeys(owner, record && { record, backupVersion }, options);
  await connection.call('keys.publish', {
    record: file.record.text,
    backup: { ...backup, version: backupVersion },
    proof: await options.prove(),
  });
  const kept = { ...file, backupVersion: backupVersion + 1 };
  return {
    file: await options.store.update((before) => ({ ...kept, pins: before?.pins ?? kept.pins })),
    recoveryKey,
  };
}

/**
 * Wraps the backup anew: under a new recovery key, which is answered, where `recovery` is wanted, and by the password of a private
 * account; `keepsPassword` leaves what is wrapped by it as it is. What opened it before does not any more. Throws as {@link rotateKeys} does.
 */
export async function wrapAnew(
  connection: Connection,
  options: ChangeKeysOptions &
    PasswordWrap & { readonly recovery: boolean; readonly keepsPassword?: boolean },
): Promise<OneTimeCode | undefined> {
  const { store, password, stretch, recovery, keepsPassword = false } = options;
  const { record, backupKey, backupVersion: version } = await current(connection, store);
  const recoveryKey = recovery ? newOneTimeCode() : undefined;
  const [byRecovery, byPassword] = await Promise.all([
    recoveryKey && wrapByRecoveryKey(backupKey, recoveryKey, record),
    password === undefined ? null : wrapByPassword(backupKey, password, record, stretch),
  ]);
  const next = await connection.call('keys.backup', {
    backup: {
      ...(byRecovery !== undefined && { recovery_wrap: byRecovery }),
      ...(!keepsPassword && { password_wrap: byPassword }),
    },
    version,
    proof: await options.prove(),
  });
  await noteVersion(store, next.version);
  return recoveryKey;
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

/** The keys here, when they are the account's newest. */
async function current(connection: Connection, store: KeyStore): Promise<KeyFile> {
  const here = await store.load();
  if (!here) throw noKeys();
  const { record, backupVersion } = await fetchOwnRecord(connection, here.record);
  if (record?.text === here.record.text && backupVersion === here.backupVersion) return here;
  throw new ChatError(
    'conflict',
    "this account's keys have changed on another device: log in again (chat login), then try once more",
  );
}

function noKeys(): ChatError {
  return new ChatError(
    'not-found',
    'this device has no keys of this account: bring them with chat keys restore',
  );
}
