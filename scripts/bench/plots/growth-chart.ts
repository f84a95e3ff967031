import type { Figure, Spread } from '../figure.ts';
import { axisFor, tickText } from './axis.ts';
import { element, pixels, svgFile } from './svg.ts';

const width = 720;
const height = 400;
const area = { left: 76, right: width - 24, top: 76, bottom: height - 54 };

/** One place on a line. */
interface Point extends Spread {
  readonly x: number;
}

/** Figures of one series as lines over what they grow with: ours, and the floor where each has one; bars show how far rounds spread. */
export function growthChart(name: string, figures: readonly Figure[]): string {
  const sorted = figures.toSorted((a, b) => (a.series?.x ?? 0) - (b.series?.x ?? 0));
  const ours = sorted.map((figure): Point => ({ ...figure, x: figure.series?.x ?? 0 }));
  const floors = sorted.flatMap(({ floor, series }) => (floor ? [{ ...floor, x: series?.x ?? 0 }] : []));
  const all = [...ours, ...floors];
  const x = axisFor(
    all.map((point) => point.x),
    [area.left, area.right],
  );
  const y = axisFor(
    all.flatMap(({ least, most }) => [least, most]),
    [area.bottom, area.top],
  );
  const drawn = (points: readonly Point[], kind: string): string[] => [
    element('path', {
      d: path(points.map((point) => [x.at(point.x), y.at(point.median)])),
      class: `line ${kind}`,
    }),
    ...points.flatMap((point) => {
      const at = x.at(point.x);
      return [
        element('line', { x1: at, x2: at, y1: y.at(point.least), y2: y.at(point.most), class: kind }),
        element('circle', { cx: at, cy: y.at(point.median), r: 4, class: `fill-${kind}` }),
      ];
    }),
  ];
  const unit = figures[0]?.unit === '/s' ? 'per second' : (figures[0]?.unit ?? '');
  const legend = [
    ['ours', 'chat'],
    ...(floors.length > 0 ? [['floor', floors[0]?.name ?? '']] : []),
  ] as const;
  let legendAt = area.left;
  return svgFile({ width, height, title: name }, [
    element('text', { x: area.left, y: 28, class: 'title' }, name),
    ...legend.flatMap(([kind = '', text = '']) => {
      const at = legendAt;
      legendAt += 36 + 7 * text.length;
      return [
        element('circle', { cx: at + 5, cy: 48, r: 5, class: `fill-${kind}` }),
        element('text', { x: at + 16, y: 52 }, text),
      ];
    }),
    ...y.ticks.flatMap((tick) => [
      element('line', { x1: area.left, x2: area.right, y1: y.at(tick), y2: y.at(tick), class: 'grid' }),
      element('text', { x: area.left - 8, y: y.at(tick) + 4, 'text-anchor': 'end' }, tickText(tick)),
    ]),
    ...x.ticks.flatMap((tick) => [
      element('line', { x1: x.at(tick), x2: x.at(tick), y1: area.top, y2: area.bottom, class: 'grid' }),
      element('text', { x: x.at(tick), y: area.bottom + 20, 'text-anchor': 'middle' }, tickText(tick)),
    ]),
    element(
      'text',
      { x: (area.left + area.right) / 2, y: height - 14, 'text-anchor': 'middle' },
      figures[0]?.series?.of ?? '',
    ),
    element(
      'text',
      {
        transform: `translate(20 ${pixels((area.top + area.bottom) / 2)}) rotate(-90)`,
        'text-anchor': 'middle',
      },
      unit,
    ),
    ...drawn(floors, 'floor'),
    ...drawn(ours, 'ours'),
  ]);
}

function path(points: ReadonlyArray<readonly [number, number]>): string {
  return points.map(([x, y], index) => `${index === 0 ? 'M' : 'L'}${pixels(x)} ${pixels(y)}`).join('');
}
