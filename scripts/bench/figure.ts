/** What each of some rounds gave, and what is to be said of them: everything that a workload answers for one figure. */
export interface Measured {
  readonly name: string;
  /** As in `/s`, `µs`, `KB`; one unit for the figure and its floor. */
  readonly unit: string;
  /** One a round, in order. */
  readonly values: readonly number[];
  /** What it stands beside: the same rounds, taken in turn with the figure's own. */
  readonly floor?: { readonly name: string; readonly values: readonly number[] };
  /** The line of a plot that the figure is a point of. */
  readonly series?: Series;
  readonly target?: Target;
  readonly note?: string;
}

/** A point's place: figures with the same `name` are one line of a plot, at their `x`. */
export interface Series {
  readonly name: string;
  readonly x: number;
  /** What `x` counts, as an axis names it: `followers`, `stored messages`. */
  readonly of: string;
}

/** What a figure is to reach: a sentence, and a bound on the middle value or on the middle ratio to its floor. */
export interface Target {
  readonly sentence: string;
  readonly judged: 'value' | 'ratio';
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** The middle of some values, and how far they spread. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  readonly values: readonly number[];
}

/** A figure as it is shown and kept. */
export interface Figure extends Spread {
  readonly name: string;
  readonly unit: string;
  readonly floor?: Spread & { readonly name: string };
  /** Of each round to the floor of the same one; the middle is the middle of these, not a ratio of middles. */
  readonly ratio?: Spread;
  readonly series?: Series;
  readonly target?: Target & { readonly isMet: boolean };
  readonly note?: string;
}

/** The value at a share of some, 0.5 for the middle: the next one where the share falls between two. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** The middle of some values; of an even number, halfway between the two that are nearest to it. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN;
  return (lower + upper) / 2;
}

/** The middle, the least and the most of some values. */
export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), least: Math.min(...values), most: Math.max(...values), values };
}

/** Whether a middle value or ratio is within a target's bounds; what is no number meets none. */
export function isMet({ atLeast = -Infinity, atMost = Infinity }: Target, reached: number): boolean {
  return reached >= atLeast && reached <= atMost;
}

/** The figure of some rounds. Throws when its floor was not measured in the same ones, or a target asks for a ratio to nothing. */
export function figureOf({ name, unit, values, floor, series, target, note }: Measured): Figure {
  if (values.length === 0 || (floor && floor.values.length !== values.length)) {
    throw new Error(`${name}: ${values.length} rounds, and ${floor?.values.length ?? 'none'} of its floor`);
  }
  const ratio = floor && spreadOf(values.map((value, round) => value / (floor.values[round] ?? Number.NaN)));
  const spread = spreadOf(values);
  const judged = target?.judged === 'ratio' ? ratio : spread;
  if (!judged) throw new Error(`${name}: a target for a ratio, and no floor`);
  return {
    name,
    unit,
    ...spread,
    ...(floor && { floor: { name: floor.name, ...spreadOf(floor.values) } }),
    ...(ratio && { ratio }),
    ...(series && { series }),
    ...(target && { target: { ...target, isMet: isMet(target, judged.median) } }),
    ...(note !== undefined && { note }),
  };
}
