/** The real one, also where a test has a clock of its own. */
const { setTimeout: later } = globalThis;
/** Turns after which a wait is for another thread or process, which needs the processor more. */
const busyTurns = 50;

/** Lets the event loop turn until `holds`; no wait is for a clock, and a test that never holds runs into its own time limit. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let turns = 0; !(await holds()); turns++) await (turns < busyTurns ? turn() : rest());
}

/** One turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Gives the processor away for a moment. */
function rest(): Promise<void> {
  return new Promise((resolve) => {
    later(resolve, 1);
  });
}
