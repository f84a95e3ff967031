import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { httpPhrase } from '../../core/codecs/problem.ts';
import { ChatError } from '../../core/errors.ts';
import type { DoorLimits } from './door.ts';
import { asksForWebSocket } from './websocket-request.ts';

/** How often requests that take too long are looked for, in milliseconds. */
const lookMs = 1_000;

/** Where a server's connections and mistakes go. */
export interface HttpServerParts {
  readonly limits: Pick<DoorLimits, 'startedLineMs' | 'startedLineAfterLoginMs' | 'idleBeforeLoginMs'>;
  readonly onRequest: RequestListener;
  /** Told of what cannot be read as a request on this socket. */
  onUnreadable(socket: Duplex, error: ChatError, status: number): void;
  /** Takes over a socket whose client asks for another protocol; `head` came after the request. */
  onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/**
 * A server of Node's that never listens: sockets are given to it by `emit('connection')`. Headers must be whole within the
 * time for a line, bodies within the longer one, and a connection may be idle as long as any other before its login.
 */
export function httpServer({ limits, onRequest, onUnreadable, onUpgrade }: HttpServerParts): Server {
  const { startedLineMs, startedLineAfterLoginMs, idleBeforeLoginMs } = limits;
  const server = createServer(
    {
      // Node takes no server whose headers may take longer than the whole request.
      headersTimeout: earlier(startedLineMs, startedLineAfterLoginMs),
      requestTimeout: startedLineAfterLoginMs,
      keepAliveTimeout: idleBeforeLoginMs,
      connectionsCheckingInterval: earlier(lookMs, startedLineMs),
      // Missing or doubled, it is answered like any other mistake, with a body that says so.
      requireHostHeader: false,
      noDelay: true,
      // An upgrade to anything else is a wish that may be passed over (RFC 9110 section 7.8).
      shouldUpgradeCallback: asksForWebSocket,
    },
    onRequest,
  );
  // Node would drop those beyond a number, silently: too many are refused where the head is looked at.
  server.maxHeadersCount = 0;
  // A client that has ended its side still gets its answers (`printf … | nc`); Node has no other name for this wish.
  Object.assign(server, { httpAllowHalfOpen: true });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const { status, text } = unreadable(error.code);
    onUnreadable(socket, new ChatError(status === 408 ? 'timeout' : 'invalid', text), status);
  });
  server.on('connect', (_request: IncomingMessage, socket: Duplex) => {
    onUnreadable(socket, new ChatError('unsupported', 'CONNECT: this is no proxy'), 501);
  });
  server.on('upgrade', onUpgrade);
  // Node would ask for the body of whoever it is, and sends 417 without one.
  server.on('checkContinue', onRequest);
  server.on('checkExpectation', onRequest);
  // Only a server that listens looks for requests that take too long; this one has others listen for it.
  server.emit('listening');
  return server;
}

/** The nearer of two times, in milliseconds, of which 0 is never. */
function earlier(one: number, other: number): number {
  return one === 0 || other === 0 ? one || other : Math.min(one, other);
}

/** What is said to a request of another version. */
export const versionText = `${httpPhrase(505)}: HTTP/1.1 is served`;

/** What is said to bytes that Node's parser refuses, by its code. */
function unreadable(code: string | undefined): { status: number; text: string } {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { status: 408, text: 'the request was not finished in time' };
    case 'HPE_HEADER_OVERFLOW':
      return { status: 431, text: 'the headers are too long: 16 KiB at most' };
    case 'HPE_PAUSED_H2_UPGRADE':
      return { status: 505, text: versionText };
    case 'HPE_INVALID_CONTENT_LENGTH':
    case 'HPE_INVALID_TRANSFER_ENCODING':
    case 'HPE_UNEXPECTED_CONTENT_LENGTH':
      return {
        status: 400,
        text: 'the length of the body is not clear: one Content-Length, or one Transfer-Encoding: chunked',
      };
    default:
      return { status: 400, text: `not a request of HTTP/1.1${code === undefined ? '' : ` (${code})`}` };
  }
}
