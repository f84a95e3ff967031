import type { ErrorCode } from '../../core/errors.ts';
import { Histogram, type HistogramFigures } from '../histogram.ts';

/** Calls of one operation: how many came out how, and how long all of them took, in seconds. */
export interface CallFigures {
  /** The operation's name; `unknown` for all that there are not. */
  readonly operation: string;
  readonly outcomes: ReadonlyMap<'ok' | ErrorCode, number>;
  readonly seconds: HistogramFigures;
}

/** Counts calls by operation and outcome. */
export interface CallTable {
  count(operation: string | undefined, outcome: 'ok' | ErrorCode, ms: number): void;
  read(): CallFigures[];
}

/** From a look into memory to a backup of a large database. */
const secondBounds = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

interface Row {
  readonly outcomes: Map<'ok' | ErrorCode, number>;
  readonly seconds: Histogram;
  /** By far the most frequent, and so no question to a map. */
  ok: number;
}

/** Builds the table; it grows with the operations that there are, and never with what a stranger sends. */
export function createCallTable(): CallTable {
  const rows = new Map<string, Row>();
  return {
    count(operation = 'unknown', outcome, ms) {
      let row = rows.get(operation);
      if (!row) {
        row = { outcomes: new Map(), seconds: new Histogram(secondBounds), ok: 0 };
        rows.set(operation, row);
      }
      if (outcome === 'ok') row.ok += 1;
      else row.outcomes.set(outcome, (row.outcomes.get(outcome) ?? 0) + 1);
      row.seconds.observe(ms / 1_000);
    },
    read: () =>
      [...rows].map(([operation, { ok, outcomes, seconds }]) => ({
        operation,
        outcomes: new Map<'ok' | ErrorCode, number>(ok > 0 ? [['ok', ok], ...outcomes] : outcomes),
        seconds: seconds.read(),
      })),
  };
}
