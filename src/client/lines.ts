import { isUtf8 } from 'node:buffer';

const newline = 0x0a;

/** Why a stream of bytes is no stream of lines; `start` is what came, for an error text. */
export class BadLine extends Error {
  readonly start: string;

  constructor(message: string, bytes: Uint8Array) {
    super(message);
    this.start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 200)).toString();
  }
}

/**
 * Cuts chunks into lines of UTF-8. All lines of a chunk are decoded in one piece, which no character can
 * straddle: a newline is never part of one.
 */
export class LineCutter {
  /** The beginning of a line whose end has not come yet. */
  #parts: Buffer[] = [];
  #length = 0;

  /** Bytes of a line whose end has not come yet. */
  get pendingBytes(): number {
    return this.#length;
  }

  /** The unfinished line so far, for an error text. */
  get pending(): string {
    return Buffer.concat(this.#parts).toString();
  }

  /** The lines that `chunk` completes, without their ends; throws {@link BadLine} for bytes that are no UTF-8 and for a line above `maxBytes`. */
  push(chunk: Buffer, maxBytes: number): string[] {
    const last = chunk.lastIndexOf(newline);
    if (last < 0) {
      this.#keep(chunk, maxBytes);
      return [];
    }
    const firstEnd = chunk.indexOf(newline);
    if (this.#length + firstEnd > maxBytes) throw this.#tooLong(chunk, maxBytes);
    this.#parts.push(chunk.subarray(0, last));
    const block = this.#parts.length === 1 ? chunk.subarray(0, last) : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#length = 0;
    if (!isUtf8(block)) throw new BadLine('bytes that are no UTF-8', block);
    const lines = block.toString().split('\n');
    if (last + 1 < chunk.length) this.#keep(chunk.subarray(last + 1), maxBytes);
    return lines;
  }

  #keep(part: Buffer, maxBytes: number): void {
    if (this.#length + part.length > maxBytes) throw this.#tooLong(part, maxBytes);
    this.#parts.push(part);
    this.#length += part.length;
  }

  #tooLong(part: Buffer, maxBytes: number): BadLine {
    return new BadLine(`a line of more than ${maxBytes} bytes`, Buffer.concat([...this.#parts, part]));
  }
}
