import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What vitest calls before the first end-to-end test: the same check of dist/ that `npm start` makes. */
export function setup(): void {
  const script = fileURLToPath(new URL('setup.mjs', import.meta.url));
  const { status } = spawnSync(process.execPath, [script, '--build'], { stdio: 'inherit' });
  if (status !== 0) throw new Error('dist/ could not be built: see the lines above');
}
