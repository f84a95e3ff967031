import { execFileSync } from 'node:child_process';
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { migrations } from '../../src/server/store/migrations/index.ts';
import { median, percentile } from './figure.ts';

/** What the disk does with small writes that each reach it. */
export interface Syncs {
  readonly perSecond: number;
  /** How long one takes, in milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** As many pages as SQLite's log has before it begins anew. */
const logPages = 1_000;
const page = Buffer.alloc(4_096);

/**
 * Small writes that each reach the disk, one after the other: what no durable send can pass. They go over a file again and again as
 * those of a log do, which a disk does faster than to make a file longer.
 */
export function syncedWrites(directory: string, seconds: number): Syncs {
  const path = join(directory, 'floor');
  const fd = openSync(path, 'w');
  for (let at = 0; at < logPages; at++) writeSync(fd, page);
  fdatasyncSync(fd);
  const times: number[] = [];
  const start = performance.now();
  let now = start;
  while (now < start + seconds * 1_000) {
    const began = now;
    writeSync(fd, page, 0, page.length, (times.length % logPages) * page.length);
    fdatasyncSync(fd);
    now = performance.now();
    times.push(now - began);
  }
  closeSync(fd);
  rmSync(path);
  const perSecond = (times.length / (now - start)) * 1_000;
  return { perSecond, p50: percentile(times, 0.5), p99: percentile(times, 0.99) };
}

/** A table that messages are put into, and how one is. */
interface MessageTable {
  readonly setUp: readonly string[];
  readonly insert: string;
  /** In the order of the insertion's marks, of the `n`-th message. */
  row(n: number): Array<string | number>;
}

const body = 'x'.repeat(100);

/** As long and as ordered as the ids and keys that clients make. */
export function orderedId(n: number): string {
  return String(n).padStart(36, '0');
}

/** The least that a store of messages may have, and our own table with all of its columns and indexes, as the migrations make it. */
const messageTables = {
  bare: {
    setUp: [
      'PRAGMA journal_mode = WAL',
      'PRAGMA synchronous = FULL',
      'CREATE TABLE messages (seq INTEGER PRIMARY KEY, id TEXT UNIQUE, key TEXT UNIQUE, sent_at INTEGER, body TEXT)',
    ],
    insert: 'INSERT INTO messages (id, key, sent_at, body) VALUES (?, ?, ?, ?)',
    row: (n) => [orderedId(n), orderedId(n), n, body],
  },
  ours: {
    setUp: [
      // As our store opens its database.
      'PRAGMA locking_mode = EXCLUSIVE',
      'PRAGMA journal_mode = WAL',
      'PRAGMA synchronous = FULL',
      'PRAGMA secure_delete = ON',
      'PRAGMA cache_size = -65536',
      ...migrations.flat(),
    ],
    insert:
      'INSERT INTO messages (conversation_id, seq, id, sender_id, sent_at, latest_at, body, idempotency_key) VALUES (1, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (idempotency_key, sender_id) WHERE idempotency_key IS NOT NULL DO NOTHING',
    row: (n) => [n, orderedId(n), orderedId(n % 100), n, n, body, orderedId(n)],
  },
} as const satisfies Readonly<Record<string, MessageTable>>;

/** Rows per second of the native SQLite in Node, WAL and FULL, so many rows a commit: what a store in C reaches. */
export function nativeSqlite(
  directory: string,
  {
    table,
    rowsPerCommit,
    seconds,
  }: { table: keyof typeof messageTables; rowsPerCommit: number; seconds: number },
): number {
  const { setUp, insert, row } = messageTables[table];
  const path = join(directory, 'floor.db');
  const db = new DatabaseSync(path);
  for (const statement of setUp) db.exec(statement);
  const inserting = db.prepare(insert);
  const start = performance.now();
  let count = 0;
  while (performance.now() < start + seconds * 1_000) {
    db.exec('BEGIN');
    for (let i = 0; i < rowsPerCommit; i++) inserting.run(...row(++count));
    db.exec('COMMIT');
  }
  const perSecond = (count / (performance.now() - start)) * 1_000;
  db.close();
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
  return perSecond;
}

/** How long something takes that is run and awaited, in milliseconds: the middle of some times. */
export function often(run: () => void, times = 9): number {
  return median(
    Array.from({ length: times }, () => {
      const start = performance.now();
      run();
      return performance.now() - start;
    }),
  );
}

/** The start of the bare runtime, in milliseconds. */
export function bareStart(): number {
  return often(() => execFileSync(process.execPath, ['-e', '0']));
}
