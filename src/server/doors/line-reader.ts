import { isUtf8 } from 'node:buffer';
import { ChatError } from '../../core/errors.ts';
import { ByteBuffer } from '../byte-buffer.ts';

const newline = 0x0a;

/**
 * Cuts a byte stream into lines of strict UTF-8. All whole lines of a chunk are checked and decoded at once;
 * an unfinished one waits in a buffer that never holds more than `maxLineBytes` (0 for any length) and one chunk.
 */
export class LineReader {
  readonly #maxLineBytes: number;
  #started: ByteBuffer | undefined;
  #failure: ChatError | undefined;

  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  /** True between the first byte of a line and its end. */
  get isInLine(): boolean {
    return this.#started !== undefined;
  }

  /** What is wrong with the line after those that `feed` has answered; nothing is read after it. */
  get failure(): ChatError | undefined {
    return this.#failure;
  }

  /** The whole lines that `chunk` finishes, each with its `\n`; empty when there is none. */
  feed(chunk: Buffer): string {
    if (this.#failure) return '';
    const end = chunk.lastIndexOf(newline) + 1;
    if (end === 0) {
      this.#begin(chunk);
      return '';
    }
    const lines = this.#whole(end === chunk.length ? chunk : chunk.subarray(0, end));
    const text = this.#fits(lines) ? lines.toString('utf8') : this.#oneByOne(lines);
    if (end < chunk.length) this.#begin(chunk.subarray(end));
    return text;
  }

  /** The stream has ended: what is left counts as a line. */
  end(): string {
    if (!this.#started || this.#failure) return '';
    const line = this.#started.take();
    this.#started = undefined;
    if (isUtf8(line)) return line.toString('utf8');
    this.#failure = notUtf8();
    return '';
  }

  #whole(bytes: Buffer): Buffer {
    if (!this.#started) return bytes;
    this.#started.append(bytes);
    const whole = this.#started.take();
    this.#started = undefined;
    return whole;
  }

  #begin(bytes: Buffer): void {
    if (this.#failure) return;
    const length = (this.#started?.length ?? 0) + bytes.length;
    if (this.#isTooLong(length)) {
      this.#failure = this.#tooLarge();
      this.#started = undefined;
      return;
    }
    this.#started ??= new ByteBuffer();
    this.#started.append(bytes);
  }

  /** A cheap look that is nearly always enough: no line is longer than all lines together. */
  #fits(lines: Buffer): boolean {
    return !this.#isTooLong(lines.length - 1) && isUtf8(lines);
  }

  /** Something is wrong in one of these lines: answers those before it. */
  #oneByOne(lines: Buffer): string {
    let start = 0;
    while (start < lines.length) {
      const end = lines.indexOf(newline, start);
      const line = lines.subarray(start, end);
      if (this.#isTooLong(line.length)) this.#failure = this.#tooLarge();
      else if (!isUtf8(line)) this.#failure = notUtf8();
      if (this.#failure) break;
      start = end + 1;
    }
    return lines.toString('utf8', 0, start);
  }

  #isTooLong(length: number): boolean {
    return this.#maxLineBytes !== 0 && length > this.#maxLineBytes;
  }

  #tooLarge(): ChatError {
    return new ChatError('too-large', `a line has at most ${this.#maxLineBytes} bytes`);
  }
}

function notUtf8(): ChatError {
  return new ChatError('invalid', 'the line is not UTF-8');
}
