import type { Migration } from './migration.ts';

/** One-time codes, one of a kind for each account, and since when an e-mail address is known to be its owner's. */
export const mail: Migration = [
  `ALTER TABLE users ADD COLUMN email_verified_at INTEGER`,
  `CREATE TABLE codes (
    hash BLOB PRIMARY KEY,
    kind TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    email TEXT,
    expires_at INTEGER NOT NULL,
    UNIQUE (user_id, kind)
  ) WITHOUT ROWID`,
  `CREATE INDEX codes_by_end ON codes (expires_at)`,
];
