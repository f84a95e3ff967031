import { expect, test } from 'vitest';
import { figureOf, isMet, median, percentile, spreadOf } from '../../../scripts/bench/figure.ts';

test('the middle of an odd number of values is one of them, of an even number halfway between two', () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([9, 1, 5, 7])).toBe(6);
  expect(median([4])).toBe(4);
  expect(median([])).toBeNaN();
});

test('a percentile is a value that was measured: the first one that the share does not pass', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect(percentile(hundred, 0.5)).toBe(50);
  expect(percentile(hundred, 0.99)).toBe(99);
  expect(percentile([...hundred, 101], 0.99)).toBe(100);
  expect(percentile(hundred, 0)).toBe(1);
  expect(percentile(hundred, 1)).toBe(100);
  expect(percentile([], 0.5)).toBeNaN();
});

test('a spread keeps the rounds in their order', () => {
  expect(spreadOf([3, 1, 2])).toEqual({ median: 2, least: 1, most: 3, values: [3, 1, 2] });
});

test('the ratio of a figure is the middle of its rounds, not that of the middles', () => {
  const floor = { name: 'floor', values: [10, 100, 20] };
  const figure = figureOf({ name: 'one', unit: '/s', values: [10, 20, 30], floor });
  expect(figure).toEqual({
    name: 'one',
    unit: '/s',
    median: 20,
    least: 10,
    most: 30,
    values: [10, 20, 30],
    floor: { name: 'floor', median: 20, least: 10, most: 100, values: [10, 100, 20] },
    ratio: { median: 1, least: 0.2, most: 1.5, values: [1, 0.2, 1.5] },
  });
});

test('a target is judged by the middle value or by the middle ratio, its bound included', () => {
  const measured = {
    name: 'one',
    unit: '/s',
    values: [50, 70, 90],
    floor: { name: 'floor', values: [100, 100, 100] },
  };
  const judged = (target: { judged: 'value' | 'ratio'; atLeast?: number; atMost?: number }) =>
    figureOf({ ...measured, target: { sentence: 'so much', ...target } }).target?.isMet;
  expect(judged({ judged: 'ratio', atLeast: 0.7 })).toBe(true);
  expect(judged({ judged: 'ratio', atLeast: 0.71 })).toBe(false);
  expect(judged({ judged: 'value', atMost: 70 })).toBe(true);
  expect(judged({ judged: 'value', atMost: 69 })).toBe(false);
});

test('what could not be measured meets no target', () => {
  expect(isMet({ sentence: '', judged: 'value', atMost: 1 }, Number.NaN)).toBe(false);
  expect(isMet({ sentence: '', judged: 'value' }, Number.NaN)).toBe(false);
});

test('a figure without rounds, with fewer of its floor, or judged by a floor that it has not is a mistake in its workload', () => {
  expect(() => figureOf({ name: 'one', unit: 'ms', values: [] })).toThrow(
    'one: 0 rounds, and none of its floor',
  );
  expect(() =>
    figureOf({ name: 'one', unit: 'ms', values: [1, 2], floor: { name: 'floor', values: [1] } }),
  ).toThrow('one: 2 rounds, and 1 of its floor');
  expect(() =>
    figureOf({ name: 'one', unit: 'ms', values: [1], target: { sentence: '', judged: 'ratio' } }),
  ).toThrow('one: a target for a ratio, and no floor');
});
