import fs from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { serveStore } from '../../../../src/server/store/sqlite/serve-store.ts';

/** The store's thread on a disk that is full while the file `full` is there. */
const { directory, full } = workerData as { directory: string; full: string };
const host = {
  ...fs,
  writeSync(fd: number, from: Uint8Array, offset: number, length: number, position: number): number {
    if (fs.existsSync(full))
      throw Object.assign(new Error('ENOSPC: no space left, write'), { code: 'ENOSPC' });
    return fs.writeSync(fd, from, offset, length, position);
  },
};
if (parentPort) void serveStore(parentPort, { directory, host: host as typeof fs });
