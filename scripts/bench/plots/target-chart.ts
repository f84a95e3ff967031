import type { Figure } from '../figure.ts';
import { shortNumber } from '../table.ts';
import { byPowers, tickText } from './axis.ts';
import { element, svgFile } from './svg.ts';

const width = 960;
const rowHeight = 24;
const area = { left: 540, right: width - 70, top: 64 };
/** A bar says no more beyond these. */
const shown = { least: 0.1, most: 100 };

/** How a target was reached: 1 and more meets it, whichever way it counts. */
export interface Reached {
  readonly name: string;
  readonly middle: number;
  readonly worst: number;
  readonly best: number;
}

/** How many times better than its target a figure is, which is below 1 where it missed it; undefined without one. */
export function reachedOf({ name, ratio, target, ...value }: Figure): Reached | undefined {
  const spread = target?.judged === 'ratio' ? ratio : value;
  if (!target || !spread) return undefined;
  const { atLeast, atMost } = target;
  if (atLeast !== undefined) {
    return {
      name,
      middle: spread.median / atLeast,
      worst: spread.least / atLeast,
      best: spread.most / atLeast,
    };
  }
  const bound = atMost ?? Number.NaN;
  return { name, middle: bound / spread.median, worst: bound / spread.most, best: bound / spread.least };
}

/** A bar for every target: from the target itself to how many times better or worse it was. */
export function targetChart(figures: readonly Figure[]): string {
  const rows = figures.flatMap((figure) => reachedOf(figure) ?? []);
  const bottom = area.top + rows.length * rowHeight;
  const within = (value: number): number => Math.min(shown.most, Math.max(shown.least, value));
  const ends = rows.flatMap(({ worst, best }) => [within(worst), within(best)]);
  const x = byPowers(Math.min(0.5, ...ends), Math.max(2, ...ends), [area.left, area.right]);
  const title = 'Targets: how many times better than asked for; left of 1 is missed';
  return svgFile({ width, height: bottom + 40, title }, [
    element('text', { x: 16, y: 28, class: 'title' }, title),
    ...x.ticks.flatMap((tick) => [
      element('line', { x1: x.at(tick), x2: x.at(tick), y1: area.top, y2: bottom, class: 'grid' }),
      element('text', { x: x.at(tick), y: bottom + 20, 'text-anchor': 'middle' }, `${tickText(tick)} ×`),
    ]),
    ...rows.flatMap(({ name, middle, worst, best }, index) => {
      const y = area.top + index * rowHeight + rowHeight / 2;
      const kind = middle >= 1 ? 'ours' : 'missed';
      const [one, end] = [x.at(1), x.at(within(middle))];
      const left = Math.min(one, end);
      return [
        element('text', { x: area.left - 10, y: y + 4, 'text-anchor': 'end' }, name),
        element('rect', { x: left, y: y - 6, width: Math.abs(one - end), height: 12, class: `fill-${kind}` }),
        element('line', { x1: x.at(within(worst)), x2: x.at(within(best)), y1: y, y2: y, class: kind }),
        element('text', { x: area.right + 8, y: y + 4 }, `${shortNumber(middle)} ×`),
      ];
    }),
    element('line', { x1: x.at(1), x2: x.at(1), y1: area.top - 6, y2: bottom, class: 'bound' }),
  ]);
}
