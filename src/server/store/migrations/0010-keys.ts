import type { Migration } from './migration.ts';

/** Accounts' public key records, each over the one before, and their sealed backups (security 5). */
export const keys: Migration = [
  `CREATE TABLE account_keys (
    user_id TEXT NOT NULL REFERENCES users (id),
    seq INTEGER NOT NULL,
    record TEXT NOT NULL,
    published_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, seq)
  ) WITHOUT ROWID`,
  `CREATE TABLE key_backups (
    user_id TEXT PRIMARY KEY REFERENCES users (id),
    version INTEGER NOT NULL,
    contents TEXT NOT NULL,
    recovery_wrap TEXT NOT NULL,
    password_wrap TEXT
  ) WITHOUT ROWID`,
];
