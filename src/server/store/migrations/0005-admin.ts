import type { Migration } from './migration.ts';

/** Invites, and since when an account may not be used. */
export const admin: Migration = [
  `ALTER TABLE users ADD COLUMN disabled_at INTEGER`,
  `CREATE INDEX users_by_admin ON users (is_admin)`,
  `CREATE TABLE invites (
    id TEXT PRIMARY KEY,
    code_hash BLOB NOT NULL UNIQUE,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    uses INTEGER NOT NULL,
    uses_left INTEGER NOT NULL
  ) WITHOUT ROWID`,
  `CREATE INDEX invites_by_end ON invites (expires_at)`,
];
