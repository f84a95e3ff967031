import type { Socket } from 'node:net';
import { ChatError } from '../core/errors.ts';
import type { InputOf, OperationName, OutputOf } from '../core/operations/index.ts';
import { maxLineBytes } from '../core/policy.ts';
import { endedError } from '../core/session-end.ts';
import { formatServerAddress, type ServerAddress } from './address.ts';
import { checkAnswer } from './answer-shapes.ts';
import { believed } from './answers.ts';
import { PendingCalls } from './calls.ts';
import { BadFrame, readServerFrame, type ServerFrame, type WireEvent } from './frames.ts';
import { type Heartbeat, startHeartbeat } from './heartbeat.ts';
import type { ServerIdentity } from './identity.ts';
import { BadLine, LineCutter } from './lines.ts';
import { shown } from './shown.ts';
import { type OpenedSocket, openSocket, type SocketOptions, socketError, stopped } from './socket.ts';

export type { ServerAddress } from './address.ts';
export type { WireEvent, WireMessage } from './frames.ts';
export type { ServerIdentity } from './identity.ts';
export type { ClientCertificate } from './socket.ts';

/** How to reach a server, and who decides whether it is the right one. */
export interface ConnectOptions extends SocketOptions {
  /**
   * Called after the TLS handshake and before any byte of ours is sent; it refuses by throwing (`untrusted`).
   * It may take its time, to ask a person: a server that hangs up meanwhile is connected to again, and must show the same key.
   */
  checkIdentity(identity: ServerIdentity): Promise<void>;
  /** How long a call waits for its answer unless told, in milliseconds; 30 s when left out: longer than any operation takes. */
  readonly callTimeoutMs?: number | undefined;
}

/** How long one call may take. */
export interface CallOptions {
  /** Until `timeout`; {@link ConnectOptions.callTimeoutMs} when left out, Infinity for no limit but the connection's life. */
  readonly timeoutMs?: number;
}

/** One connection to a server. */
export interface Connection {
  readonly server: ServerAddress;
  /** Undefined on plain://. */
  readonly identity: ServerIdentity | undefined;
  /** RFC 9266 keying material, 32 bytes, which a login is bound to; undefined without TLS 1.3. */
  readonly channelBinding: Uint8Array | undefined;
  /**
   * Calls an operation; calls of one turn leave in one write and may be answered in any order. Throws the server's
   * `ChatError`, `unavailable` when the connection ends first (`unauthenticated` when it ended with its session), `timeout`.
   */
  call<N extends OperationName>(name: N, params: InputOf<N>, options?: CallOptions): Promise<OutputOf<N>>;
  /** Hears every event from now on; answers a function that stops it. An event that nobody hears is dropped. */
  onEvent(listener: (event: WireEvent) => void): () => void;
  /** Why the connection ended: `unavailable`, or `unauthenticated` when its session did. Never rejects. */
  readonly closed: Promise<ChatError>;
  /** Writes what was called, then closes; calls that wait for answers reject. Resolves when the socket is closed. */
  close(): Promise<void>;
  /** Stops reading, events and answers both, at once; meanwhile no call's time runs out. */
  pause(): void;
  resume(): void;
}

/** What it takes of a connection to ask something. */
export type Caller = Pick<Connection, 'server' | 'call' | 'close'>;

const defaultCallTimeoutMs = 30_000;
/** The longest line from a server besides answers: an event around the largest envelope. */
const maxEventLineBytes = maxLineBytes + 16_384;
/** The longest answer, in bytes: a page of history in which every character is escaped. */
const maxAnswerLineBytes = 16 * 1_048_576;
/** How long a closing socket may take to hand over what was written, in milliseconds. */
const closingMs = 1_000;

/** Connects to a server and lets `checkIdentity` judge it; throws `unavailable`, or what `checkIdentity` threw. */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const opened = await openSocket(options);
  if (!opened.identity) return new LineConnection(options, opened);
  try {
    await options.checkIdentity(opened.identity);
  } catch (error) {
    opened.socket.destroy();
    throw error;
  }
  if (options.signal?.aborted) {
    opened.socket.destroy();
    throw stopped(options.server, options.signal);
  }
  if (!isStale(opened.socket)) return new LineConnection(options, opened);
  opened.socket.destroy();
  return new LineConnection(options, await openAgain(options, opened.identity));
}

