import { connect as connectTcp, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { connect as connectTls } from 'node:tls';
import { WebSocket } from 'ws';

/** One connection of a transcript, whatever carries its lines. */
export interface Side {
  send(line: string): void;
  /** What comes, line by line or message by message; done when the connection has ended. */
  readonly lines: AsyncIterator<string>;
  /** What the end was said to be: the code and the reason of a WebSocket's Close, otherwise nothing. */
  readonly end: string;
  destroy(): void;
}

/** Opens a connection to a port of this machine. */
export type Open = (port: number) => Side;

function overSocket(socket: Socket): Side {
  return {
    send: (line) => void socket.write(`${line}\n`),
    lines: createInterface({ input: socket })[Symbol.asyncIterator](),
    end: '',
    destroy: () => void socket.destroy(),
  };
}

function overWebSocket(url: string): Side {
  const websocket = new WebSocket(url, { rejectUnauthorized: false });
  const came: string[] = [];
  let end: string | undefined;
  let wake = (): void => {};
  websocket.on('message', (data) => {
    came.push(String(data));
    wake();
  });
  websocket.on('close', (code, reason) => {
    end = `${code} ${reason}`;
    wake();
  });
  const opened = new Promise<void>((resolve, reject) => {
    websocket.once('open', resolve);
    websocket.once('error', reject);
  });
  async function* lines(): AsyncGenerator<string> {
    for (;;) {
      const line = came.shift();
      if (line !== undefined) yield line;
      else if (end !== undefined) return;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  }
  return {
    send: (line) => void opened.then(() => websocket.send(line)),
    lines: lines(),
    get end() {
      return end ?? '';
    },
    destroy: () => websocket.terminate(),
  };
}

/** What carries lines. */
export const lineTransports: Readonly<Record<string, Open>> = {
  TCP: (port) => overSocket(connectTcp({ port, host: '127.0.0.1' })),
  TLS: (port) => overSocket(connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })),
};

/** What carries messages. */
export const webSocketTransports: Readonly<Record<string, Open>> = {
  WebSocket: (port) => overWebSocket(`ws://127.0.0.1:${port}/ws`),
  'WebSocket and TLS': (port) => overWebSocket(`wss://127.0.0.1:${port}/ws`),
};
