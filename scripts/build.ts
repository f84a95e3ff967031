import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import type { OutputFile } from 'esbuild';
import { assets, bundle, entryPoints } from './build/bundle.ts';
import { licensesName, licensesOf } from './package/licenses.ts';

const root = process.cwd();
const dist = join(root, 'dist');

/** Puts a file in its place at once and whole: a program that starts meanwhile reads the old one or the new one. */
function place(path: string, write: (temporary: string) => void): void {
  const temporary = `${path}.${process.pid}`;
  write(temporary);
  renameSync(temporary, path);
}

/** Entries last, since they name the chunks; then what no longer belongs to the build goes. */
function placeAll(files: readonly OutputFile[], metafile: object, licenses: string): void {
  mkdirSync(dist, { recursive: true });
  const isEntry = ({ path }: OutputFile): boolean => basename(path, '.mjs') in entryPoints;
  for (const file of files.toSorted((one, other) => Number(isEntry(one)) - Number(isEntry(other)))) {
    place(file.path, (temporary) => writeFileSync(temporary, file.contents));
  }
  for (const asset of assets)
    place(join(dist, basename(asset)), (temporary) => copyFileSync(asset, temporary));
  place(join(dist, 'meta.json'), (temporary) => writeFileSync(temporary, JSON.stringify(metafile)));
  place(join(dist, licensesName), (temporary) => writeFileSync(temporary, licenses));
  const kept = new Set([
    'meta.json',
    licensesName,
    ...[...assets, ...files.map(({ path }) => path)].map((path) => basename(path)),
  ]);
  for (const name of readdirSync(dist)) if (!kept.has(name)) rmSync(join(dist, name), { recursive: true });
}

const missing = Object.values(entryPoints).filter((path) => !existsSync(path));
if (missing.length > 0) {
  console.error(`no such entry point: ${missing.join(', ')}`);
  process.exit(1);
}

const started = performance.now();
const { outputFiles, metafile } = await bundle({ root, entryPoints, outdir: dist, target: 'node26' }).catch(
  () => process.exit(1),
);
let licenses: string;
try {
  licenses = licensesOf({ root, metafile, outputFiles });
} catch (error) {
  console.error(`licenses: ${error instanceof Error ? error.message : error}`);
  process.exit(1);
}
placeAll(outputFiles, metafile, licenses);
const bytes = outputFiles
  .filter(({ path }) => path.endsWith('.mjs'))
  .reduce((sum, file) => sum + file.contents.length, 0);
console.log(
  `built ${relative(root, dist)}/: ${Math.round(bytes / 1024)} KB of program in ${Math.round(performance.now() - started)} ms`,
);
