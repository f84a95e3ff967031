import { type ScaleContinuousNumeric, scaleLinear, scaleLog } from 'd3-scale';

/** A scale with the places that are named on it. */
export interface Axis {
  readonly at: ScaleContinuousNumeric<number, number>;
  readonly ticks: readonly number[];
}

/** From so many times the least value on, a linear axis shows nothing of the small ones. */
const wide = 20;
/** Values between powers of ten are named where there are at most so many powers. */
const fewDecades = 2;

/** An axis for some values over so many pixels: by powers where they are far apart, else from 0. */
export function axisFor(values: readonly number[], range: readonly [number, number]): Axis {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  if (least > 0 && most / least >= wide) return byPowers(least, most, range);
  const at = scaleLinear()
    .domain([Math.min(0, least), most === 0 ? 1 : most])
    .range(range)
    .nice(5);
  return { at, ticks: at.ticks(5) };
}

/** An axis by powers whose ends are named numbers with the values within. */
export function byPowers(least: number, most: number, range: readonly [number, number]): Axis {
  const named = namedNumbers(least, most);
  const at = scaleLog()
    .domain([named[0] ?? least, named.at(-1) ?? most])
    .range(range);
  return { at, ticks: named };
}

/** From the last named number that is not above the least value, to the first that is not below the most. */
function namedNumbers(least: number, most: number): number[] {
  const decades = Math.log10(most / least);
  const steps = decades > fewDecades ? [1] : [1, 2, 5];
  const all: number[] = [];
  for (let power = Math.floor(Math.log10(least)); power <= Math.ceil(Math.log10(most)); power++) {
    for (const step of steps) all.push(Number(`${step}e${power}`));
  }
  const first = all.findLastIndex((number) => number <= least);
  const last = all.findIndex((number) => number >= most);
  return all.slice(first, last + 1);
}

/** A number as an axis names it: `0.05`, `200`, `10k`, `5M`. */
export function tickText(value: number): string {
  for (const [unit, size] of [
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ] as const) {
    if (Math.abs(value) >= size) return `${Number((value / size).toPrecision(6))}${unit}`;
  }
  return String(Number(value.toPrecision(6)));
}
