/** A line of `chat tail -o json`, as far as its place goes. */
export interface Delivery {
  readonly to: string;
  readonly seq: number;
  readonly id: string;
}

/**
 * Holds what a reader got, run after run of a durable tail, against what the server has: within a run each conversation goes up
 * by one, a message comes for the first time only after the one before it, and what is repeated is the same message.
 */
export class Deliveries {
  readonly #ids = new Map<string, string[]>();
  #lines = 0;
  #repeats = 0;

  /** How many lines came. */
  get lines(): number {
    return this.#lines;
  }

  /** How many of them had come before: what is dropped by its id. */
  get repeats(): number {
    return this.#repeats;
  }

  /** Takes what one run wrote; answers what is broken in it, one sentence each. */
  take(run: string, deliveries: readonly Delivery[]): string[] {
    const broken: string[] = [];
    const last = new Map<string, number>();
    for (const { to, seq, id } of deliveries) {
      this.#lines += 1;
      const before = last.get(to);
      last.set(to, seq);
      if (before !== undefined && seq !== before + 1)
        broken.push(`${run}: after ${before} of ${to} comes ${seq}`);
      const ids = this.#idsOf(to);
      if (seq === ids.length + 1) {
        ids.push(id);
        continue;
      }
      if (seq > ids.length) {
        broken.push(`${run}: ${to} goes on at ${seq}, and ${ids.length + 1} has never come`);
        // Said once, and not of each that follows.
        for (let missing = ids.length + 1; missing < seq; missing++) ids.push('');
        ids.push(id);
        continue;
      }
      this.#repeats += 1;
      const known = ids[seq - 1];
      if (known !== '' && known !== id) broken.push(`${run}: ${to} ${seq} was ${known} and is ${id}`);
      ids[seq - 1] = id;
    }
    return broken;
  }

  /** Answers what is broken when all that is stored in a conversation should have come. */
  check(to: string, stored: readonly Delivery[]): string[] {
    const ids = this.#idsOf(to);
    const broken: string[] = [];
    for (const { seq, id } of stored) {
      const got = ids[seq - 1];
      if (got === undefined || got === '') broken.push(`${to} ${seq} has never come`);
      else if (got !== id) broken.push(`${to} ${seq} is ${id} and came as ${got}`);
    }
    if (ids.length > stored.length) broken.push(`${to}: ${ids.length} came, and ${stored.length} are stored`);
    return broken;
  }

  #idsOf(to: string): string[] {
    const ids = this.#ids.get(to) ?? [];
    this.#ids.set(to, ids);
    return ids;
  }
}
