import type { EndReason } from '../../core/events.ts';
import { lingerAndClose } from '../linger.ts';
import { CallConnection, type Language } from './call-connection.ts';
import { type CloseStatus, closeCodes, endStatus, mistakeReason } from './close-codes.ts';
import type { Arrival, DoorParts } from './door.ts';
import { startHeartbeat } from './heartbeat.ts';
import { MessageBounds } from './message-bounds.ts';
import { tooSlow } from './refusals.ts';
import { guardReading, type ReceivingSocket } from './websocket.ts';
import { pingFrame, pongFrame, textFrames, websocketEvents } from './websocket-frames.ts';

/** One WebSocket that speaks in text messages. */
export class WebSocketConnection extends CallConnection {
  readonly #websocket: ReceivingSocket;
  readonly #bounds = new MessageBounds();
  /** Messages that wait for room, and which is the next one: those of what was read at once, at most. */
  #messages: string[] = [];
  #next = 0;
  /** Of the last ping that has not been answered; only that one must be (RFC 6455 section 5.5.3). */
  #pingPayload: Buffer | undefined;
  #firstTimer: NodeJS.Timeout | undefined;
  /** How the socket is closed once everything has been written. */
  #leave: () => void;

  constructor(arrival: Arrival, parts: DoorParts, websocket: ReceivingSocket) {
    super(arrival, parts, { door: 'websocket', events: websocketEvents });
    this.#websocket = websocket;
    this.#leave = () => websocket.closeNow(closeCodes.goingAway);
  }

  /** Begins to take messages; nothing has been read yet. */
  start(language: Language): void {
    const { socket, connection } = this;
    const websocket = this.#websocket;
    this.language = language;
    this.watch();
    this.#watchFirstMessage();
    if (connection.isGone) return;
    const heartbeat = startHeartbeat(this, this.parts.limits.pingMs, () => connection.push(pingFrame));
    websocket.onClosing = this.#onClosing;
    // A mistake of the peer's: `onClosing` is called with its code.
    websocket.on('error', ignore);
    websocket.on('message', this.#onMessage);
    websocket.on('ping', this.#onPing);
    guardReading(socket, (action) => this.guard(action));
    // After `ws`, which listens already: what is whole has been handed over by then.
    socket.on('data', (chunk: Buffer) => {
      heartbeat.heard();
      this.guard(() => this.#onRead(chunk));
    });
    // Before `ws`, which ends our side at once.
    socket.prependListener('end', () => this.guard(() => this.#onEnd()));
  }

  /** Queues a message. */
  say(text: string): void {
    this.connection.push(textFrames([text]));
  }

  /** Takes no further message, and closes when the calls under way have been answered. */
  close(status: CloseStatus, lastWords?: string): void {
    this.closeAfterCalls(() => {
      if (lastWords !== undefined) this.say(lastWords);
      this.#closeWith(status.code, status.reason);
    });
  }

  protected closeSpeakingOtherwise(): void {
    this.close({
      code: closeCodes.policyViolation,
      reason: 'ten messages in a row were no request',
    });
  }

  protected closeTooSlow(what: string, ms: number): void {
    const error = tooSlow(what, ms);
    const reason = error.message;
    this.close({ code: closeCodes.policyViolation, reason }, this.language?.spell(error));
  }

  protected next(): string | undefined {
    const message = this.#messages[this.#next];
    if (message !== undefined) this.#next += 1;
    return message;
  }

  protected forget(): void {
    if (this.#messages.length === 0) return;
    this.#messages = [];
    this.#next = 0;
  }

  protected override onAllTaken(): void {
    this.forget();
  }

  protected stopReading(): void {
    this.#websocket.pause();
  }

  protected readOn(): void {
    if (this.#websocket.isPaused) this.#websocket.resume();
  }

  protected override release(): void {
    super.release();
    clearTimeout(this.#firstTimer);
    this.#websocket.off('message', this.#onMessage);
    this.#websocket.off('ping', this.#onPing);
  }

  readonly #onMessage = (data: Buffer, isBinary: boolean): void => {
    if (this.isClosing) return;
    if (isBinary) {
      const reason = 'messages are text: binary ones are not served';
      this.guard(() => this.#closeAfterTaking(closeCodes.unsupportedData, reason));
      this.isClosing = true;
      return;
    }
    this.#messages.push(data.toString());
  };

  readonly #onPing = (payload: Buffer): void => {
    if (this.isClosing) return;
    const isFirst = this.#pingPayload === undefined;
    this.#pingPayload = payload;
    if (isFirst) this.parts.turn.atEnd('encode', this.#answerPing);
  };

  readonly #answerPing = (): void => {
    const payload = this.#pingPayload;
    this.#pingPayload = undefined;
    if (payload) this.connection.push(pongFrame(payload));
  };

  #onRead(chunk: Buffer): void {
    clearTimeout(this.#firstTimer);
    this.#bounds.feed(chunk);
    if (this.isClosing) return;
    if (this.#messages.length > 0 || !this.#bounds.isInMessage) this.stopWatchingText();
    if (this.#bounds.isInMessage) this.watchStartedText('a message was not finished');
    this.takeTexts();
  }

  /** The peer closes, or has sent what is no frame: what came before that is still answered. */
  readonly #onClosing = (code: number | undefined, data: string | Buffer | undefined): void => {
    const isAnswer = data !== undefined || code === undefined;
    const reason = isAnswer ? data : mistakeReason(code, this.parts.limits.maxLineBytes);
    this.guard(() => this.#closeAfterTaking(code, reason));
  };

  #closeAfterTaking(code: number | undefined, reason: string | Buffer | undefined): void {
    this.stopWatchingText();
    this.closeAfterAll(() => this.#closeWith(code, reason));
  }

  /** The peer has ended its side without a Close: there is nobody to answer to. */
  #onEnd(): void {
    this.#leave = () => lingerAndClose(this.socket);
    this.connection.close();
  }

  #closeWith(code: number | undefined, reason: string | Buffer | undefined): void {
    this.#leave = () => this.#websocket.closeNow(code, reason);
    this.connection.close();
  }

  protected override hangUp(reason: EndReason | undefined): void {
    if (reason === undefined) this.#leave();
    else {
      const status = endStatus(reason);
      this.#websocket.closeNow(status.code, status.reason);
    }
    // The peer's Close is yet to be read.
    this.#websocket.resume();
  }

  #watchFirstMessage(): void {
    const { firstByteMs } = this.parts.limits;
    if (firstByteMs === 0) return;
    this.#firstTimer = setTimeout(() => this.giveUp('there was no first message', firstByteMs), firstByteMs);
  }
}

function ignore(): void {}
