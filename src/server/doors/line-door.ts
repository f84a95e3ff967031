import type { Socket } from 'node:net';
import {
  jsonRpcEvents,
  jsonRpcNumbers,
  pingRequest,
  type RpcId,
  readFrame,
  writeError,
  writeResult,
} from '../../core/codecs/json-rpc.ts';
import { ChatError } from '../../core/errors.ts';
import type { EndReason } from '../../core/events.ts';
import { ping } from '../../core/policy.ts';
import { pong } from '../../core/pong.ts';
import { CallQueue } from '../call-queue.ts';
import { Connection } from '../connection.ts';
import type { Arrival, DoorParts, OpenDoor } from './door.ts';
import { LineReader } from './line-reader.ts';
import { tooSlow } from './refusals.ts';

/** Lines in a row that are no request before the connection is closed: it speaks something else. */
const maxBadFrames = 10;

/** Serves JSON-RPC 2.0, one object per line (protocol, "JSON-RPC 2.0 door"). */
export function openLineDoor(arrival: Arrival, parts: DoorParts): OpenDoor {
  return new LineDoor(arrival, parts);
}

/**
 * One connection of the line door. Whole lines are taken as long as calls may begin; otherwise the socket is paused,
 * so that what waits is bounded by one chunk, the call queue, and `maxQueuedBytes` of answers.
 */
class LineDoor implements OpenDoor {
  readonly #socket: Socket;
  readonly #parts: DoorParts;
  readonly #connection: Connection;
  readonly #reader: LineReader;
  readonly #queue: CallQueue;
  readonly #heartbeat: NodeJS.Timeout;
  #idleTimer: NodeJS.Timeout | undefined;
  #lineTimer: NodeJS.Timeout | undefined;
  /** Whole lines that wait for room, and where the next one begins. */
  #lines = '';
  #next = 0;
  #badFrames = 0;
  #lastCallAt = Date.now();
  #hasHeard = true;
  #missedPings = 0;
  #pings = 0;
  #writtenAtPing = 0;
  /** Set when no further line is taken: by the peer's end, a fatal mistake, or a shutdown. */
  #isClosing = false;
  #closesWhenIdle = false;
  #lastWords: string | undefined;
  #idleWaiters: Array<() => void> = [];

