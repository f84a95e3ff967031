import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { noteConnection } from './left-overs.ts';

/** What is said on a new connection, and what the line has in it that says it was heard. */
export interface Greeting {
  readonly says: string;
  readonly until: string;
}

/** Takes the first `length` bytes of a buffer that all connections share: what is to be kept is copied. */
export type TakeBytes = (bytes: Buffer, length: number) => void;

/** One connection of a generator, which does as little for each read as Node lets it. */
export interface LineSocket {
  readonly socket: Socket;
  /** What takes all that comes from now on. */
  onBytes: TakeBytes;
  /** Ends it without a farewell: a port that waits for one is missing when thousands connect again. */
  close(): void;
}

/** Of all connections: one read is used up before the next begins. */
const readBuffer = Buffer.allocUnsafeSlow(256 * 1024);
/** Connections that are opened at a time: a listener has room for so many that it has not accepted. */
const openedAtOnce = 250;
const host = '127.0.0.1';

/** Connects and greets. One that the other side ends later ends the workload. */
export async function lineSocket(port: number, greeting?: Greeting): Promise<LineSocket> {
  let isOver = false;
  const line: LineSocket = {
    socket: connect({
      port,
      host,
      noDelay: true,
      onread: {
        buffer: readBuffer,
        callback(length) {
          line.onBytes(readBuffer, length);
          return true;
        },
      },
    }),
    onBytes(bytes, length) {
      throw new Error(`nobody expected ${bytes.toString('latin1', 0, length)}`);
    },
    close() {
      isOver = true;
      line.socket.resetAndDestroy();
    },
  };
  const forget = noteConnection(line);
  await once(line.socket, 'connect');
  line.socket.on('close', () => {
    forget();
    if (!isOver) throw new Error('the other side has ended a connection');
  });
  if (greeting) await greet(line, greeting);
  return line;
}

function greet(line: LineSocket, { says, until }: Greeting): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let text = '';
  line.onBytes = (bytes, length) => {
    text += bytes.toString('latin1', 0, length);
    if (text.includes('"error"')) reject(new Error(`a greeting was refused: ${text}`));
    if (text.endsWith('\n') && text.includes(until)) resolve();
  };
  line.socket.write(says);
  return promise;
}

/** Opens many connections, some at a time. */
export async function lineSockets(count: number, port: number, greeting?: Greeting): Promise<LineSocket[]> {
  const lines: LineSocket[] = [];
  while (lines.length < count) {
    const more = Math.min(openedAtOnce, count - lines.length);
    lines.push(...(await Promise.all(Array.from({ length: more }, () => lineSocket(port, greeting)))));
  }
  return lines;
}

/** Answers the server's pings among what came; answers how many there were. */
export function answerPings({ socket }: LineSocket, bytes: Buffer): number {
  if (!bytes.includes('"id":"ping-')) return 0;
  const ids = bytes.toString('latin1').match(/"id":"ping-\d+"/g) ?? [];
  socket.write(ids.map((id) => `{"jsonrpc":"2.0",${id},"result":{}}\n`).join(''));
  return ids.length;
}
