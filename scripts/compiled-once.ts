import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * What vitest calls before the first test: hundreds of processes and threads follow, and what they load is compiled by the first of
 * them alone. Node's cache for that is in a directory of this run. Whoever sets NODE_COMPILE_CACHE decides themselves. Answers what
 * removes the directory.
 */
export function setup(): () => void {
  if (process.env.NODE_COMPILE_CACHE !== undefined) return () => {};
  const cache = mkdtempSync(join(tmpdir(), 'chat-compiled-'));
  process.env.NODE_COMPILE_CACHE = cache;
  return () => {
    delete process.env.NODE_COMPILE_CACHE;
    rmSync(cache, { recursive: true, force: true });
  };
}
