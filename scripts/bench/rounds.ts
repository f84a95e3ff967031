import { type Figure, median } from './lab.ts';

/** What was measured in each of some rounds, in order, and the floor in each of the same ones. */
export interface Rounds {
  readonly name: string;
  readonly unit: string;
  readonly values: readonly number[];
  readonly floor: { readonly name: string; readonly values: readonly number[] };
  readonly note?: string;
}

/** The figure of some rounds: middle values, and the middle, the least and the most of the rounds' ratios. */
export function figureOf({ name, unit, values, floor, note }: Rounds): Figure {
  const ratios = values.map((value, round) => value / (floor.values[round] ?? Number.NaN));
  return {
    name,
    unit,
    value: median(values),
    floor: { name: floor.name, value: median(floor.values) },
    rounds: {
      values,
      ratio: { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) },
    },
    ...(note === undefined ? {} : { note }),
  };
}
