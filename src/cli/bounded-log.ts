/** Takes one line of a log. */
export type BoundedLog = (line: string) => void;

/** What may wait for a reader of stderr who does not read, in characters. */
const maxWaiting = 1_048_576;

/**
 * A log that waits for nobody: what its reader does not take is kept up to a bound, and beyond it counted. How many lines were left out
 * is the first thing that the reader is told when it takes lines again; `spellLost` makes that line, or none.
 */
export function boundedLog(
  write: (line: string) => Promise<void>,
  spellLost: (count: number) => string | undefined,
): BoundedLog {
  let waiting = 0;
  let lost = 0;

  function log(line: string): void {
    if (waiting > maxWaiting) {
      lost += 1;
      return;
    }
    waiting += line.length;
    void write(line).then(() => {
      waiting -= line.length;
      if (lost === 0 || waiting > maxWaiting / 2) return;
      const told = spellLost(lost);
      lost = 0;
      if (told !== undefined) log(told);
    });
  }

  return log;
}
