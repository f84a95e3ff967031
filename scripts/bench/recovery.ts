import { cpSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { databaseName } from '../../src/server/store/sqlite/database-name.ts';
import { type Figure, figureOf } from './figure.ts';
import { copyOf, deepRoom, filledIn, keptIn } from './filled.ts';
import { startServer } from './lab.ts';
import { scratchDirectory } from './left-overs.ts';
import { inTurn } from './rounds.ts';
import type { Course, Workload } from './workload.ts';

/** What the log holds, in MB: nothing, what it holds while a server runs (4 MB at most), and what it grows to while a backup is made. */
const logs = [0, 1, 4, 32, 256] as const;
const messages = 100_000;

/** A start after SIGKILL by what the log holds. */
export const recovery: Workload = {
  name: 'recovery',
  about:
    'a start after SIGKILL by the size of the write-ahead log, beside one with an empty log, and beside native SQLite',
  run,
};

async function run({ rounds }: Course): Promise<Figure[]> {
  const filled = await filledIn(keptIn ?? scratchDirectory(), messages);
  const crashed = logs.map((megabytes) => crashedWith(copyOf(filled).data, megabytes));
  const taken = await inTurn(
    rounds,
    Object.fromEntries(
      crashed.flatMap((data, index) => [
        [`chat ${index}`, () => startOn(data)],
        [`native ${index}`, () => nativeOpen(data)],
      ]),
    ),
  );
  const empty = taken['chat 0'] ?? [];
  return logs.flatMap((megabytes, index) => {
    const starts = taken[`chat ${index}`] ?? [];
    const series = { name: 'start after SIGKILL', x: megabytes, of: 'MB of write-ahead log' };
    const start = figureOf({
      name: `start after SIGKILL, ${megabytes} MB in the log`,
      unit: 'ms',
      values: starts,
      floor: { name: 'with an empty log', values: empty },
      series,
    });
    if (megabytes === 0) return [start];
    const recovered = figureOf({
      name: `what ${megabytes} MB in the log add to a start`,
      unit: 'ms',
      values: starts.map((ms, round) => ms - (empty[round] ?? Number.NaN)),
      floor: { name: 'native SQLite reads them', values: taken[`native ${index}`] ?? [] },
    });
    return [start, recovered];
  });
}

/** A data directory as a killed server leaves it: commits in the log that are not in the file. */
function crashedWith(data: string, megabytes: number): string {
  if (megabytes === 0) return data;
  const path = join(data, databaseName);
  const db = new DatabaseSync(path);
  db.exec('PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = OFF');
  // A page that would be the same as before is not written: each change is one.
  const change = db.prepare(
    'UPDATE messages SET sent_at = sent_at + 1 WHERE conversation_id = (SELECT id FROM conversations WHERE room = ?) AND seq > ? AND seq <= ?',
  );
  for (let seq = 0; statSync(`${path}-wal`).size < megabytes * 1e6; seq = (seq + 100) % messages) {
    change.run(deepRoom, seq, seq + 100);
  }
  const left = join(scratchDirectory(), 'data');
  cpSync(data, left, { recursive: true, filter: (from) => !from.endsWith('-shm') });
  db.close();
  return left;
}

/** On a copy: recovering empties the log. */
function copied(data: string): string {
  const copy = join(scratchDirectory(), 'data');
  cpSync(data, copy, { recursive: true });
  return copy;
}

async function startOn(data: string): Promise<number> {
  const server = await startServer(copied(data));
  await server.stop();
  return server.readyMs;
}

function nativeOpen(data: string): number {
  const path = join(copied(data), databaseName);
  const start = performance.now();
  const db = new DatabaseSync(path);
  db.prepare('SELECT count(*) FROM users').get();
  const elapsed = performance.now() - start;
  db.close();
  return elapsed;
}
