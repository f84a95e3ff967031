import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * What vitest calls before the first end-to-end test: the same check of dist/ that `npm start` makes. The hundreds of processes that
 * follow compile it once: Node's cache for that is in a directory of this run, which goes with it. Answers what removes it.
 */
export function setup(): () => void {
  const script = fileURLToPath(new URL('setup.mjs', import.meta.url));
  const { status } = spawnSync(process.execPath, [script, '--build'], { stdio: 'inherit' });
  if (status !== 0) throw new Error('dist/ could not be built: see the lines above');
  const cache = mkdtempSync(join(tmpdir(), 'chat-compiled-'));
  process.env.NODE_COMPILE_CACHE = cache;
  return () => {
    delete process.env.NODE_COMPILE_CACHE;
    rmSync(cache, { recursive: true, force: true });
  };
}
