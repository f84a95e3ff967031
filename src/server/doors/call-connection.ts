import type { Socket } from 'node:net';
import { ChatError } from '../../core/errors.ts';
import type { EndReason, EventCodec } from '../../core/events.ts';
import type { DoorName } from '../../core/model/session.ts';
import { CallQueue } from '../call-queue.ts';
import { Connection } from '../connection.ts';
import { lingerAndClose } from '../linger.ts';
import type { Arrival, DoorParts, OpenDoor } from './door.ts';

/** Texts in a row that are no request before the connection is closed: it speaks something else. */
const maxBadTexts = 10;
/** Texts of one connection that are taken in one turn of the event loop: who sends thousands at once waits for everybody else, not they for it. */
const maxTextsPerTurn = 64;

/** What is one door's own; everything else about texts is the same for all of them. */
export interface Language {
  /** Takes one text: a line without its end and never empty, or a message. */
  take(text: string): void;
  /** Spells what belongs to no request. */
  spell(error: ChatError): string;
}

/** What a kind of connection adds to what every one of them has. */
export interface CallConnectionParts {
  readonly door: DoorName;
  readonly events: EventCodec;
}

/**
 * One connection whose peer calls in texts, one after the other: bounds what is under way, gives up on who does not call
 * before login, and closes in order. Texts are taken as long as calls may begin; otherwise nothing is read, so that what
 * waits is bounded by what was read at once, the call queue, and `maxQueuedBytes` of answers.
 */
export abstract class CallConnection implements OpenDoor {
  readonly socket: Socket;
  readonly connection: Connection;
  protected readonly parts: DoorParts;
  protected language: Language | undefined;
  /** Set when no further text is taken: by a mistake of the peer, or a shutdown. */
  protected isClosing = false;
  readonly #queue: CallQueue;
  #idleTimer: NodeJS.Timeout | undefined;
  #textTimer: NodeJS.Timeout | undefined;
  /** Of the text that is being taken, in UTF-16 units. */
  #textLength = 0;
  #badTexts = 0;
  /** Set when it is everybody else's turn. */
  #isGivingWay = false;
  #lastCallAt = Date.now();
  /** Set when the connection closes as soon as its calls have been answered: says the last words. */
  #farewell: (() => void) | undefined;
  #idleWaiters: Array<() => void> = [];

