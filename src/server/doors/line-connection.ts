import type { Socket } from 'node:net';
import { ChatError } from '../../core/errors.ts';
import type { EndReason, EventCodec } from '../../core/events.ts';
import type { DoorName } from '../../core/model/session.ts';
import { CallQueue } from '../call-queue.ts';
import { Connection } from '../connection.ts';
import type { Arrival, DoorParts, OpenDoor } from './door.ts';
import { LineReader } from './line-reader.ts';
import { tooSlow } from './refusals.ts';

/** Lines in a row that are no request before the connection is closed: it speaks something else. */
const maxBadLines = 10;

/** What is one door's own; everything else about lines is the same for all of them. */
export interface LineLanguage {
  /** Takes one line, without its end and never empty. */
  takeLine(line: string): void;
  /** Spells what belongs to no request, without a line end. */
  spell(error: ChatError): string;
  /** Bytes have come. */
  onHeard?(): void;
}

/**
 * One connection that speaks in lines of UTF-8: cuts them, waits for what was begun, bounds what is under way, and closes in
 * order. Whole lines are taken as long as calls may begin; otherwise the socket is paused, so that what waits is bounded by
 * one chunk, the call queue, and `maxQueuedBytes` of answers.
 */
export class LineConnection implements OpenDoor {
  readonly socket: Socket;
  readonly connection: Connection;
  readonly #arrival: Arrival;
  readonly #parts: DoorParts;
  readonly #reader: LineReader;
  readonly #queue: CallQueue;
  #language: LineLanguage | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #lineTimer: NodeJS.Timeout | undefined;
  /** Whole lines that wait for room, and where the next one begins. */
  #lines = '';
  #next = 0;
  /** Of the line that is being taken, in UTF-16 units. */
  #lineLength = 0;
  #badLines = 0;
  #lastCallAt = Date.now();
  /** Set when no further line is taken: by the peer's end, a fatal mistake, or a shutdown. */
  #isClosing = false;
  #closesWhenIdle = false;
  #lastWords: string | undefined;
  #idleWaiters: Array<() => void> = [];