  constructor({ id, socket, bytes, hasEnded, address, channel }: Arrival, parts: DoorParts) {
    const { turn, limits, onFailure } = parts;
    this.#socket = socket;
    this.#parts = parts;
    this.#connection = new Connection(socket, {
      id,
      door: 'line',
      address,
      channel,
      events: jsonRpcEvents,
      turn,
      maxQueuedBytes: limits.maxQueuedBytes,
      onFailure,
    });
    this.#reader = new LineReader(limits.maxLineBytes);
    this.#queue = new CallQueue({
      maxInFlight: limits.maxPipelined,
      mayStart: () => !this.#connection.isCongested,
      onEnded: this.#onCallEnded,
      onFailure,
    });
    this.#heartbeat = setInterval(() => this.#beat(), ping.intervalMs);
    this.#watchIdle(limits.idleBeforeLoginMs);
    this.#connection.onRoom = this.#onRoom;
    this.#connection.onGone(() => this.#release());
    if (this.#connection.isGone) return;
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    this.#onData(bytes);
    if (hasEnded) this.#onEnd();
    else if (!this.#isHeldUp) socket.resume();
  }

  quiesce(): Promise<void> {
    this.#isClosing = true;
    this.#socket.pause();
    this.#dropLines();
    if (this.#queue.isIdle || this.#connection.isGone) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  end(reason: EndReason): void {
    this.#connection.end(reason);
  }

  // One connection's exception must never end the process (ASVS 16.5.4): each entry from the outside is guarded.

  readonly #onData = (chunk: Buffer): void => {
    this.#guard(() => {
      this.#hasHeard = true;
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
    this.#guard(() => {
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
    this.#guard(() => {
      if (this.#queue.isIdle && this.#idleWaiters.length > 0) {
        const waiters = this.#idleWaiters;
        this.#idleWaiters = [];
        for (const resolve of waiters) resolve();
      }
      this.#takeLines();
    });
  };

  get #isHeldUp(): boolean {
    return this.#queue.isFull || this.#connection.isCongested;
  }

  /** Takes the lines at hand while there is room; then reads on, waits for room, or closes when that was all. */
  #takeLines(): void {
    while (this.#next < this.#lines.length && !this.#connection.isGone) {
      if (this.#isHeldUp) {
        this.#socket.pause();
        return;
      }
      const end = this.#lines.indexOf('\n', this.#next);
      const line = this.#lines.slice(this.#next, end < 0 ? undefined : end);
      this.#next = end < 0 ? this.#lines.length : end + 1;
      this.#takeLine(line);
    }
    if (this.#connection.isGone) return;
    if (this.#lines !== '') this.#dropLines();
    const { failure } = this.#reader;
    // What is not UTF-8 is not JSON either (RFC 8259 section 8.1).
    const number = failure?.code === 'invalid' ? jsonRpcNumbers.notJson : undefined;
    if (failure && !this.#isClosing) this.#closeAfterCalls(writeError(null, failure, number));
    if (this.#closesWhenIdle) {
      if (this.#queue.isIdle) this.#close();
    } else if (!this.#isClosing) {
      if (this.#isHeldUp) this.#socket.pause();
      else if (this.#socket.isPaused()) this.#socket.resume();
    }
  }

  #takeLine(line: string): void {
    const text = line.endsWith('\r') ? line.slice(0, -1) : line;
    if (text === '') return;
    const frame = readFrame(text);
    if (frame.kind === 'bad') {
      this.#badFrames += 1;
      this.#connection.pushText(`${writeError(null, frame.error, frame.rpcCode)}\n`);
      if (this.#badFrames >= maxBadFrames) this.#closeAfterCalls(undefined);
      return;
    }
    this.#badFrames = 0;
    if (frame.kind === 'answer') return;
    this.#lastCallAt = Date.now();
    const { id, method, params } = frame;
    // The door's own: a ping must not wait behind calls that wait for the disk.
    if (method === 'ping') this.#answer(id, pong(Date.now()));
    else this.#queue.add(this.#parts.calls.overlaps(method), () => this.#serve(id, method, params));
  }

  async #serve(id: RpcId, method: string, params: unknown): Promise<void> {
    try {
      const result = await this.#parts.calls.call(this.#connection, method, params);
      this.#answer(id, result);
    } catch (error) {
      if (id !== undefined) this.#connection.pushText(`${writeError(id, this.#safe(error))}\n`);
    }
  }

  #answer(id: RpcId, result: unknown): void {
    if (id !== undefined) this.#connection.pushText(`${writeResult(id, result)}\n`);
  }

  #safe(error: unknown): ChatError {
    if (error instanceof ChatError) return error;
    const errorId = this.#parts.onFailure(error);
    return new ChatError('internal', `something went wrong on the server (${errorId})`, { errorId });
  }

  /** Takes no further line, and closes with `lastWords` when the calls under way have been answered. */
  #closeAfterCalls(lastWords: string | undefined): void {
    this.#isClosing = true;
    this.#closesWhenIdle = true;
    this.#lastWords ??= lastWords;
    this.#dropLines();
    this.#stopWaiting();
    this.#socket.pause();
  }

  #close(): void {
    if (this.#lastWords !== undefined) this.#connection.pushText(`${this.#lastWords}\n`);
    this.#connection.close();
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
    const ms = this.#connection.session ? startedLineAfterLoginMs : startedLineMs;
    if (ms === 0) return;
    this.#lineTimer = setTimeout(() => this.#giveUp('a line was not finished', ms), ms);
  }

  #watchIdle(ms: number): void {
    const { idleBeforeLoginMs } = this.#parts.limits;
    if (idleBeforeLoginMs === 0) return;
    this.#idleTimer = setTimeout(() => {
      const left = this.#connection.session
        ? idleBeforeLoginMs
        : this.#lastCallAt + idleBeforeLoginMs - Date.now();
      if (left > 0) this.#watchIdle(left);
      else this.#giveUp('there was no call and no login', idleBeforeLoginMs);
    }, ms);
  }

  #giveUp(what: string, ms: number): void {
    this.#guard(() => {
      this.#closeAfterCalls(writeError(null, tooSlow(what, ms)));
      if (this.#queue.isIdle) this.#close();
    });
  }

  /** Every 30 s: a peer that was silent is asked; one that left two pings unanswered is gone. */
  #beat(): void {
    this.#guard(() => {
      // While its requests are not read, a peer that still takes answers shows that it is there.
      const { bytesWritten, writableLength } = this.#socket;
      const taken = bytesWritten - writableLength;
      if (this.#socket.isPaused() && taken > this.#writtenAtPing) this.#hasHeard = true;
      this.#writtenAtPing = taken;
      this.#missedPings = this.#hasHeard ? 0 : this.#missedPings + 1;
      this.#hasHeard = false;
      if (this.#missedPings >= ping.missed) {
        this.#connection.destroy();
        return;
      }
      this.#pings += 1;
      this.#connection.pushText(`${pingRequest(this.#pings)}\n`);
    });
  }

  #guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#parts.onFailure(error);
      this.#connection.destroy();
    }
  }

  #stopWaiting(): void {
    clearTimeout(this.#lineTimer);
    clearTimeout(this.#idleTimer);
    this.#lineTimer = undefined;
  }

  /** The connection is gone: nothing of it stays behind. */
  #release(): void {
    clearInterval(this.#heartbeat);
    this.#stopWaiting();
    this.#isClosing = true;
    this.#dropLines();
    this.#queue.clear();
    this.#socket.off('data', this.#onData);
    this.#socket.off('end', this.#onEnd);
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const resolve of waiters) resolve();
  }
}
