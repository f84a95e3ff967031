import type { Figure } from '../figure.ts';
import { growthChart } from './growth-chart.ts';
import type { KeptOutcome } from './kept-runs.ts';
import { reachedOf, targetChart } from './target-chart.ts';

/** A chart as a file beside the runs it was made from. */
export interface PlotFile {
  /** `NAME.svg` */
  readonly name: string;
  readonly title: string;
  readonly svg: string;
}

/** Every chart that kept runs give: the targets, and one for each series of at least two places. */
export function plotsOf(outcomes: readonly KeptOutcome[]): PlotFile[] {
  const figures = outcomes.flatMap((outcome) => outcome.figures);
  const plots: PlotFile[] = [];
  if (figures.some((figure) => reachedOf(figure) !== undefined)) {
    plots.push({ name: 'targets.svg', title: 'Targets', svg: targetChart(figures) });
  }
  const bySeries = new Map<string, Figure[]>();
  for (const figure of figures) {
    if (figure.series === undefined) continue;
    bySeries.set(figure.series.name, [...(bySeries.get(figure.series.name) ?? []), figure]);
  }
  for (const [title, some] of bySeries) {
    if (some.length > 1) plots.push({ name: `${slug(title)}.svg`, title, svg: growthChart(title, some) });
  }
  return plots;
}

function slug(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
}
