import type { Migration } from './migration.ts';

/** An account may have a second factor, and recovery codes in its place (security 4). */
export const totp: Migration = [
  `CREATE TABLE totp (
    user_id TEXT PRIMARY KEY REFERENCES users (id),
    secret BLOB NOT NULL,
    begun_at INTEGER NOT NULL,
    confirmed_at INTEGER,
    last_step INTEGER NOT NULL
  ) WITHOUT ROWID`,
  `CREATE TABLE recovery_codes (
    user_id TEXT NOT NULL REFERENCES users (id),
    number INTEGER NOT NULL,
    salt BLOB NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (user_id, number)
  ) WITHOUT ROWID`,
];
