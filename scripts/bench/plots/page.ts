import type { Figure } from '../figure.ts';
import type { Report } from '../report.ts';
import { spelledSpread } from '../table.ts';
import { capacitySection } from './capacity-section.ts';
import type { KeptOutcome } from './kept-runs.ts';

/** What stands where no run is kept. */
const nothing = 'No run is kept yet.';
const marked = /<!-- bench: (\w+) -->\n.*?<!-- \/bench -->/gs;

/** A page with what stands between `<!-- bench: NAME -->` and `<!-- /bench -->` made anew: `targets`, `plots`, `figures` or `capacity`. */
export function pageWith(page: string, outcomes: readonly KeptOutcome[], plots: readonly Plot[]): string {
  return page.replace(marked, (_all, name: string) => {
    const text = sectionOf(name, outcomes, plots) || nothing;
    return `<!-- bench: ${name} -->\n${text}\n<!-- /bench -->`;
  });
}

/** An image beside the page. */
export interface Plot {
  readonly title: string;
  readonly path: string;
}

function sectionOf(name: string, outcomes: readonly KeptOutcome[], plots: readonly Plot[]): string {
  if (name === 'targets') return targetTable(outcomes);
  if (name === 'plots') return plots.map(({ title, path }) => `![${title}](${path})`).join('\n\n');
  if (name === 'capacity') return capacitySection(outcomes);
  if (name === 'figures') return outcomes.map(workloadSection).join('\n\n');
  throw new Error(`nothing is made for <!-- bench: ${name} -->`);
}

function spelledRun({ machine, rounds, seconds }: Pick<Report, 'machine' | 'rounds' | 'seconds'>): string {
  const { cores, processor, memoryBytes, node, kernel, date } = machine;
  const gigabytes = Math.round(memoryBytes / 2 ** 30);
  const length = seconds === undefined ? '' : ` of ${seconds} s`;
  return `${date.slice(0, 10)}, ${rounds} rounds${length}, ${cores} cores (${processor}), ${gigabytes} GB, Node ${node}, ${kernel}.`;
}

function targetTable(outcomes: readonly KeptOutcome[]): string {
  const figures = outcomes.flatMap((outcome) => outcome.figures).filter(({ target }) => target);
  if (figures.length === 0) return '';
  return table(
    ['what', 'target', 'reached: middle (least–most)', ''],
    figures.map((figure) => [
      figure.name,
      figure.target?.sentence ?? '',
      figure.target?.judged === 'ratio' ? besideFloor(figure) : `${spelledSpread(figure)} ${figure.unit}`,
      figure.target?.isMet ? 'met' : '**missed**',
    ]),
  );
}

function workloadSection({ name, run, figures, leftOut, failed }: KeptOutcome): string {
  const rows = figures.map((figure) => [
    figure.name,
    `${spelledSpread(figure)} ${figure.unit}`,
    besideFloor(figure),
    figure.note ?? '',
  ]);
  const parts = [
    `### ${name}`,
    spelledRun(run),
    ...(rows.length === 0
      ? []
      : [table(['figure', 'middle (least–most)', 'beside its floor: middle (least–most)', ''], rows)]),
    ...leftOut.map(({ what, why }) => `Left out: ${what}: ${why}.`),
    ...(failed === undefined ? [] : [`Failed: ${failed}`]),
  ];
  return parts.join('\n\n');
}

function besideFloor({ ratio, floor }: Figure): string {
  return ratio && floor ? `${spelledSpread(ratio)} × ${floor.name}` : '';
}

function table(head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  return [row(head), `|${head.map(() => '---|').join('')}`, ...rows.map(row)].join('\n');
}
