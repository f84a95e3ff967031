/**
 * Gathers work of one event-loop turn: first everything that makes bytes (`encode`), then everything that
 * writes them (`write`), so that a connection gets its answers and its events of a turn in one write.
 */
export interface Turn {
  /** Runs `task` once at the end of this turn, after the tasks that were added before it in its phase. */
  atEnd(phase: 'encode' | 'write', task: () => void): void;
}

/** Builds a turn on `schedule`, which runs a callback when the current events have been handled (`setImmediate`). */
export function createTurn(schedule: (callback: () => void) => void): Turn {
  let encodes: Array<() => void> = [];
  let writes: Array<() => void> = [];
  let isScheduled = false;

  const finish = (): void => {
    isScheduled = false;
    // Encoding may ask for writes; a write never asks for encoding in the same turn.
    const encodeNow = encodes;
    encodes = [];
    for (const task of encodeNow) task();
    const writeNow = writes;
    writes = [];
    for (const task of writeNow) task();
  };

  return {
    atEnd(phase, task) {
      (phase === 'encode' ? encodes : writes).push(task);
      if (!isScheduled) {
        isScheduled = true;
        schedule(finish);
      }
    },
  };
}
