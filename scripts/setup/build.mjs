import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pinnedNodePath } from './pinned-node.mjs';
import { SetupError } from './speech.mjs';

/** What decides what the build makes, beside every file under the folders. */
const inputs = [
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'LICENSE',
  'scripts/build.ts',
  'scripts/build/bundle.ts',
  'scripts/package/licenses.ts',
];
const folders = ['src', 'scripts/package/texts'];
const stampFile = (root) => join(root, 'dist', '.sources');

/** One digest over names and contents of all the build reads. */
function digestOfSources(root) {
  const sources = folders
    .flatMap((folder) => readdirSync(join(root, folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
  const hash = createHash('sha256');
  for (const file of [...inputs.map((name) => join(root, name)), ...sources]) {
    const content = readFileSync(file);
    hash.update(`${file.slice(root.length)}\n${content.length}\n`).update(content);
  }
  return hash.digest('hex');
}

/** Whether dist/ was made from the sources as they are now. */
export function buildIsCurrent(root) {
  const file = stampFile(root);
  return existsSync(file) && readFileSync(file, 'utf8') === digestOfSources(root);
}

/** Builds dist/ on the pinned Node. */
export function build(root) {
  // Taken before: a source that changes while the build runs leaves a stamp that no longer fits.
  const digest = digestOfSources(root);
  const { status } = spawnSync(pinnedNodePath(root), ['--import', 'tsx', 'scripts/build.ts'], {
    cwd: root,
    // The build's own output is talk about the build, so it does not belong on stdout either.
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) throw new SetupError('the build failed: see the lines above.');
  writeFileSync(stampFile(root), digest);
}
