import { isEncryptionKey } from '../../core/e2ee/account-keys.ts';
import type { BackupOwner } from '../../core/e2ee/key-backup.ts';
import { readKeyRecord, type SignedKeyRecord } from '../../core/e2ee/key-record.ts';
import { ChatError } from '../../core/errors.ts';
import type { Username } from '../../core/model/username.ts';
import { believed } from '../answers.ts';
import type { Caller } from '../connection.ts';
import { BadFrame, objectIn, textIn } from '../frames.ts';

/** What a server shows of an account's keys: whether that is to be believed is for the caller to judge. */
export interface ShownKeys {
  /** Undefined when the account has published none. */
  readonly record: SignedKeyRecord | undefined;
  /** Of the caller's own account: which version of the backup is kept, 0 for none. */
  readonly backupVersion: number | undefined;
}

/** Asks for an account's newest key record, or the one of a number; throws `unavailable` for what nobody has signed. */
export async function fetchRecord(connection: Caller, user: Username, seq?: number): Promise<ShownKeys> {
  const answer = await connection.call('keys.get', seq === undefined ? { user } : { user, seq });
  return believed(connection, answer, (value) => {
    const fields = objectIn(value, 'an answer');
    const { backup_version: version } = fields;
    if (version !== undefined && !Number.isSafeInteger(version)) throw new BadFrame('a wrong backup_version');
    const backupVersion = version as number | undefined;
    if (fields.record === null) return { record: undefined, backupVersion };
    const record = readKeyRecord(textIn(fields, 'record', /^[\w-]{1,1024}$/));
    if (!record) throw new BadFrame('a key record that nobody has signed');
    if (!isEncryptionKey(record.keys.encryption)) throw new BadFrame('a key that nothing can be sealed to');
    return { record, backupVersion };
  });
}

/** Asks for the newest key record of the caller's own account; throws `untrusted` for one of another account or realm. */
export async function fetchOwnRecord(connection: Caller, { realm, user }: BackupOwner): Promise<ShownKeys> {
  const shown = await fetchRecord(connection, user);
  const { record } = shown;
  if (record && (record.user !== user || record.realm !== realm))
    throw new ChatError('untrusted', 'the server shows keys of another account');
  return shown;
}
