import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** One answer over HTTP. */
export interface HttpAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** Takes one answer off the front of what was read; undefined while it is not whole. */
type Cut<T> = (text: string) => { readonly answer: T; readonly length: number } | undefined;

/**
 * A bare socket for lines, for HTTP and for the frames of a WebSocket, with one question at a time: it does as little as it can, since the generator must not
 * be slower than the server.
 */
export class Wire {
  readonly #socket: Socket;
  #text = '';
  #look: (() => void) | undefined;
  #reject: ((error: Error) => void) | undefined;
  #hasEnded = false;
  #isWebSocket = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString('latin1');
      this.#look?.();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#hasEnded = true;
      this.#reject?.(this.#ended());
    });
  }

  /** Connects to loopback, from another of its addresses where one is given. */
  static async open(port: number, from = '127.0.0.1'): Promise<Wire> {
    const socket = connect({ port, host: '127.0.0.1', localAddress: from, noDelay: true });
    await once(socket, 'connect');
    return new Wire(socket);
  }

  /** Makes the connection a WebSocket: what is called a line is a frame from then on. */
  async upgrade(path: string): Promise<void> {
    const wishes = `Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${'x'.repeat(21)}w==\r\n`;
    this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\n${wishes}\r\n`);
    const { status, body } = await this.#next(cutHttp);
    if (status !== 101) throw new Error(`no WebSocket: ${status} ${body}`);
    this.#isWebSocket = true;
  }

  /** Sends a line; answers the next one that comes. */
  line(text: string): Promise<string> {
    this.#socket.write(this.#isWebSocket ? frame(text) : `${text}\n`);
    return this.nextLine();
  }

  /** The next line that comes, of its own accord or after another. */
  nextLine(): Promise<string> {
    return this.#next(this.#isWebSocket ? cutFrame : cutLine);
  }

  /** Sends a request with a JSON body, if one is given. */
  http(method: string, path: string, { body, headers = '' }: HttpQuestion = {}): Promise<HttpAnswer> {
    const text = body === undefined ? '' : JSON.stringify(body);
    const kind =
      body === undefined ? '' : `Content-Type: application/json\r\nContent-Length: ${text.length}\r\n`;
    this.#socket.write(`${method} ${path} HTTP/1.1\r\nHost: bench\r\n${headers}${kind}\r\n${text}`);
    return this.#next(cutHttp);
  }

  /** Sends a line that ends the connection, and waits until the other side has closed it. */
  async last(text: string): Promise<void> {
    this.#socket.end(`${text}\n`);
    if (!this.#hasEnded) await once(this.#socket, 'close');
  }

  close(): void {
    this.#socket.destroy();
  }

  #next<T>(cut: Cut<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      this.#look = () => {
        const found = cut(this.#text);
        if (!found) {
          if (this.#hasEnded) reject(this.#ended());
          return;
        }
        this.#text = this.#text.slice(found.length);
        this.#look = undefined;
        this.#reject = undefined;
        resolve(found.answer);
      };
      this.#look();
    });
  }

  #ended(): Error {
    return new Error(`the connection has ended: ${this.#text}`);
  }
}

/** What a request carries besides its address. */
export interface HttpQuestion {
  readonly body?: object;
  /** Each with its line end. */
  readonly headers?: string;
}

/** A text frame of a client (RFC 6455 section 5.2) in ASCII, under a mask of zeros. */
function frame(text: string): Buffer {
  const { length } = text;
  const head = length < 126 ? [0x81, 0x80 | length] : [0x81, 0x80 | 126, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), Buffer.from(text, 'latin1')]);
}

const cutFrame: Cut<string> = (text) => {
  const opcode = text.charCodeAt(0) & 0x0f;
  const short = text.charCodeAt(1);
  const isLong = short === 126;
  const start = isLong ? 4 : 2;
  if (text.length < start) return undefined;
  const end = start + (isLong ? (text.charCodeAt(2) << 8) | text.charCodeAt(3) : short);
  if (text.length < end) return undefined;
  if (opcode === 1) return { answer: text.slice(start, end), length: end };
  if (opcode !== 9) throw new Error(`a frame of kind ${opcode}: ${text}`);
  // A ping: who asks something is there.
  const next = cutFrame(text.slice(end));
  return next && { answer: next.answer, length: end + next.length };
};

const cutLine: Cut<string> = (text) => {
  const end = text.indexOf('\n');
  return end < 0 ? undefined : { answer: text.slice(0, end), length: end + 1 };
};

const cutHttp: Cut<HttpAnswer> = (text) => {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = text.slice(0, end);
  const length = end + 4 + Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
  if (text.length < length) return undefined;
  return { answer: { status: Number(head.slice(9, 12)), head, body: text.slice(end + 4, length) }, length };
};
