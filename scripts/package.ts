import { chmod, mkdir, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { sumsName, writeChecksums } from './package/checksums.ts';
import { compile } from './package/compiled.ts';
import { makeForeignExecutable, makeHostExecutable } from './package/executable.ts';
import { writeExtras } from './package/extras.ts';
import { foreignNode } from './package/foreign-node.ts';
import { executableLicenses } from './package/licenses.ts';
import { writeArchive } from './package/modules.ts';
import { makeNpmTarball } from './package/npm-tarball.ts';
import { hostName, type Target, targets } from './package/targets.ts';

const root = process.cwd();
const build = join(root, 'dist');
const release = join(root, 'release');

const usage = `npm run package [-- TARGET…] [-- --all]
Makes release/ anew from dist/: chat-TARGET for this platform (${hostName}), for the targets that are named or for all of them,
the npm package, completions, the manual page, a service for systemd, licenses, install.sh, and sums over all of it.
Targets: ${targets.map(({ name }) => name).join(', ')}`;

/** The targets that the words name; undefined where they make no sense, which was said. */
function wanted(): readonly Target[] | undefined {
  const { values, positionals } = parseArgs({
    options: { all: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    allowPositionals: true,
  });
  if (values.help) {
    console.log(usage);
    return [];
  }
  if (values.all) return targets;
  const names = positionals.length === 0 ? [hostName] : positionals;
  const unknown = names.filter((name) => !targets.some((target) => target.name === name));
  if (unknown.length === 0) return targets.filter(({ name }) => names.includes(name));
  console.error(`package: there is no target ${unknown.join(', ')}\n${usage}`);
  process.exitCode = 2;
  return undefined;
}

/** How a release is put together: in `staging`, from what travels in every executable. */
interface Making {
  readonly staging: string;
  readonly archive: string;
  readonly names: readonly string[];
}

async function makeExecutable(target: Target, { staging, archive, names }: Making): Promise<void> {
  const started = performance.now();
  const output = join(staging, target.file);
  if (target.name === hostName) {
    const compiled = await compile(archive);
    await makeHostExecutable({ archive, names: [...names, ...compiled], node: process.execPath, output });
  } else {
    const node = await foreignNode(root, join(root, '.cache', 'nodes'), target);
    await makeForeignExecutable({ archive, names, node, output });
  }
  const { size } = await stat(output);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`made ${target.file}: ${Math.round(size / 1e6)} MB in ${seconds} s`);
}

async function makeRelease(some: readonly Target[], staging: string): Promise<void> {
  const archive = await mkdtemp(join(tmpdir(), 'chat-archive-'));
  try {
    const names = await writeArchive(build, archive, executableLicenses(build));
    // Last, since what is compiled for it is for no other.
    const hostLast = some.toSorted(
      (one, other) => Number(one.name === hostName) - Number(other.name === hostName),
    );
    for (const target of hostLast) await makeExecutable(target, { staging, archive, names });
  } finally {
    await rm(archive, { recursive: true, force: true });
  }
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  await makeNpmTarball({ root, out: staging, version });
  await writeExtras({ root, build, release: staging, chat: join(root, 'bin/chat') });
  console.log(`made ${sumsName} over ${await writeChecksums(staging)} files`);
}

async function main(): Promise<void> {
  const some = wanted();
  if (some === undefined || some.length === 0) return;
  await mkdir(join(root, '.cache'), { recursive: true });
  const staging = await mkdtemp(join(root, '.cache', 'release-'));
  try {
    await makeRelease(some, staging);
    // Others may read it, as other directories here.
    await chmod(staging, 0o755);
    // What is there already stays until there is another, and nothing of it is part of this one.
    await rm(release, { recursive: true, force: true });
    await rename(staging, release);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  console.log('release/ is complete');
}

try {
  await main();
} catch (error) {
  console.error(`package: ${error instanceof Error ? error.message : String(error)}`);
  const isTyped =
    error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  process.exitCode = isTyped ? 2 : 1;
}
