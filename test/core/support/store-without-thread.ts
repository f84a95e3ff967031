import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel, type Worker } from 'node:worker_threads';
import type { Store } from '../../../src/core/ports/store.ts';
import { openDatabase } from '../../../src/server/store/sqlite/database.ts';
import { serveStore } from '../../../src/server/store/sqlite/serve-store.ts';
import { type SqliteStoreOptions, storeIn } from '../../../src/server/store/sqlite/store.ts';

const databaseName = 'chat.db';
let empty: Promise<Buffer> | undefined;

/** The file of a database in which nothing is but what its migrations made. */
async function emptyDatabase(): Promise<Buffer> {
  const directory = await mkdtemp(join(tmpdir(), 'chat-empty-'));
  try {
    (await openDatabase({ directory })).close();
    return await readFile(join(directory, databaseName));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * The embedded store on real files, served on the test's own thread: making a thread for each test is most of what such a test
 * would take, and the migrations of a new file are most of the rest, so that it begins with a copy. That it is the same on a thread,
 * and on a file of its own making, is for a part of the port's exam and for the end-to-end tests.
 */
export async function storeWithoutThread({ directory, onFatal }: SqliteStoreOptions): Promise<Store> {
  empty ??= emptyDatabase();
  const path = join(directory, databaseName);
  if (!existsSync(path)) await writeFile(path, await empty, { mode: 0o600 });
  const { port1, port2 } = new MessageChannel();
  void serveStore(port2, { directory });
  return await storeIn(port1 as unknown as Worker, onFatal);
}
