import type { Lane } from './door-table.ts';
import { cpuMicroseconds } from './processor.ts';

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
