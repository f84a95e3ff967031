import { once } from 'node:events';
import { lockDirectory } from '../../../../src/server/data-directory/lock.ts';

/** Takes the lock of a directory at the first byte on stdin, tells how it went, and keeps it until stdin ends. */
const [directory = ''] = process.argv.slice(2);
console.log('ready');
await once(process.stdin, 'data');
try {
  const lock = await lockDirectory(directory);
  console.log('held');
  process.stdin.resume().once('end', () => void lock.release());
} catch (error) {
  console.log(error instanceof Error ? error.message : String(error));
  process.stdin.destroy();
}