/** True when the server said something or hung up before it was spoken to: it has grown tired of waiting. */
function isStale(socket: Socket): boolean {
  return socket.destroyed || socket.readableEnded || socket.readableLength > 0;
}

async function openAgain(options: ConnectOptions, trusted: ServerIdentity): Promise<OpenedSocket> {
  const opened = await openSocket(options);
  if (opened.identity?.fingerprint === trusted.fingerprint) return opened;
  opened.socket.destroy();
  throw new ChatError(
    'untrusted',
    `${formatServerAddress(options.server)}: it showed another key than a moment ago`,
  );
}

class LineConnection implements Connection {
  readonly server: ServerAddress;
  readonly identity: ServerIdentity | undefined;
  readonly channelBinding: Uint8Array | undefined;
  readonly closed: Promise<ChatError>;
  readonly #socket: Socket;
  readonly #callTimeoutMs: number;
  readonly #cutter = new LineCutter();
  readonly #calls = new PendingCalls(() => this.#isPaused);
  readonly #listeners = new Set<(event: WireEvent) => void>();
  readonly #heartbeat: Heartbeat;
  readonly #resolveClosed: (reason: ChatError) => void;
  /** Lines that were read but not handled: a listener may pause in the middle of a chunk. */
  #lines: string[] = [];
  #nextLine = 0;
  #outgoing = '';
  #isPaused = false;
  #hasHeard = false;
  #end: ChatError | undefined;

