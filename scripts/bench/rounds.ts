import type { Lane } from './door-table.ts';
import { cpuMicroseconds, type Figure, median } from './lab.ts';

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

/** Turns per second and, of a process, its processor time for each in microseconds. */
export interface Run {
  readonly rate: number;
  readonly cpu: number;
}

/** Keeps every lane busy for a time. */
export async function runLanes(lanes: readonly Lane[], ms: number, pid: number): Promise<Run> {
  let count = 0;
  const cpuBefore = cpuMicroseconds(pid);
  const start = performance.now();
  const end = start + ms;
  await Promise.all(
    lanes.map(async (lane) => {
      for (; performance.now() < end; count++) await lane.turn();
    }),
  );
  const elapsed = performance.now() - start;
  return { rate: (count / elapsed) * 1_000, cpu: (cpuMicroseconds(pid) - cpuBefore) / count };
}
