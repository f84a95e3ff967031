/** Lets so many go at a time, and of those that name the same subject one, in the order in which they came. */
export interface Turns {
  /** Waits for its turn; answers what ends it. Undefined when it did not come within `ms`. */
  take(subject: string | undefined, ms: number): Promise<(() => void) | undefined>;
  readonly waiting: number;
}

/** Begins with nobody. */
export function turns(atOnce: number): Turns {
  interface Waiting {
    readonly subject: string | undefined;
    readonly begin: () => void;
  }
  const line = new Set<Waiting>();
  const busy = new Set<string>();
  let free = atOnce;

  function next(): void {
    for (const one of line) {
      if (free === 0) return;
      if (one.subject !== undefined && busy.has(one.subject)) continue;
      line.delete(one);
      start(one.subject);
      one.begin();
    }
  }

  function start(subject: string | undefined): void {
    free -= 1;
    if (subject !== undefined) busy.add(subject);
  }

  function ending(subject: string | undefined): () => void {
    return () => {
      free += 1;
      if (subject !== undefined) busy.delete(subject);
      next();
    };
  }

  return {
    get waiting() {
      return line.size;
    },
    async take(subject, ms) {
      if (free > 0 && line.size === 0 && (subject === undefined || !busy.has(subject))) {
        start(subject);
        return ending(subject);
      }
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const waiting: Waiting = { subject, begin: () => resolve(true) };
      line.add(waiting);
      const over = setTimeout(() => {
        line.delete(waiting);
        resolve(false);
      }, ms);
      // Those before it may all wait for a subject.
      next();
      const isMine = await promise;
      clearTimeout(over);
      return isMine ? ending(subject) : undefined;
    },
  };
}
