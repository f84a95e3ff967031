import { expect, test } from 'vitest';
import { figureOf } from '../../../scripts/bench/figure.ts';
import { shortNumber, spelledSpread, tableRows } from '../../../scripts/bench/table.ts';

test('numbers are shown with three digits that count, and all of those before the point', () => {
  expect([1234567, 123.4, 99.96, 12.34, 1, 0.012345, 0].map(shortNumber)).toEqual([
    '1,234,567',
    '123',
    '100',
    '12.3',
    '1',
    '0.0123',
    '0',
  ]);
  expect([Number.NaN, Number.POSITIVE_INFINITY].map(shortNumber)).toEqual(['–', '–']);
});

test('a spread is shown where there is more than one round', () => {
  expect(spelledSpread({ median: 2, least: 1, most: 3, values: [1, 2, 3] })).toBe('2 (1–3)');
  expect(spelledSpread({ median: 2, least: 2, most: 2, values: [2] })).toBe('2');
});

test('a row says the figure, its ratio to its floor, and whether a target was met, in columns', () => {
  const figure = (name: string, atLeast: number) =>
    figureOf({
      name,
      unit: '/s',
      values: [60, 70, 80],
      floor: { name: 'bare Node', values: [100, 100, 100] },
      target: { sentence: `at least ${atLeast} of it`, judged: 'ratio', atLeast },
      note: 'on one core',
    });
  const alone = figureOf({ name: 'a figure that stands alone', unit: 'ms', values: [5] });
  expect(tableRows([figure('deliveries', 0.7), figure('sends', 0.8), alone])).toEqual([
    'deliveries                  70 (60–80) /s  0.7 (0.6–0.8) × bare Node, 100 (100–100); met: at least 0.7 of it; on one core',
    'sends                       70 (60–80) /s  0.7 (0.6–0.8) × bare Node, 100 (100–100); MISSED: at least 0.8 of it; on one core',
    'a figure that stands alone           5 ms',
  ]);
  expect(tableRows([])).toEqual([]);
});
