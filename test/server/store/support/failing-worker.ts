import fs from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { serveStore } from '../../../../src/server/store/sqlite/serve-store.ts';

/** The store's thread on a disk whose syncs fail once the file `fail` is in its directory. */
const { directory, fail } = workerData as { directory: string; fail: string };
const host = {
  ...fs,
  fdatasyncSync(fd: number): void {
    if (fs.existsSync(fail)) throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
    fs.fdatasyncSync(fd);
  },
};
if (parentPort) void serveStore(parentPort, { directory, host });
