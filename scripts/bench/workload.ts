import type { Figure } from './figure.ts';

/** How workloads are to run, as the command line says. */
export interface Course {
  /** At least one; ratios of fewer than three say little. */
  readonly rounds: number;
  /** How long one measurement takes; undefined leaves it to the workload. */
  readonly seconds: number | undefined;
  /** A packaged `chat` to measure beside the built one. */
  readonly packaged: string | undefined;
  /** Says what could not be measured here and why, as in `fan-out to 10,000 followers`: it is shown, and kept in the JSON. */
  leaveOut(what: string, why: string): void;
}

/** One workload: measures some rounds in turn with their floors, and answers its figures. What goes wrong is thrown. */
export interface Workload {
  /** As it is called on the command line. */
  readonly name: string;
  /** What is measured, for `--help`. */
  readonly about: string;
  run(course: Course): Promise<Figure[]>;
}
