import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where the password worker begins: beside the built program, or in the sources. */
export function passwordWorkerUrl(): URL {
  const built = join(dirname(fileURLToPath(import.meta.url)), 'password-worker.mjs');
  return existsSync(built)
    ? new URL('./password-worker.mjs', import.meta.url)
    : new URL('./password-worker.ts', import.meta.url);
}
