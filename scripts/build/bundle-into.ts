import { copyFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Metafile } from 'esbuild';
import { assets, bundle } from './bundle.ts';

/** Builds modules of a checkout for tests into a directory that is there, `NAME.mjs` for each entry, with what they need beside them. */
export async function bundleInto(
  directory: string,
  root: string,
  entryPoints: Readonly<Record<string, string>>,
): Promise<Metafile> {
  const { outputFiles, metafile } = await bundle({ root, entryPoints, outdir: directory, target: 'node26' });
  for (const { path, contents } of outputFiles) writeFileSync(path, contents);
  for (const asset of assets) copyFileSync(join(root, asset), join(directory, basename(asset)));
  return metafile;
}
