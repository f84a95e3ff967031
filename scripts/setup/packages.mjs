import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pinnedNodeIsThere, platform, requirePinnedNode } from './pinned-node.mjs';
import { SetupError, say } from './speech.mjs';

/** Where the lock that node_modules was made from is remembered; `npm ci` deletes it with everything else there. */
const stampFile = (root) => join(root, 'node_modules', '.chat-setup');

/** The lock's digest and the platform: a node_modules carried over from another machine does not count. */
function stamp(root) {
  const lock = readFileSync(join(root, 'package-lock.json'));
  return `${createHash('sha256').update(lock).digest('hex')} ${platform}\n`;
}

/** Whether node_modules is what the lock says, as far as a look at the stamp can tell. */
export function packagesAreCurrent(root) {
  const file = stampFile(root);
  return existsSync(file) && readFileSync(file, 'utf8') === stamp(root) && pinnedNodeIsThere(root);
}

/** Installs what the lock says and leaves the stamp. Answers only when the pinned Node has been seen to start. */
export function installPackages(root) {
  if (!isInstalledByHand(root)) runNpm(root);
  requirePinnedNode(root);
  // A new file, never the old one's content: in a checkout copied by hard links that is another checkout's stamp too.
  rmSync(stampFile(root), { force: true });
  writeFileSync(stampFile(root), stamp(root));
}

/**
 * True when npm's own record of node_modules equals the lock, as after `npm install <package>`: nothing is to do
 * then, and `npm ci` would pull the packages away under whatever else runs in this checkout.
 */
function isInstalledByHand(root) {
  const record = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(record) || !pinnedNodeIsThere(root)) return false;
  const locked = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages;
  for (const path of new Set([...Object.keys(locked), ...Object.keys(installed)])) {
    const [want, have] = [locked[path], installed[path]];
    // Optional packages of other platforms stand in the lock only.
    if (path === '' || (have === undefined && want.optional)) continue;
    if (want?.version !== have?.version || want?.integrity !== have?.integrity) return false;
  }
  return true;
}

function requireWritable(root) {
  const folder = existsSync(join(root, 'node_modules')) ? join(root, 'node_modules') : root;
  try {
    accessSync(folder, constants.W_OK);
  } catch {
    throw new SetupError(`cannot write in ${folder}: run this as the user who owns it.`);
  }
}

/** The npm that runs this script, or the one on the PATH. */
function npmCommand() {
  const { npm_execpath: script, npm_node_execpath: node } = process.env;
  if (script && node && basename(script).startsWith('npm')) return [node, [script]];
  return ['npm', []];
}

function runNpm(root) {
  requireWritable(root);
  if (process.platform === 'win32' && process.execPath.startsWith(join(root, 'node_modules'))) {
    // Windows cannot delete a program that runs, and this one runs from node_modules.
    throw new SetupError('the packages changed. Run `npm ci` once, then start again.');
  }
  say('installing packages (only when package-lock.json changed)…');
  const started = Date.now();
  const [command, before] = npmCommand();
  // No package here needs its install script, so none may run one. `--include` wins over NODE_ENV=production.
  const flags = ['--include=dev', '--include=optional', '--ignore-scripts', '--prefer-offline'];
  const quiet = [
    '--no-audit',
    '--no-fund',
    '--no-progress',
    '--loglevel=error',
    '--fetch-retries=1',
    '--fetch-retry-mintimeout=1000',
  ];
  const result = spawnSync(command, [...before, 'ci', ...flags, ...quiet], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
    shell: process.platform === 'win32' && before.length === 0,
  });
  if (result.error?.code === 'ENOENT') throw new SetupError('npm was not found: install Node 20 with npm.');
  if (result.status !== 0) throw new SetupError(explain(root, result.stderr ?? String(result.error)));
  say(`packages installed in ${Math.round((Date.now() - started) / 1000)} s`);
}

/** npm's failure as what to do about it, with npm's own first line, or its last ones when the cause is a new one. */
function explain(root, stderr) {
  const lines = stderr.trim().split('\n');
  const cause = lines.find((line) => line.includes(' code ')) ?? lines[0];
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|SOCKET_TIMEOUT/.test(stderr)) {
    return `the package registry cannot be reached, and npm's cache does not hold every package (${cause}).\nConnect this machine, or bring node_modules from another ${platform} machine with the same package-lock.json.`;
  }
  if (/ENOSPC/.test(stderr)) return `the disk is full: about 500 MB are needed (${cause}).`;
  if (/EACCES|EPERM|EROFS/.test(stderr)) {
    return `cannot write in ${root}: run this as the user who owns it (${cause}).`;
  }
  return `npm ci failed:\n${lines.slice(-8).join('\n')}`;
}
