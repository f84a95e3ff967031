import { setTimeout as delay } from 'node:timers/promises';
import { lockDirectory } from '../../../../src/server/data-directory/lock.ts';

/** Takes the lock of a directory at a given time (UTC milliseconds), tells how it went, and keeps it until stdin ends. */
const [directory = '', at = '0'] = process.argv.slice(2);
await delay(Math.max(0, Number(at) - Date.now()));
try {
  const lock = await lockDirectory(directory);
  console.log('held');
  process.stdin.resume().once('end', () => void lock.release());
} catch (error) {
  console.log(error instanceof Error ? error.message : String(error));
}
