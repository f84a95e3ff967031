import { readFile, writeFile } from 'node:fs/promises';
import { withFileLock } from '../../../src/cli/file-lock.ts';

/** Adds one to the number in a file, many times, under a lock. */
const [, , lock = '', counter = '', times = '0'] = process.argv;
const self = { processId: process.pid, hostName: 'here' };
for (let n = 0; n < Number(times); n++) {
  await withFileLock(lock, self, async () => {
    await writeFile(counter, String(Number(await readFile(counter, 'utf8')) + 1));
  });
}
