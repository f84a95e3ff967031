import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The entry point of the copying thread: beside the built program, or in the sources. */
export function copyWorkerUrl(): URL {
  const built = join(dirname(fileURLToPath(import.meta.url)), 'copy-worker.mjs');
  return existsSync(built)
    ? new URL('./copy-worker.mjs', import.meta.url)
    : new URL('./copy-worker.ts', import.meta.url);
}
