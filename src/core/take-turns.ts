/** Lets a few at a time work under one key; who comes when it is full waits for its turn. */
export interface Turns {
  /** Runs `work` when its turn comes, in the order of the calls. Answers undefined, with nothing run, when too many wait already. */
  take<T>(key: string, work: () => Promise<T>): Promise<T> | undefined;
}

interface Line {
  underway: number;
  readonly waiting: (() => void)[];
}

/** Builds turns of which `atOnce` are taken at a time under a key, and `mostWaiting` waited for. */
export function createTurns({
  atOnce,
  mostWaiting,
}: {
  readonly atOnce: number;
  readonly mostWaiting: number;
}): Turns {
  const lines = new Map<string, Line>();

  function end(key: string, line: Line): void {
    const next = line.waiting.shift();
    // The turn passes on as it is: nobody who comes now is before the one who waited.
    if (next) next();
    else if (--line.underway === 0) lines.delete(key);
  }

  async function run<T>(key: string, line: Line, turn: Promise<void> | undefined, work: () => Promise<T>) {
    await turn;
    try {
      return await work();
    } finally {
      end(key, line);
    }
  }

  return {
    take(key, work) {
      const line = lines.get(key) ?? { underway: 0, waiting: [] };
      lines.set(key, line);
      if (line.underway < atOnce) {
        line.underway += 1;
        return run(key, line, undefined, work);
      }
      if (line.waiting.length >= mostWaiting) return undefined;
      return run(key, line, new Promise((resolve) => line.waiting.push(resolve)), work);
    },
  };
}
