import type { Store } from '../../core/ports/store.ts';
import type { HistogramFigures } from '../histogram.ts';

/** The store that a server runs on, wherever its database is. */
export interface ServerStore extends Store {
  /** How it is doing, at this moment. */
  figures(): StoreFigures;
  /**
   * Runs `work` while the database's file holds all that was answered before, and does not change: it may be copied. Everything
   * is served meanwhile. One at a time, in order; `work` must end soon after the store is asked to close, which waits for it.
   * Only a store has it whose database is one file on this machine.
   */
  readonly whileStill?: <Result>(work: () => Promise<Result>) => Promise<Result>;
}

/** How a store is doing. Times in seconds. */
export interface StoreFigures {
  /** Calls that were made and are not answered yet. */
  readonly queue: number;
  /** Calls that were run together. */
  readonly batchCalls: HistogramFigures;
  /** What a batch took, with its commit if it had one. */
  readonly batchSeconds: HistogramFigures;
  /** What a commit took, with the sync that it waits for, and with the checkpoint if one was due. */
  readonly commitSeconds: HistogramFigures;
  /** Messages that the index of words has not got yet. */
  readonly indexLag: number;
  /** Undefined where the database is on another machine. */
  readonly file: StoreFileFigures | undefined;
  /** Undefined where the database is a file. */
  readonly remote: RemoteStoreFigures | undefined;
}

/** How the file of an embedded database is doing. Times in seconds. */
export interface StoreFileFigures {
  /** What the disk took for each sync. */
  readonly syncSeconds: HistogramFigures;
  /** What bringing the log into the database's file took. */
  readonly checkpointSeconds: HistogramFigures;
  /** When that was last, UTC milliseconds; undefined when it was not since the start. */
  readonly checkpointAt: number | undefined;
  /** Writes that found the disk full. */
  readonly fullDisk: number;
}

/** How the connections to a database elsewhere are doing; what is counted is counted since the start. */
export interface RemoteStoreFigures {
  /** Which server it is, like `PostgreSQL 15.14`; empty while it has not said. */
  readonly server: string;
  /** False from a connection lost or refused until the next one that is made. */
  readonly isUp: boolean;
  /** Connections that may be open, are open, and are of those not in use. */
  readonly maxConnections: number;
  readonly connections: number;
  readonly idle: number;
  /** Transactions that wait for a connection. */
  readonly waiting: number;
  /** Transactions that were run again because of others at the same time. */
  readonly retries: number;
  /** Connections that broke while they were open. */
  readonly lost: number;
  /** Calls that were answered `unavailable`. */
  readonly unavailable: number;
}
