import fs from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { serveStore } from '../../../src/server/store/sqlite/serve-store.ts';

/** The store's thread on a disk of which it does not hear when a sync has failed. */
const { directory } = workerData as { directory: string };
const host = {
  ...fs,
  fdatasyncSync(fd: number): void {
    try {
      fs.fdatasyncSync(fd);
    } catch {
      // Whoever asked believes that it is on disk.
    }
  },
};
if (parentPort) void serveStore(parentPort, { directory, host });
