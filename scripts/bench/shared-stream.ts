const segmentBytes = 1 << 20;

/** The server's ping as it stands in a stream of lines: each follower gets its own, between any two others. */
const pings = /\{"jsonrpc":"2\.0","id":("ping-\d+"),"method":"ping","params":\{\}\}\n/g;
const newLine = 10;

/**
 * The stream of lines that all followers of a room get: kept and read once, when the first of them has it. What another gets is
 * compared with it byte for byte, which costs a generator less than to look for the ends of its lines, and shows more: who has
 * the whole stream got every line once, in order.
 */
export class SharedStream {
  readonly #read: (line: string) => void;
  readonly #followers: StreamFollower[] = [];
  /** From `#dropped` segments on. */
  readonly #segments: Buffer[] = [];
  #dropped = 0;
  #length = 0;
  /** Where each line ends. */
  readonly #ends: number[] = [];

  /** `read` gets each line once, without its end, and throws what is wrong with it. */
  constructor(read: (line: string) => void) {
    this.#read = read;
  }

  get length(): number {
    return this.#length;
  }

  get lines(): number {
    return this.#ends.length;
  }

  /** One more who gets the stream from its beginning. */
  follower(): StreamFollower {
    const follower = new StreamFollower(this);
    this.#followers.push(follower);
    return follower;
  }

  /** Where a line ends, from 0; infinitely far for one that nobody has. */
  endOf(line: number): number {
    return this.#ends[line] ?? Infinity;
  }

  /** Whether `length` bytes from `start` on are the stream's at `offset`; they must not reach beyond its end. */
  matches(offset: number, bytes: Buffer, start: number, length: number): boolean {
    for (let at = 0; at < length; ) {
      const from = (offset + at) % segmentBytes;
      const size = Math.min(length - at, segmentBytes - from);
      const segment = this.#segments[Math.floor((offset + at) / segmentBytes) - this.#dropped];
      if (!segment) throw new Error('a follower came back to what all have had');
      if (bytes.compare(segment, from, from + size, start + at, start + at + size) !== 0) return false;
      at += size;
    }
    return true;
  }

  /** Puts whole lines at its end. */
  append(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      const from = this.#length % segmentBytes;
      if (from === 0) this.#addSegment();
      const copied = bytes.copy(this.#segments.at(-1) ?? bytes, from, at);
      at += copied;
      this.#length += copied;
    }
    const begin = this.#length - bytes.length;
    let start = 0;
    for (let end = bytes.indexOf(newLine); end >= 0; end = bytes.indexOf(newLine, start)) {
      this.#ends.push(begin + end + 1);
      this.#read(bytes.toString('latin1', start, end));
      start = end + 1;
    }
  }

  #addSegment(): void {
    const slowest = Math.min(...this.#followers.map(({ offset }) => offset));
    const needed = Math.floor(slowest / segmentBytes);
    this.#segments.splice(0, needed - this.#dropped);
    this.#dropped = needed;
    this.#segments.push(Buffer.allocUnsafeSlow(segmentBytes));
  }
}

/** One who gets the shared stream, cut anywhere, with pings of its own between the lines. */
export class StreamFollower {
  readonly #stream: SharedStream;
  #offset = 0;
  #lines = 0;
  /** The beginning of a line that may be a ping. */
  #held: Buffer | undefined;

  constructor(stream: SharedStream) {
    this.#stream = stream;
  }

  /** How much of the stream it has, in bytes. */
  get offset(): number {
    return this.#offset;
  }

  /** How many whole lines of the stream it has. */
  get lines(): number {
    return this.#lines;
  }

  /**
   * Takes the first `length` bytes of what came; answers what the pings among them are to be answered, empty for none. Throws when it
   * is not what the others got.
   */
  take(bytes: Buffer, length: number): string {
    let answers = '';
    if (this.#held || !this.#takeKnown(bytes, length)) answers = this.#takeNew(bytes.subarray(0, length));
    if (this.#offset === this.#stream.length) this.#lines = this.#stream.lines;
    while (this.#stream.endOf(this.#lines) <= this.#offset) this.#lines += 1;
    return answers;
  }

  /** What others have had already: all that most followers ever get. */
  #takeKnown(bytes: Buffer, length: number): boolean {
    if (this.#offset + length > this.#stream.length) return false;
    if (!this.#stream.matches(this.#offset, bytes, 0, length)) return false;
    this.#offset += length;
    return true;
  }

  /** What goes beyond what others have had, or has a ping in it. */
  #takeNew(bytes: Buffer): string {
    const all = this.#held ? Buffer.concat([this.#held, bytes]) : bytes;
    const text = all.toString('latin1');
    let answers = '';
    const rest = text.replace(pings, (_ping, id) => {
      answers += `{"jsonrpc":"2.0","id":${id},"result":{}}\n`;
      return '';
    });
    const whole = Buffer.from(rest.slice(0, rest.lastIndexOf('\n') + 1), 'latin1');
    this.#held = whole.length < rest.length ? Buffer.from(rest.slice(whole.length), 'latin1') : undefined;
    const known = Math.min(this.#stream.length - this.#offset, whole.length);
    if (!this.#stream.matches(this.#offset, whole, 0, known)) {
      throw new Error(`a follower got what others did not: ${rest.slice(0, 300)}`);
    }
    if (known < whole.length) this.#stream.append(whole.subarray(known));
    this.#offset += whole.length;
    return answers;
  }
}
