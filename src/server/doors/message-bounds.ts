const continuation = 0;
const lastDataOpcode = 7;

/**
 * Follows where messages begin and end in what a WebSocket client sends (RFC 6455 section 5.2), without a look at what is in
 * them or whether it is right: only to know whether one was begun and has not come to its end.
 */
export class MessageBounds {
  /** Of the frame that is being read: its header as far as it came, and how much of its payload is to come. */
  #header: number[] = [];
  #payloadLeft = 0;
  #isFragmented = false;

  /** True between the first byte of a frame that is no whole one yet, or of a message's fragment, and the end of that. */
  get isInMessage(): boolean {
    return this.#isFragmented || this.#header.length > 0 || this.#payloadLeft > 0;
  }

  feed(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#payloadLeft > 0) {
        const taken = Math.min(this.#payloadLeft, chunk.length - at);
        this.#payloadLeft -= taken;
        at += taken;
      } else {
        this.#header.push(chunk[at] ?? 0);
        at += 1;
        this.#readHeader();
      }
    }
  }

  #readHeader(): void {
    const [first = 0, second] = this.#header;
    if (second === undefined) return;
    const short = second & 0x7f;
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
    const maskBytes = (second & 0x80) === 0 ? 0 : 4;
    if (this.#header.length < 2 + lengthBytes + maskBytes) return;
    const length = this.#header.slice(2, 2 + lengthBytes).reduce((sum, byte) => sum * 256 + byte, 0);
    this.#payloadLeft = lengthBytes === 0 ? short : length;
    this.#header = [];
    const opcode = first & 0x0f;
    // A control frame may stand between the fragments of a message.
    if (opcode > lastDataOpcode) return;
    const isFinal = (first & 0x80) !== 0;
    this.#isFragmented = isFinal ? false : this.#isFragmented || opcode !== continuation;
  }
}
