import { checkText } from '../client/check-text.ts';
import { type InputLine, readLines } from './text-input.ts';

/**
 * Lines of input on their way to the server, one pulled at a time, and held from there until they are stored: so it is known at
 * any moment what is not, and somebody else can go on with the rest.
 */
export class LineFeed {
  /** Those that are under way and not stored, in order. */
  readonly held: InputLine[] = [];
  /** Empty lines that were left out. */
  skipped = 0;
  /** The last line that was taken or left out. */
  lastNumber: number;
  /** Why no more lines can be had, when that is not the end of the input. */
  problem: { readonly reason: unknown } | undefined;
  readonly #lines: AsyncIterator<InputLine>;
  #next: Promise<InputLine | undefined> | undefined;

  /** Lines before `from` are not looked at. */
  constructor(bytes: AsyncIterable<Uint8Array>, from: number) {
    this.lastNumber = from - 1;
    this.#lines = readLines(bytes, from)[Symbol.asyncIterator]();
  }

  /** The next line, the same until it is taken, whoever asks; undefined when no more can be had. Never rejects. */
  peek(): Promise<InputLine | undefined> {
    this.#next ??= this.#pull();
    return this.#next;
  }

  /** Takes the line that `peek` answered. */
  take(line: InputLine): void {
    this.#next = undefined;
    this.lastNumber = line.number;
  }

  /** Holds a line that was taken until it is stored. */
  hold(line: InputLine): void {
    this.held.push(line);
  }

  /** The first line that was held is stored. */
  release(): InputLine | undefined {
    return this.held.shift();
  }

  /** The first line that may not be stored. */
  get firstUnstored(): number {
    return this.held[0]?.number ?? this.firstUnread;
  }

  /** The first line that was not taken. */
  get firstUnread(): number {
    return this.lastNumber + 1;
  }

  async #pull(): Promise<InputLine | undefined> {
    try {
      for (;;) {
        const { done, value: line } = await this.#lines.next();
        if (done) return undefined;
        if (line.text !== '') {
          checkText(`line ${line.number}`, line.text);
          return line;
        }
        this.lastNumber = line.number;
        this.skipped += 1;
      }
    } catch (error) {
      this.problem = { reason: error };
      return undefined;
    }
  }
}
