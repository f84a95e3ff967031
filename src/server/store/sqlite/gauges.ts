import { cellsOf, Histogram } from '../../histogram.ts';
import type { StoreFigures, StoreFileFigures } from '../server-store.ts';

/** The figures of a database that is a file. */
export type EmbeddedFigures = StoreFigures & { readonly file: StoreFileFigures };

const callBounds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096, 8_192];
const secondBounds = [
  0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

const bounds = {
  batchCalls: callBounds,
  batchSeconds: secondBounds,
  commitSeconds: secondBounds,
  syncSeconds: secondBounds,
  checkpointSeconds: secondBounds,
} as const satisfies Record<string, readonly number[]>;
type HistogramName = keyof typeof bounds;
const histogramNames = Object.keys(bounds) as HistogramName[];

const numbers = ['checkpointAt', 'indexLag', 'fullDisk'] as const;
type NumberName = (typeof numbers)[number];

/**
 * What the store's thread counts, in memory that the server's thread reads: nothing is told for it, and nobody waits. A reading may be a
 * step behind in one number and not in another.
 */
export interface StoreGauges extends Readonly<Record<HistogramName, Histogram>> {
  /** Goes to the thread as it is. */
  readonly memory: SharedArrayBuffer;
  set(name: NumberName, value: number): void;
  add(name: NumberName, value: number): void;
  read(queue: number): EmbeddedFigures;
}

const cells = numbers.length + histogramNames.reduce((sum, name) => sum + cellsOf(bounds[name]), 0);

/** The gauges over `memory`, which another thread may share. */
export function storeGauges(
  memory: SharedArrayBuffer = new SharedArrayBuffer(cells * Float64Array.BYTES_PER_ELEMENT),
): StoreGauges {
  const all = new Float64Array(memory);
  let at = numbers.length;
  const histograms = Object.fromEntries(
    histogramNames.map((name) => {
      const size = cellsOf(bounds[name]);
      const histogram = new Histogram(bounds[name], all.subarray(at, at + size));
      at += size;
      return [name, histogram];
    }),
  ) as Record<HistogramName, Histogram>;
  const numberOf = (name: NumberName): number => all[numbers.indexOf(name)] ?? 0;
  return {
    ...histograms,
    memory,
    set(name, value) {
      all[numbers.indexOf(name)] = value;
    },
    add(name, value) {
      all[numbers.indexOf(name)] = numberOf(name) + value;
    },
    read(queue) {
      const checkpointAt = numberOf('checkpointAt');
      return {
        queue,
        batchCalls: histograms.batchCalls.read(),
        batchSeconds: histograms.batchSeconds.read(),
        commitSeconds: histograms.commitSeconds.read(),
        indexLag: numberOf('indexLag'),
        file: {
          syncSeconds: histograms.syncSeconds.read(),
          checkpointSeconds: histograms.checkpointSeconds.read(),
          checkpointAt: checkpointAt === 0 ? undefined : checkpointAt,
          fullDisk: numberOf('fullDisk'),
        },
        remote: undefined,
      };
    },
  };
}
