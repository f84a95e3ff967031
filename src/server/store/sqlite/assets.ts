import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The one place that knows where the store's parts lie: beside the built program, or in the sources and packages. */
const built = join(dirname(fileURLToPath(import.meta.url)), 'store-worker.mjs');
const isBuilt = existsSync(built);

/** The worker's entry point. */
export function workerUrl(): URL {
  return isBuilt ? new URL('./store-worker.mjs', import.meta.url) : new URL('./worker.ts', import.meta.url);
}

/** The path of sql.js's debug build, whose imports have names (storage, "Embedded: sql.js on real files"). */
export function wasmPath(): string {
  return isBuilt
    ? join(dirname(built), 'sql-wasm-debug.wasm')
    : createRequire(import.meta.url).resolve('sql.js/dist/sql-wasm-debug.wasm');
}
