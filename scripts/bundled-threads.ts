import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type BundledThreads, digestOf, threadsVariable } from '../test/support/bundled-threads.ts';
import { entryPoints } from './build/bundle.ts';
import { bundleInto } from './build/bundle-into.ts';

const root = resolve(import.meta.dirname, '..');
const { chat: _, ...threads } = entryPoints;

async function bundledIn(directory: string): Promise<BundledThreads> {
  const madeAtMs = Date.now();
  const { inputs } = await bundleInto(directory, root, threads);
  const sources = Object.keys(inputs)
    .filter((path) => path.startsWith('src/'))
    .map((path) => join(root, path));
  const bundleOf = Object.fromEntries(
    Object.entries(threads).map(([name, path]) => [join(root, path), join(directory, `${name}.mjs`)]),
  );
  return { bundleOf, sources, digest: digestOf(sources), madeAtMs };
}

/**
 * What vitest calls before the first test of the sources: a server's threads are bundled once, for all servers that tests start. Each
 * thread would strip, resolve and compile its hundreds of modules anew, which is most of what such a server's start takes. Answers what
 * removes the bundles.
 */
export async function setup(): Promise<() => void> {
  const directory = mkdtempSync(join(tmpdir(), 'chat-threads-'));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  try {
    const file = join(directory, 'threads.json');
    writeFileSync(file, JSON.stringify(await bundledIn(directory)));
    process.env[threadsVariable] = file;
  } catch (error) {
    remove();
    throw error;
  }
  return () => {
    delete process.env[threadsVariable];
    remove();
  };
}