  constructor(
    { server, callTimeoutMs = defaultCallTimeoutMs }: ConnectOptions,
    { socket, identity, channelBinding }: OpenedSocket,
  ) {
    this.server = server;
    this.#callTimeoutMs = callTimeoutMs;
    this.identity = identity;
    this.channelBinding = channelBinding;
    this.#socket = socket;
    const { promise, resolve } = Promise.withResolvers<ChatError>();
    this.closed = promise;
    this.#resolveClosed = resolve;
    this.#heartbeat = startHeartbeat({
      isPaused: () => this.#isPaused,
      ping: () => void this.call('ping', {}, { timeoutMs: Number.POSITIVE_INFINITY }).catch(() => {}),
      onDead: () => this.#finish(this.#unavailable('the server does not answer any more')),
    });
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('error', (error) => this.#finish(socketError(server, 'the connection broke', error)));
    socket.on('end', () => this.#finish(this.#endedByServer()));
    socket.on('close', () => this.#finish(this.#endedByServer()));
  }

  call<N extends OperationName>(
    name: N,
    params: InputOf<N>,
    options: CallOptions = {},
  ): Promise<OutputOf<N>> {
    if (this.#end) return Promise.reject(this.#end);
    const body = JSON.stringify(params);
    // A UTF-16 unit takes at most three bytes: most calls need not be measured.
    if (body.length * 3 > maxLineBytes - 256 && Buffer.byteLength(body) > maxLineBytes - 256) {
      return Promise.reject(new ChatError('too-large', `${name}: a call has at most ${maxLineBytes} bytes`));
    }
    const { id, answered } = this.#calls.add(name, options.timeoutMs ?? this.#callTimeoutMs);
    this.#write(`{"jsonrpc":"2.0","id":${id},"method":"${name}","params":${body}}\n`);
    return answered.then((answer) => {
      believed(this, answer, (value) => checkAnswer(name, value));
      return answer as OutputOf<N>;
    });
  }

  onEvent(listener: (event: WireEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#flush();
    const socket = this.#socket;
    const isEnding = !socket.destroyed;
    if (isEnding) socket.destroySoon();
    this.#finish(this.#unavailable('the connection was closed on this side'), isEnding);
    if (socket.closed) return;
    const timer = setTimeout(() => socket.destroy(), closingMs);
    await new Promise<void>((resolve) => socket.once('close', () => resolve()));
    clearTimeout(timer);
  }

  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#handleLines();
    if (!this.#isPaused) this.#socket.resume();
  }

  /** Gathers what this turn writes into one write. */
  #write(line: string): void {
    if (this.#outgoing === '') setImmediate(() => this.#flush());
    this.#outgoing += line;
  }

  #flush(): void {
    const outgoing = this.#outgoing;
    this.#outgoing = '';
    if (outgoing !== '' && !this.#end) this.#socket.write(outgoing);
  }

  #onData(chunk: Buffer): void {
    if (this.#end) return;
    this.#heartbeat.heard();
    if (!this.#hasHeard && chunk[0] !== 0x7b) {
      this.#refuse('bytes that are no JSON', chunk.toString('utf8', 0, 200));
      return;
    }
    this.#hasHeard = true;
    try {
      const lines = this.#cutter.push(chunk, this.#calls.size > 0 ? maxAnswerLineBytes : maxEventLineBytes);
      this.#lines =
        this.#nextLine < this.#lines.length ? [...this.#lines.slice(this.#nextLine), ...lines] : lines;
      this.#nextLine = 0;
    } catch (error) {
      if (!(error instanceof BadLine)) throw error;
      this.#refuse(error.message, error.start);
      return;
    }
    this.#handleLines();
  }

  #handleLines(): void {
    while (!this.#isPaused && !this.#end && this.#nextLine < this.#lines.length) {
      const line = this.#lines[this.#nextLine] ?? '';
      this.#nextLine += 1;
      this.#handleLine(line);
    }
  }

  #handleLine(line: string): void {
    let frame: ServerFrame;
    try {
      frame = readServerFrame(line);
    } catch (error) {
      if (!(error instanceof BadFrame)) throw error;
      this.#refuse(error.message, line);
      return;
    }
    switch (frame.kind) {
      case 'answer':
        if (!this.#calls.settle(frame.id, { result: frame.result }))
          this.#refuse('an answer to no call of ours', line);
        break;
      case 'failure':
        this.#onFailure(frame, line);
        break;
      case 'event':
        this.#onEvent(frame.event);
        break;
      case 'request':
        this.#answer(frame.id, frame.method);
        break;
      case 'unknown':
        break;
    }
  }

  #onFailure({ id, error }: Extract<ServerFrame, { kind: 'failure' }>, line: string): void {
    if (id === null) {
      // About no call in particular: what the server says before it hangs up.
      this.#finish(
        new ChatError('unavailable', `${formatServerAddress(this.server)}: ${error.message}`, {
          ...error.details,
          cause: error,
        }),
      );
    } else if (!this.#calls.settle(id, { error })) this.#refuse('an answer to no call of ours', line);
  }

  #onEvent(event: WireEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
    if (event.type !== 'session-ended') return;
    const { code, message } = endedError(event.reason);
    this.#finish(new ChatError(code, `${formatServerAddress(this.server)}: ${message}`));
  }

  #answer(id: string | number, method: string): void {
    const outcome =
      method === 'ping'
        ? '"result":{}'
        : '"error":{"code":-32601,"message":"a client serves only ping","data":{"code":"unsupported"}}';
    this.#write(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},${outcome}}\n`);
  }

  #endedByServer(): ChatError {
    if (this.#cutter.pendingBytes === 0) return this.#unavailable('the server closed the connection');
    return this.#unavailable(
      `the server closed the connection in the middle of a line: ${shown(this.#cutter.pending)}`,
    );
  }

  #refuse(what: string, came: string): void {
    this.#finish(this.#unavailable(`that is not a chat server: it sent ${what}: ${shown(came)}`));
  }

  #unavailable(text: string): ChatError {
    return new ChatError('unavailable', `${formatServerAddress(this.server)}: ${text}`);
  }

  /** Ends everything, once; unless it `isEnding` by itself, the socket is cut off. */
  #finish(reason: ChatError, isEnding = false): void {
    if (this.#end) return;
    this.#end = reason;
    this.#heartbeat.stop();
    if (!isEnding) this.#socket.destroy();
    this.#calls.rejectAll(reason);
    this.#resolveClosed(reason);
  }
}
