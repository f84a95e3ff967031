import type { KeyBackup, KeyBackupChange } from '../../e2ee/key-backup.ts';
import type { UserId } from '../../model/ids.ts';
import type { Username } from '../../model/username.ts';

/** Account keys: their published records, and their backups, sealed so that no store can open them. */
export interface KeyStore {
  /**
   * Adds a key record behind the account's newest, which has number `seq - 1`, and changes its backup of a version. Nothing is done when
   * another record has been added, or the backup is of another version.
   */
  publishKeyRecord(record: {
    userId: UserId;
    seq: number;
    record: string;
    now: number;
    backup?: (KeyBackupChange & { readonly version: number }) | undefined;
  }): Promise<'published' | 'other-record' | 'other-backup'>;
  /**
   * An account's key record of a number, or its newest; `newestSeq` is 0, with no record, for one without keys. Undefined for a name
   * that nobody has.
   */
  keyRecord(query: {
    username: Username;
    seq?: number | undefined;
  }): Promise<{ newestSeq: number; record: string | undefined } | undefined>;
  /** An account's key records after number `after`, in order. */
  keyRecords(query: { userId: UserId; after: number; limit: number }): Promise<PublishedKeyRecord[]>;
  /** Changes the sealed backup of `version` (0: none, it is made whole); answers the new version, or undefined when that is another by now. */
  putKeyBackup(put: {
    userId: UserId;
    version: number;
    backup: KeyBackupChange;
  }): Promise<number | undefined>;
  keyBackup(query: { userId: UserId }): Promise<{ version: number; backup: KeyBackup } | undefined>;
}

/** A key record, and when the server got it. */
export interface PublishedKeyRecord {
  readonly seq: number;
  readonly record: string;
  readonly publishedAt: number;
}
