import { parentPort, workerData } from 'node:worker_threads';
import { wasmPath } from './assets.ts';
import { serveStore } from './serve-store.ts';

/** The store's thread; an entry point of the build. */
if (parentPort) {
  const { directory } = workerData as { directory: string };
  void serveStore(parentPort, { directory, wasmPath: wasmPath() });
}
