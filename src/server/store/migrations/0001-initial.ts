import type { Migration } from './migration.ts';

/** Accounts, sessions, conversations and messages, and the lobby. */
export const initial: Migration = [
  `CREATE TABLE settings (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID`,
  `CREATE TABLE users (
    id TEXT PRIMARY KEY,
    username TEXT NOT NULL UNIQUE,
    email TEXT,
    email_key TEXT UNIQUE,
    privacy TEXT NOT NULL,
    is_admin INTEGER NOT NULL,
    created_at INTEGER NOT NULL
  ) WITHOUT ROWID`,
  `CREATE TABLE credentials (
    user_id TEXT PRIMARY KEY REFERENCES users (id),
    suite TEXT NOT NULL,
    salt BLOB NOT NULL,
    cost INTEGER NOT NULL,
    stored_key BLOB NOT NULL,
    server_key BLOB NOT NULL
  ) WITHOUT ROWID`,
  `CREATE TABLE devices (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    label TEXT NOT NULL,
    created_at INTEGER NOT NULL
  ) WITHOUT ROWID`,
  `CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    device_id TEXT NOT NULL UNIQUE REFERENCES devices (id),
    token_hash BLOB NOT NULL UNIQUE,
    door TEXT NOT NULL,
    address TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    absolute_expires_at INTEGER NOT NULL,
    family_expires_at INTEGER NOT NULL
  ) WITHOUT ROWID`,
  `CREATE INDEX sessions_of_user ON sessions (user_id)`,
  `CREATE INDEX sessions_by_end ON sessions (family_expires_at)`,
  `CREATE TABLE refresh_tokens (
    hash BLOB PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES sessions (id),
    used_at INTEGER,
    next_hash BLOB
  ) WITHOUT ROWID`,
  `CREATE INDEX refresh_tokens_of_session ON refresh_tokens (session_id)`,
  `CREATE TABLE conversations (
    id INTEGER PRIMARY KEY,
    room TEXT UNIQUE,
    low_user_id TEXT,
    high_user_id TEXT,
    last_seq INTEGER NOT NULL,
    latest_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (low_user_id, high_user_id)
  )`,
  `CREATE TABLE members (
    conversation_id INTEGER NOT NULL REFERENCES conversations (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    read_seq INTEGER NOT NULL,
    joined_at INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, user_id)
  ) WITHOUT ROWID`,
  `CREATE INDEX conversations_of_user ON members (user_id)`,
  // No foreign keys: who stores a message has just looked both rows up, and this is the one table that grows.
  `CREATE TABLE messages (
    conversation_id INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    id TEXT NOT NULL UNIQUE,
    sender_id TEXT NOT NULL,
    sent_at INTEGER NOT NULL,
    latest_at INTEGER NOT NULL,
    body TEXT,
    envelope TEXT,
    idempotency_key TEXT,
    PRIMARY KEY (conversation_id, seq)
  ) WITHOUT ROWID`,
  // The key first: our clients' keys are ordered by time, so that a batch writes one page of this index and not one per sender.
  `CREATE UNIQUE INDEX messages_by_key ON messages (idempotency_key, sender_id) WHERE idempotency_key IS NOT NULL`,
  `INSERT INTO conversations (room, last_seq, latest_at, created_at) VALUES ('lobby', 0, 0, 0)`,
];
