import { availableParallelism, cpus, release, type as system, totalmem } from 'node:os';
import type { Figure } from './figure.ts';

/** What a run is kept as, by `--json`. */
export interface Report {
  readonly machine: Machine;
  readonly rounds: number;
  /** Undefined where each workload took its own. */
  readonly seconds?: number | undefined;
  readonly workloads: readonly Outcome[];
}

/** What the figures depend on. */
export interface Machine {
  readonly cores: number;
  readonly processor: string;
  readonly memoryBytes: number;
  readonly node: string;
  readonly kernel: string;
  /** When the run began, in ISO 8601. */
  readonly date: string;
}

/** One workload of a run. */
export interface Outcome {
  readonly name: string;
  readonly figures: readonly Figure[];
  /** What could not be measured on this machine, and why. */
  readonly leftOut: ReadonlyArray<{ readonly what: string; readonly why: string }>;
  /** Why it did not come to an end. */
  readonly failed?: string;
}

/** The machine that this runs on. */
export function thisMachine(): Machine {
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model ?? 'unknown',
    memoryBytes: totalmem(),
    node: process.version,
    kernel: `${system()} ${release()}`,
    date: new Date().toISOString(),
  };
}
