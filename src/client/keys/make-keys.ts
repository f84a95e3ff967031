import { newSecretKeys } from '../../core/e2ee/account-keys.ts';
import {
  type BackupOwner,
  currentKeys,
  type KeyBackup,
  type KeyBackupChange,
  type KeyRing,
  newBackupKey,
  type PasswordStretch,
  recoveryPublicKey,
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
  readonly backup: SealedBackup['backup'];
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
  const recoveryKey = newOneTimeCode();
  const ring: KeyRing = {
    identity,
    encryption: [{ seq, secret: encryption }],
    recovery: recoveryPublicKey(recoveryKey),
  };
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
  const { backupKey, backup } = await sealBackup(ring, owner, { password, stretch });
  return {
    file: { record, ring, backupKey, backupVersion: (over?.backupVersion ?? 0) + 1, pins: new Map() },
    backup,
    recoveryKey,
  };
}

/** A backup with all that opens it. */
export interface SealedBackup {
  /** What it is sealed with, new each time: what has opened the one before opens nothing of it. */
  readonly backupKey: Uint8Array;
  /** `password_wrap` is null where no password opens it. */
  readonly backup: Required<KeyBackupChange> & Omit<KeyBackup, 'password_wrap'>;
}

/** Seals a key ring under a new backup key, and wraps that by the ring's recovery key and by a password. */
export async function sealBackup(
  ring: KeyRing,
  owner: BackupOwner,
  { password, stretch }: PasswordWrap,
): Promise<SealedBackup> {
  const backupKey = newBackupKey();
  const [contents, byRecovery, byPassword] = await Promise.all([
    sealKeyRing(ring, backupKey, owner),
    wrapByRecoveryKey(backupKey, ring.recovery, owner),
    password === undefined ? null : wrapByPassword(backupKey, password, owner, stretch),
  ]);
  return { backupKey, backup: { contents, recovery_wrap: byRecovery, password_wrap: byPassword } };
}
