import type { Migration } from './migration.ts';

/** An account may log in with certificates: a key is one account's, and stays so when it is revoked. */
export const certificates: Migration = [
  `CREATE TABLE certificates (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    key_hash BLOB NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER,
    revoked_at INTEGER
  ) WITHOUT ROWID`,
  `CREATE INDEX certificates_of_user ON certificates (user_id)`,
  `CREATE INDEX certificates_by_end ON certificates (expires_at) WHERE expires_at IS NOT NULL`,
  `ALTER TABLE sessions ADD COLUMN certificate_id TEXT`,
];
