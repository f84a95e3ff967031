/** What a histogram has counted. */
export interface HistogramFigures {
  /** Upper ends of the buckets, growing; one more bucket, which has no end, comes after them. */
  readonly bounds: readonly number[];
  /** How many values fell into each bucket: one more than there are bounds. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/**
 * Counts values by size: a few additions for each, in an array that another thread may read at any time. Prometheus's own histograms
 * hash labels for every value, which is more than a call costs in all.
 */
export class Histogram {
  readonly #bounds: readonly number[];
  /** The buckets, then the sum. */
  readonly #cells: Float64Array;

  /** `cells` are {@link cellsOf} many. */
  constructor(bounds: readonly number[], cells: Float64Array = new Float64Array(cellsOf(bounds))) {
    this.#bounds = bounds;
    this.#cells = cells;
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    const cells = this.#cells;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] ?? 0)) bucket += 1;
    cells[bucket] = (cells[bucket] ?? 0) + 1;
    const sum = bounds.length + 1;
    cells[sum] = (cells[sum] ?? 0) + value;
  }

  read(): HistogramFigures {
    const count = this.#bounds.length + 1;
    return {
      bounds: this.#bounds,
      counts: [...this.#cells.subarray(0, count)],
      sum: this.#cells[count] ?? 0,
    };
  }
}

/** How many numbers a histogram of these bounds takes. */
export function cellsOf(bounds: readonly number[]): number {
  return bounds.length + 2;
}

function countOf({ counts }: HistogramFigures): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

/** What has been counted since `before`, which is an earlier reading of the same histogram. */
export function since(now: HistogramFigures, before: HistogramFigures): HistogramFigures {
  return {
    bounds: now.bounds,
    counts: now.counts.map((count, bucket) => count - (before.counts[bucket] ?? 0)),
    sum: now.sum - before.sum,
  };
}

/**
 * The value below which the part `q` of all lies: as near as the buckets say, which is the upper end of its bucket, and of the last one
 * its lower end. Undefined when nothing was counted.
 */
export function quantile(figures: HistogramFigures, q: number): number | undefined {
  const all = countOf(figures);
  if (all === 0) return undefined;
  let seen = 0;
  for (const [bucket, count] of figures.counts.entries()) {
    seen += count;
    if (seen >= q * all) return figures.bounds[bucket] ?? figures.bounds.at(-1);
  }
  return figures.bounds.at(-1);
}
