import { Histogram } from '../../histogram.ts';
import type { StoreFigures } from '../server-store.ts';
import type { AppendMeter } from './appends.ts';
import type { ConnectionFigures } from './connections.ts';

const callBounds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
const secondBounds = [
  0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** What a store on another machine counts of itself. */
export interface RemoteGauges extends AppendMeter {
  /** Which server it is, once it has said. */
  server: string;
  /** Calls that were answered `unavailable`. */
  unavailable: number;
  read(now: {
    readonly pool: ConnectionFigures;
    readonly queue: number;
    readonly waiting: number;
    readonly indexLag: number;
  }): StoreFigures;
}

/** Begins to count. */
export function remoteGauges(): RemoteGauges {
  const batchCalls = new Histogram(callBounds);
  const batchSeconds = new Histogram(secondBounds);
  const commitSeconds = new Histogram(secondBounds);
  let retries = 0;
  return {
    server: '',
    unavailable: 0,
    committed: (seconds) => commitSeconds.observe(seconds),
    retried() {
      retries += 1;
    },
    batch(calls, seconds) {
      batchCalls.observe(calls);
      batchSeconds.observe(seconds);
    },
    read({ pool, queue, waiting, indexLag }) {
      return {
        queue,
        batchCalls: batchCalls.read(),
        batchSeconds: batchSeconds.read(),
        commitSeconds: commitSeconds.read(),
        indexLag,
        file: undefined,
        remote: {
          server: this.server,
          isUp: pool.isUp,
          maxConnections: pool.max,
          connections: pool.open,
          idle: pool.idle,
          waiting,
          retries,
          lost: pool.lost,
          unavailable: this.unavailable,
        },
      };
    },
  };
}
