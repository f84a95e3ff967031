/**
 * `npm run bench:plots`: makes the plots in docs/performance/ from the runs that are kept there as JSON, and writes the tables of
 * docs/performance.md and of docs/scaling.md between their markers, so that no figure is typed by hand.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { plotsOf } from './plots/charts.ts';
import { keptRuns } from './plots/kept-runs.ts';
import { pageWith } from './plots/page.ts';

/** What every file that is made from the kept runs must hold, by its path; a plot that is no longer made is undefined. */
export function madeFiles(docs: string): ReadonlyMap<string, string | undefined> {
  const directory = join(docs, 'performance');
  // Before the first run there is none.
  mkdirSync(directory, { recursive: true });
  const outcomes = keptRuns(directory);
  const plots = plotsOf(outcomes);
  const files = new Map<string, string | undefined>();
  for (const name of readdirSync(directory)) {
    if (name.endsWith('.svg')) files.set(join(directory, name), undefined);
  }
  for (const { name, svg } of plots) files.set(join(directory, name), svg);
  const images = plots.map(({ name, title }) => ({ title, path: `performance/${name}` }));
  for (const page of ['performance.md', 'scaling.md'].map((name) => join(docs, name))) {
    files.set(page, pageWith(readFileSync(page, 'utf8'), outcomes, images));
  }
  return files;
}

if (import.meta.main) {
  try {
    for (const [path, content] of madeFiles(resolve(import.meta.dirname, '../../docs'))) {
      if (content === undefined) rmSync(path);
      else writeFileSync(path, content);
      console.log(`${content === undefined ? 'removed' : 'wrote'} ${path}`);
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
