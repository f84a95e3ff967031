import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { extract } from 'tar';
import type { Target } from './targets.ts';

const run = promisify(execFile);

interface Lock {
  readonly packages: Readonly<
    Record<string, { readonly version: string; readonly integrity: string } | undefined>
  >;
}

/**
 * Answers the path of the pinned Node for a platform that is not this one, fetched by `npm pack` into `cache` unless it is there. Throws
 * when it is not what package-lock.json pins, byte for byte.
 */
export async function foreignNode(root: string, cache: string, target: Target): Promise<string> {
  const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as Lock;
  const pinned = lock.packages[`node_modules/${target.nodePackage}`];
  if (pinned === undefined) throw new Error(`package-lock.json pins no ${target.nodePackage}`);
  const name = `${target.nodePackage}-${pinned.version}`;
  const packed = join(cache, `${name}.tgz`);
  await mkdir(cache, { recursive: true });
  if (!(await isPinned(packed, pinned.integrity))) {
    const spec = `${target.nodePackage}@${pinned.version}`;
    // Only the file's name on stdout, and why it cannot be had in what is thrown.
    const { stdout } = await run('npm', ['pack', spec, '--loglevel=error', '--pack-destination', cache]);
    const fetched = join(cache, basename(stdout.trim()));
    if (!(await isPinned(fetched, pinned.integrity)))
      throw new Error(`${spec} is not what package-lock.json pins`);
    await rename(fetched, packed);
  }
  const directory = join(cache, name);
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory);
  // Within the package all is under package/.
  await extract({
    file: packed,
    cwd: directory,
    strip: 1,
    filter: (path) => path === `package/${target.node}`,
  });
  const node = join(directory, target.node);
  await chmod(node, 0o755);
  return node;
}

async function isPinned(path: string, integrity: string): Promise<boolean> {
  const [algorithm = '', digest] = integrity.split(/-(.*)/s);
  try {
    return (
      createHash(algorithm)
        .update(await readFile(path))
        .digest('base64') === digest
    );
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}
