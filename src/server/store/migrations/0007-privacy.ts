import type { Migration } from './migration.ts';

/** Accounts can be erased, messages end at an age, and who has accepted which terms is kept. */
export const privacy: Migration = [
  `ALTER TABLE users ADD COLUMN erases_at INTEGER`,
  // A tombstone keeps its name, so that nobody can come under it.
  `ALTER TABLE users ADD COLUMN erased_at INTEGER`,
  // One row from the wish to the end of the work; the place is where a server that was killed goes on.
  `CREATE TABLE erasures (
    user_id TEXT PRIMARY KEY REFERENCES users (id),
    place TEXT
  ) WITHOUT ROWID`,
  // All messages up to this one have no text any more.
  `ALTER TABLE conversations ADD COLUMN expired_seq INTEGER NOT NULL DEFAULT 0`,
  `CREATE TABLE consents (
    user_id TEXT NOT NULL REFERENCES users (id),
    digest TEXT NOT NULL,
    accepted_at INTEGER NOT NULL,
    door TEXT NOT NULL,
    PRIMARY KEY (user_id, digest)
  ) WITHOUT ROWID`,
];
