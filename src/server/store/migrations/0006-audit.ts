import type { Migration } from './migration.ts';

/**
 * The audit trail, and its two ends: what stands before the first row that is kept, and the last one. The chain's first link and
 * the seal are made of the server's settings, so they are written with the first rows.
 */
export const audit: Migration = [
  `CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    operation TEXT NOT NULL,
    "user" TEXT,
    door TEXT,
    factor TEXT,
    address TEXT,
    outcome TEXT NOT NULL,
    details TEXT,
    hash BLOB NOT NULL
  )`,
  `CREATE TABLE audit_ends (
    one INTEGER PRIMARY KEY,
    start_seq INTEGER NOT NULL,
    start_hash BLOB,
    head_seq INTEGER NOT NULL,
    head_hash BLOB,
    seal BLOB
  )`,
  `INSERT INTO audit_ends (one, start_seq, head_seq) VALUES (1, 0, 0)`,
];
