import { MessageChannel, type Worker } from 'node:worker_threads';
import type { Store } from '../../../src/core/ports/store.ts';
import { wasmPath } from '../../../src/server/store/sqlite/assets.ts';
import { serveStore } from '../../../src/server/store/sqlite/serve-store.ts';
import { type SqliteStoreOptions, storeIn } from '../../../src/server/store/sqlite/store.ts';

/**
 * The embedded store on real files, served on the test's own thread: making a thread for each test is most of what such a test
 * would take. That it is the same on a thread is for a part of the port's exam and for the end-to-end tests.
 */
export function storeWithoutThread({ directory, onFatal }: SqliteStoreOptions): Promise<Store> {
  const { port1, port2 } = new MessageChannel();
  void serveStore(port2, { directory, wasmPath: wasmPath() });
  return storeIn(port1 as unknown as Worker, onFatal);
}
