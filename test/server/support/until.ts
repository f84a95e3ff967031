/** Lets the event loop turn until `holds`; nothing waits for a clock, and a test that never holds runs into its own time limit. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn();
}

/** One turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