  constructor(arrival: Arrival, parts: DoorParts, { door, events }: { door: DoorName; events: EventCodec }) {
    const { id, socket, address, channel } = arrival;
    const { turn, limits, onFailure } = parts;
    this.socket = socket;
    this.#arrival = arrival;
    this.#parts = parts;
    this.connection = new Connection(socket, {
      id,
      door,
      address,
      channel,
      events,
      turn,
      maxQueuedBytes: limits.maxQueuedBytes,
      onFailure,
    });
    this.#reader = new LineReader(limits.maxLineBytes);
    this.#queue = new CallQueue({
      maxInFlight: limits.maxPipelined,
      maxWaiting: limits.maxQueuedBytes,
      mayStart: () => !this.connection.isCongested,
      onEnded: this.#onCallEnded,
      onFailure,
    });
  }

  /** Begins to read, with the bytes that came before the door was chosen. */
  start(language: LineLanguage): void {
    const { bytes, hasEnded } = this.#arrival;
    this.#language = language;
    this.#watchIdle(this.#parts.limits.idleBeforeLoginMs);
    this.connection.onRoom = this.#onRoom;
    this.connection.onGone(() => this.#release());
    if (this.connection.isGone) return;
    this.socket.on('data', this.#onData);
    this.socket.on('end', this.#onEnd);
    this.#onData(bytes);
    if (hasEnded) this.#onEnd();
    else if (!this.#isHeldUp) this.socket.resume();
  }

  /** Queues a line of the door's own words, without its end. */
  say(line: string): void {
    this.connection.pushText(`${line}\n`);
  }

  /** Starts `serve` now or when its turn comes; it answers by itself and never rejects. */
  add(overlaps: boolean, serve: () => Promise<void>): void {
    this.#queue.add(overlaps, this.#lineLength, serve);
  }

  /** Counts a line that was a request. */
  noteCall(): void {
    this.#badLines = 0;
    this.#lastCallAt = Date.now();
  }

  /** Counts a line that was understood and is no call. */
  noteLine(): void {
    this.#badLines = 0;
  }

  /** Counts a line that was no request; after ten in a row the connection closes. */
  noteBadLine(): void {
    this.#badLines += 1;
    if (this.#badLines >= maxBadLines) this.closeAfterCalls();
  }

  /** What may be shown of what a call threw. */
  safe(error: unknown): ChatError {
    if (error instanceof ChatError) return error;
    const errorId = this.#parts.onFailure(error);
    return new ChatError('internal', `something went wrong on the server (${errorId})`, { errorId });
  }

  /** One connection's exception must never end the process (ASVS 16.5.4): each entry from the outside is guarded. */
  guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#parts.onFailure(error);
      this.connection.destroy();
    }
  }

  /** Takes no further line, and closes with `lastWords` when the calls under way have been answered. */
  closeAfterCalls(lastWords?: string): void {
    this.#isClosing = true;
    this.#closesWhenIdle = true;
    this.#lastWords ??= lastWords;
    this.#dropLines();
    this.#stopWaiting();
    this.socket.pause();
  }

  quiesce(): Promise<void> {
    this.#isClosing = true;
    this.socket.pause();
    this.#dropLines();
    if (this.#queue.isIdle || this.connection.isGone) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  end(reason: EndReason): void {
    this.connection.end(reason);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.guard(() => {
      this.#language?.onHeard?.();
      if (this.#isClosing || chunk.length === 0) return;
      const text = this.#reader.feed(chunk);
      if (text !== '') {
        this.#lines = this.#next < this.#lines.length ? this.#lines.slice(this.#next) + text : text;
        this.#next = 0;
      }
      this.#watchStartedLine(text !== '');
      this.#takeLines();
    });
  };

  readonly #onEnd = (): void => {
    this.guard(() => {
      if (this.#isClosing) return;
      const text = this.#reader.end();
      if (text !== '') {
        this.#lines = this.#lines.slice(this.#next) + text;
        this.#next = 0;
      }
      this.#closesWhenIdle = true;
      this.#watchStartedLine(true);
      this.#takeLines();
    });
  };

  readonly #onRoom = (): void => {
    this.#queue.advance();
    this.#takeLines();
  };

  readonly #onCallEnded = (): void => {
    this.guard(() => {
      if (this.#queue.isIdle && this.#idleWaiters.length > 0) {
        const waiters = this.#idleWaiters;
        this.#idleWaiters = [];
        for (const resolve of waiters) resolve();
      }
      this.#takeLines();
    });
  };

  get #isHeldUp(): boolean {
    return this.#queue.isFull || this.connection.isCongested;
  }

  /** Takes the lines at hand while there is room; then reads on, waits for room, or closes when that was all. */
  #takeLines(): void {
    while (this.#next < this.#lines.length && !this.connection.isGone) {
      if (this.#isHeldUp) {
        this.socket.pause();
        return;
      }
      const end = this.#lines.indexOf('\n', this.#next);
      const line = this.#lines.slice(this.#next, end < 0 ? undefined : end);
      this.#next = end < 0 ? this.#lines.length : end + 1;
      const text = line.endsWith('\r') ? line.slice(0, -1) : line;
      this.#lineLength = text.length;
      if (text !== '') this.#language?.takeLine(text);
    }
    if (this.connection.isGone) return;
    if (this.#lines !== '') this.#dropLines();
    const { failure } = this.#reader;
    if (failure && !this.#isClosing) this.closeAfterCalls(this.#language?.spell(failure));
    if (this.#closesWhenIdle) {
      if (this.#queue.isIdle) this.#close();
    } else if (!this.#isClosing) {
      if (this.#isHeldUp) this.socket.pause();
      else if (this.socket.isPaused()) this.socket.resume();
    }
  }

  #close(): void {
    if (this.#lastWords !== undefined) this.say(this.#lastWords);
    this.connection.close();
  }

  #dropLines(): void {
    this.#lines = '';
    this.#next = 0;
  }

  // Waits.

  #watchStartedLine(hasFinishedOne: boolean): void {
    if (this.#lineTimer && (hasFinishedOne || !this.#reader.isInLine)) {
      clearTimeout(this.#lineTimer);
      this.#lineTimer = undefined;
    }
    if (!this.#reader.isInLine || this.#lineTimer) return;
    const { startedLineMs, startedLineAfterLoginMs } = this.#parts.limits;
    const ms = this.connection.session ? startedLineAfterLoginMs : startedLineMs;
    if (ms === 0) return;
    this.#lineTimer = setTimeout(() => this.#giveUp('a line was not finished', ms), ms);
  }

  #watchIdle(ms: number): void {
    const { idleBeforeLoginMs } = this.#parts.limits;
    if (idleBeforeLoginMs === 0) return;
    this.#idleTimer = setTimeout(() => {
      // A clock that was set back by hours must not make anybody wait for it to come round.
      this.#lastCallAt = Math.min(this.#lastCallAt, Date.now());
      const left = this.connection.session
        ? idleBeforeLoginMs
        : this.#lastCallAt + idleBeforeLoginMs - Date.now();
      if (left > 0) this.#watchIdle(left);
      else this.#giveUp('there was no call and no login', idleBeforeLoginMs);
    }, ms);
  }

  #giveUp(what: string, ms: number): void {
    this.guard(() => {
      this.closeAfterCalls(this.#language?.spell(tooSlow(what, ms)));
      if (this.#queue.isIdle) this.#close();
    });
  }

  #stopWaiting(): void {
    clearTimeout(this.#lineTimer);
    clearTimeout(this.#idleTimer);
    this.#lineTimer = undefined;
  }

  /** The connection is gone: nothing of it stays behind. */
  #release(): void {
    this.#stopWaiting();
    this.#isClosing = true;
    this.#dropLines();
    this.#queue.clear();
    this.socket.off('data', this.#onData);
    this.socket.off('end', this.#onEnd);
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const resolve of waiters) resolve();
  }
}