  constructor(arrival: Arrival, parts: DoorParts, { door, events }: CallConnectionParts) {
    const { id, socket, address, channel } = arrival;
    const { turn, limits, onFailure } = parts;
    this.socket = socket;
    this.parts = parts;
    this.connection = new Connection(socket, {
      id,
      door,
      address,
      channel,
      events,
      turn,
      maxQueuedBytes: limits.maxQueuedBytes,
      takingMs: limits.startedLineAfterLoginMs,
      onFailure,
      hangUp: (reason) => this.hangUp(reason),
    });
    this.#queue = new CallQueue({
      maxInFlight: limits.maxPipelined,
      maxWaiting: limits.maxQueuedBytes,
      mayStart: () => !this.connection.isCongested,
      onEnded: this.#onCallEnded,
      onFailure,
    });
  }

  get door(): DoorName {
    return this.connection.door;
  }

  get queuedBytes(): number {
    return this.connection.queuedBytes;
  }

  /** Queues a text of the door's own words. */
  abstract say(text: string): void;

  /** Takes the next text at hand; undefined when there is none. */
  protected abstract next(): string | undefined;
  /** Forgets the texts at hand. */
  protected abstract forget(): void;
  protected abstract stopReading(): void;
  protected abstract readOn(): void;

  /** Starts `serve` now or when its turn comes; it answers by itself and never rejects. */
  add(overlaps: boolean, serve: () => Promise<void>): void {
    this.#queue.add(overlaps, this.#textLength, serve);
  }

  /** Counts a text that was a request. */
  noteCall(): void {
    this.#badTexts = 0;
    this.#lastCallAt = Date.now();
  }

  /** Counts a text that was understood and is no call. */
  noteUnderstood(): void {
    this.#badTexts = 0;
  }

  /** Counts a text that was no request; after ten in a row the connection closes. */
  noteBad(): void {
    this.#badTexts += 1;
    if (this.#badTexts >= maxBadTexts) this.closeSpeakingOtherwise();
  }

  /** What may be shown of what a call threw. */
  safe(error: unknown): ChatError {
    if (error instanceof ChatError) return error;
    const errorId = this.parts.onFailure(error);
    return new ChatError('internal', `something went wrong on the server (${errorId})`, { errorId });
  }

  /** One connection's exception must never end the process (ASVS 16.5.4): each entry from the outside is guarded. */
  guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.parts.onFailure(error);
      this.connection.destroy();
    }
  }

  quiesce(): Promise<void> {
    this.isClosing = true;
    this.stopReading();
    this.forget();
    if (this.#queue.isIdle || this.connection.isGone) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  end(reason: EndReason): void {
    this.connection.end(reason);
  }

  /** Closes the socket after what was written to it, for a `reason` when the connection was ended. */
  protected hangUp(_reason: EndReason | undefined): void {
    lingerAndClose(this.socket);
  }

  /** Says goodbye to a peer that speaks something else. */
  protected abstract closeSpeakingOtherwise(): void;
  /** Says goodbye to a peer that let a wait pass. */
  protected abstract closeTooSlow(what: string, ms: number): void;

  /** Begins to wait; to be called once, when texts may come. */
  protected watch(): void {
    this.#watchIdle(this.parts.limits.idleBeforeLoginMs);
    this.connection.onRoom = this.#onRoom;
    this.connection.onGone(() => this.release());
  }

  protected get isHeldUp(): boolean {
    return this.#queue.isFull || this.connection.isCongested;
  }

  /** Takes what is at hand, and closes with `farewell` when that and what is under way has been answered. */
  protected closeAfterAll(farewell: () => void): void {
    this.#farewell ??= farewell;
    this.takeTexts();
  }

  /** Takes no further text, and closes with `farewell` when the calls under way have been answered. */
  protected closeAfterCalls(farewell: () => void): void {
    this.isClosing = true;
    this.#farewell ??= farewell;
    this.forget();
    this.#stopWaiting();
    this.stopReading();
  }

  /** Takes the texts at hand while there is room; then reads on, waits for room or for its turn, or closes when that was all. */
  protected takeTexts(): void {
    if (this.#isGivingWay) return;
    for (let taken = 0; !this.connection.isGone; taken++) {
      if (this.isHeldUp) {
        this.stopReading();
        return;
      }
      if (taken === maxTextsPerTurn) {
        this.#giveWay();
        return;
      }
      const text = this.next();
      if (text === undefined) break;
      this.#textLength = text.length;
      this.language?.take(text);
    }
    if (this.connection.isGone) return;
    this.onAllTaken();
    if (this.#farewell) {
      if (this.#queue.isIdle) this.#farewell();
    } else if (!this.isClosing) {
      if (this.isHeldUp) this.stopReading();
      else this.readOn();
    }
  }

  #giveWay(): void {
    this.#isGivingWay = true;
    this.stopReading();
    setImmediate(this.#onTurn);
  }

  readonly #onTurn = (): void => {
    this.#isGivingWay = false;
    this.guard(() => this.takeTexts());
  };

  /** Called each time that no text is at hand any more. */
  protected onAllTaken(): void {}

  /** Closes at once if no call is under way. */
  protected closeIfIdle(): void {
    if (this.#queue.isIdle && !this.connection.isGone) this.#farewell?.();
  }

  /** Waits for the rest of a text that was begun, unless it is waited for already. */
  protected watchStartedText(what: string): void {
    if (this.#textTimer) return;
    const { startedLineMs, startedLineAfterLoginMs } = this.parts.limits;
    const ms = this.connection.session ? startedLineAfterLoginMs : startedLineMs;
    if (ms === 0) return;
    this.#textTimer = setTimeout(() => this.giveUp(what, ms), ms);
  }

  /** The text that was begun has come. */
  protected stopWatchingText(): void {
    clearTimeout(this.#textTimer);
    this.#textTimer = undefined;
  }

  protected giveUp(what: string, ms: number): void {
    this.guard(() => {
      this.closeTooSlow(what, ms);
      this.closeIfIdle();
    });
  }

  /** The connection is gone: nothing of it stays behind. */
  protected release(): void {
    this.#stopWaiting();
    this.isClosing = true;
    this.forget();
    this.#queue.clear();
    this.#tellIdle();
  }

  readonly #onRoom = (): void => {
    this.#queue.advance();
    this.takeTexts();
  };

  readonly #onCallEnded = (): void => {
    this.guard(() => {
      if (this.#queue.isIdle) this.#tellIdle();
      this.takeTexts();
    });
  };

  #tellIdle(): void {
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const resolve of waiters) resolve();
  }

  #watchIdle(ms: number): void {
    const { idleBeforeLoginMs } = this.parts.limits;
    if (idleBeforeLoginMs === 0) return;
    this.#idleTimer = setTimeout(() => {
      // A clock that was set back by hours must not make anybody wait for it to come round.
      this.#lastCallAt = Math.min(this.#lastCallAt, Date.now());
      const left = this.connection.session
        ? idleBeforeLoginMs
        : this.#lastCallAt + idleBeforeLoginMs - Date.now();
      if (left > 0) this.#watchIdle(left);
      else this.giveUp('there was no call and no login', idleBeforeLoginMs);
    }, ms);
  }

  #stopWaiting(): void {
    this.stopWatchingText();
    clearTimeout(this.#idleTimer);
  }
}
