/** Texts of 100 characters that say who sent them and which of theirs it is. */
const textLength = 100;
const pattern = /~(\d+)\.(\d+)~/;

/** The text of a sender's `n`-th message. */
export function stamped(sender: number, n: number): string {
  return `~${sender}.${n}~`.padEnd(textLength, 'x');
}

/** Who sent the text in a line, and which of theirs it is; throws where there is none. */
export function stampIn(line: string): { sender: number; n: number } {
  const [, sender, n] = pattern.exec(line) ?? [];
  if (sender === undefined) throw new Error(`no message of ours: ${line}`);
  return { sender: Number(sender), n: Number(n) };
}

/** Sees that each sender's messages come once each and in order, from 1. */
export class InOrder {
  readonly #next: number[] = [];

  /** Takes a line; throws when it is not its sender's next one. */
  take(line: string): { sender: number; n: number } {
    const stamp = stampIn(line);
    const expected = this.#next[stamp.sender] ?? 1;
    if (stamp.n !== expected) {
      throw new Error(`message ${stamp.n} of sender ${stamp.sender} came where ${expected} was due`);
    }
    this.#next[stamp.sender] = expected + 1;
    return stamp;
  }
}
