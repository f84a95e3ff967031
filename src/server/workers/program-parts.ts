import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { getAsset, getRawAsset, isSea } from 'node:sea';
import { fileURLToPath } from 'node:url';
import { Worker, type WorkerOptions } from 'node:worker_threads';

/** The one place that knows where the program's other parts lie: in its one file, beside the built program, or in the sources and packages. */
const sourceOf = {
  'store-worker': '../store/sqlite/worker.ts',
  'copy-worker': '../backups/copy-worker.ts',
  'password-worker': './password-worker.ts',
} as const;

/** A thread's entry point, which has a file of its own in a build. */
export type ThreadName = keyof typeof sourceOf;

const wasmName = 'sql-wasm-debug.wasm';

/** Where `name` is in a build; undefined where this is no build. */
function builtUrl(name: string): URL | undefined {
  const url = new URL(name, import.meta.url);
  return existsSync(url) ? url : undefined;
}

/** Starts a thread of the program; a test begins one at a module of its own. */
export function startThread(entry: ThreadName | URL, options: WorkerOptions): Worker {
  if (entry instanceof URL) return new Worker(entry, options);
  if (isSea()) {
    // The same few lines that start the program there (scripts/package/loader.cjs).
    const code = `${getAsset('loader.cjs', 'utf8')}\nload(${JSON.stringify(`./${entry}.mjs`)});`;
    return new Worker(code, { ...options, eval: true });
  }
  return new Worker(builtUrl(`./${entry}.mjs`) ?? new URL(sourceOf[entry], import.meta.url), options);
}

/** SQLite as sql.js's debug build has it, whose imports have names (storage, "Embedded: sql.js on real files"). */
export function sqliteWasm(): Uint8Array<ArrayBuffer> {
  if (isSea()) return new Uint8Array(getRawAsset(wasmName));
  const url = builtUrl(`./${wasmName}`);
  return readFileSync(
    url ? fileURLToPath(url) : createRequire(import.meta.url).resolve(`sql.js/dist/${wasmName}`),
  );
}
