import { CallConnection, type CallConnectionParts, type Language } from './call-connection.ts';
import type { Arrival, DoorParts } from './door.ts';
import { LineReader } from './line-reader.ts';
import { tooSlow } from './refusals.ts';

/** One connection that speaks in lines of UTF-8: cuts them, and waits for what was begun. */
export class LineConnection extends CallConnection {
  /** Called when bytes have come. */
  onHeard: (() => void) | undefined = undefined;
  readonly #arrival: Arrival;
  readonly #reader: LineReader;
  /** Whole lines that wait for room, and where the next one begins. */
  #lines = '';
  #next = 0;

  constructor(arrival: Arrival, parts: DoorParts, own: CallConnectionParts) {
    super(arrival, parts, own);
    this.#arrival = arrival;
    this.#reader = new LineReader(parts.limits.maxLineBytes);
  }

  /** Begins to read, with the bytes that came before the door was chosen. */
  start(language: Language): void {
    const { bytes, hasEnded } = this.#arrival;
    this.language = language;
    this.watch();
    if (this.connection.isGone) return;
    this.socket.on('data', this.#onData);
    this.socket.on('end', this.#onEnd);
    this.#onData(bytes);
    if (hasEnded) this.#onEnd();
    else if (!this.isHeldUp) this.socket.resume();
  }

  /** Queues a line, without its end. */
  say(line: string): void {
    this.connection.pushText(`${line}\n`);
  }

  /** Takes no further line, and closes when the calls under way have been answered. */
  close(lastWords?: string): void {
    this.closeAfterCalls(this.#goodbye(lastWords));
  }

  protected closeSpeakingOtherwise(): void {
    this.close();
  }

  protected closeTooSlow(what: string, ms: number): void {
    this.close(this.language?.spell(tooSlow(what, ms)));
  }

  protected next(): string | undefined {
    while (this.#next < this.#lines.length) {
      const end = this.#lines.indexOf('\n', this.#next);
      const line = this.#lines.slice(this.#next, end < 0 ? undefined : end);
      this.#next = end < 0 ? this.#lines.length : end + 1;
      const text = line.endsWith('\r') ? line.slice(0, -1) : line;
      if (text !== '') return text;
    }
    return undefined;
  }

  protected forget(): void {
    if (this.#lines === '') return;
    this.#lines = '';
    this.#next = 0;
  }

  protected stopReading(): void {
    this.socket.pause();
  }

  protected readOn(): void {
    if (this.socket.isPaused()) this.socket.resume();
  }

  protected override onAllTaken(): void {
    this.forget();
    const { failure } = this.#reader;
    if (failure && !this.isClosing) this.close(this.language?.spell(failure));
  }

  protected override release(): void {
    super.release();
    this.socket.off('data', this.#onData);
    this.socket.off('end', this.#onEnd);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.guard(() => {
      this.onHeard?.();
      if (this.isClosing || chunk.length === 0) return;
      const text = this.#reader.feed(chunk);
      if (text !== '') this.#addLines(text);
      this.#watchStartedLine(text !== '');
      this.takeTexts();
    });
  };

  readonly #onEnd = (): void => {
    this.guard(() => {
      if (this.isClosing) return;
      const text = this.#reader.end();
      if (text !== '') this.#addLines(text);
      this.stopWatchingText();
      const { failure } = this.#reader;
      this.closeAfterAll(this.#goodbye(failure && this.language?.spell(failure)));
    });
  };

  #addLines(text: string): void {
    this.#lines = this.#next < this.#lines.length ? this.#lines.slice(this.#next) + text : text;
    this.#next = 0;
  }

  #goodbye(lastWords?: string): () => void {
    return () => {
      if (lastWords !== undefined) this.say(lastWords);
      this.connection.close();
    };
  }

  #watchStartedLine(hasFinishedOne: boolean): void {
    if (hasFinishedOne || !this.#reader.isInLine) this.stopWatchingText();
    if (this.#reader.isInLine) this.watchStartedText('a line was not finished');
  }
}
