import { newSecretKeys } from '../../core/e2ee/account-keys.ts';
import {
  type BackupOwner,
  currentKeys,
  type KeyBackup,
  type KeyRing,
  newBackupKey,
  type PasswordStretch,
  sealKeyRing,
  wrapByPassword,
  wrapByRecoveryKey,
} from '../../core/e2ee/key-backup.ts';
import { noRecord, type SignedKeyRecord, signKeyRecord } from '../../core/e2ee/key-record.ts';
import { newOneTimeCode, type OneTimeCode } from '../../core/one-time-code.ts';
import type { KeyFile } from './key-file.ts';

/** What wraps a backup besides its recovery key. */
export interface PasswordWrap {
  /** Of a private account; undefined for an open one, whose password the server has seen. */
  readonly password: string | undefined;
  readonly stretch: PasswordStretch;
}

/** New keys with what opens their backup; nobody knows of them yet. */
export interface MadeKeys {
  /** As it is to be kept when the backup has been stored as the version after `over`'s. */
  readonly file: KeyFile;
  readonly backup: KeyBackup;
  readonly recoveryKey: OneTimeCode;
}

/** Makes an account's first keys, or its first of another identity, after the record that is published. */
export async function makeKeys(
  owner: BackupOwner,
  over: { readonly record: SignedKeyRecord; readonly backupVersion: number } | undefined,
  { password, stretch }: PasswordWrap,
): Promise<MadeKeys> {
  const { identity, encryption } = newSecretKeys();
  const seq = (over?.record.seq ?? 0) + 1;
  const ring: KeyRing = { identity, encryption: [{ seq, secret: encryption }] };
  const record = signKeyRecord(
    {
      realm: owner.realm,
      user: owner.user,
      seq,
      previous: over?.record.digest ?? noRecord(),
      epoch: (over?.record.epoch ?? 0) + 1,
      at: Date.now(),
    },
    currentKeys(ring),
  );
  const [backupKey, recoveryKey] = [newBackupKey(), newOneTimeCode()];
  const [contents, byRecovery, byPassword] = await Promise.all([
    sealKeyRing(ring, backupKey, owner),
    wrapByRecoveryKey(backupKey, recoveryKey, owner),
    password === undefined ? undefined : wrapByPassword(backupKey, password, owner, stretch),
  ]);
  return {
    file: { record, ring, backupKey, backupVersion: (over?.backupVersion ?? 0) + 1, pins: new Map() },
    backup: {
      contents,
      recovery_wrap: byRecovery,
      ...(byPassword !== undefined && { password_wrap: byPassword }),
    },
    recoveryKey,
  };
}
