/** Milliseconds of a clock that all processes of a machine have in common, and nobody sets. */
export function clockMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
