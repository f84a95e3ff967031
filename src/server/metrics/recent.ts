import { type HistogramFigures, since } from '../histogram.ts';

/** How much a count has grown lately. */
export interface Recent {
  /** In the last `ms`, an hour at most, or since the beginning when that is nearer. */
  within(ms: number): number;
  stop(): void;
}

/** How often the count is looked at. */
const everyMs = 10_000;
/** How far back can be asked: an hour. */
const kept = 360;

/** Looks at a growing count, which is at `from` now, every now and then. The answer is as fine as ten seconds. */
export function recently(count: () => number, from = count()): Recent {
  /** What it was at each look, the latest last. */
  const looks: number[] = [from];
  const timer = setInterval(() => {
    looks.push(count());
    if (looks.length > kept) looks.shift();
  }, everyMs);
  timer.unref();
  return {
    within(ms) {
      const back = Math.max(1, Math.round(ms / everyMs));
      return count() - (looks.at(-back) ?? looks[0] ?? 0);
    },
    stop: () => clearInterval(timer),
  };
}

/** What a histogram has counted lately. */
export interface RecentHistogram {
  /** In the last five to ten minutes, or since the beginning when that is nearer. */
  read(): HistogramFigures;
  stop(): void;
}

const windowMs = 300_000;

/** Looks at a histogram now and then. */
export function recentOf(histogram: () => HistogramFigures): RecentHistogram {
  let looks = [histogram()];
  const timer = setInterval(() => {
    looks = [...looks, histogram()].slice(-2);
  }, windowMs);
  timer.unref();
  return {
    read() {
      const now = histogram();
      return since(now, looks[0] ?? now);
    },
    stop: () => clearInterval(timer),
  };
}
