import { execFileSync } from 'node:child_process';
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { median } from './lab.ts';

/** Small appends that each reach the disk, per second: what no durable send can pass. */
export function syncedWrites(directory: string, seconds = 1): number {
  const path = join(directory, 'floor');
  const fd = openSync(path, 'a');
  const end = performance.now() + seconds * 1_000;
  let count = 0;
  for (; performance.now() < end; count++) {
    writeSync(fd, Buffer.alloc(4_096));
    fdatasyncSync(fd);
  }
  closeSync(fd);
  rmSync(path);
  return count / seconds;
}

/** Rows per second of the native SQLite in Node, WAL and FULL, so many rows a commit: what a store in C reaches. */
export function nativeSqlite(directory: string, rowsPerCommit: number, seconds = 1): number {
  const path = join(directory, 'floor.db');
  const db = new DatabaseSync(path);
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
  db.exec(
    'CREATE TABLE messages (seq INTEGER PRIMARY KEY, id TEXT UNIQUE, key TEXT UNIQUE, sent_at INTEGER, body TEXT)',
  );
  const insert = db.prepare('INSERT INTO messages (id, key, sent_at, body) VALUES (?, ?, ?, ?)');
  const body = 'x'.repeat(100);
  const end = performance.now() + seconds * 1_000;
  let count = 0;
  while (performance.now() < end) {
    db.exec('BEGIN');
    for (let i = 0; i < rowsPerCommit; i++, count++) insert.run(`id-${count}`, `key-${count}`, count, body);
    db.exec('COMMIT');
  }
  db.close();
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
  return count / seconds;
}

/** The start of the bare runtime, in milliseconds: the middle of some. */
export function bareStart(runs = 9): number {
  return median(
    Array.from({ length: runs }, () => {
      const start = performance.now();
      execFileSync(process.execPath, ['-e', '0']);
      return performance.now() - start;
    }),
  );
}
