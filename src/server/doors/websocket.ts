import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type Server, WebSocket, WebSocketServer } from 'ws';
import { closeMs, maxFragments, maxPieces } from './websocket-limits.ts';

/**
 * The receiving end of a WebSocket: `ws` shakes hands, reads frames, and keeps the closing handshake.
 *
 * Messages, pings and pongs are written to the socket by `Connection`, past `ws`. That is safe because without compression
 * `ws` keeps no queue of its own: its `Sender` hands each frame whole to the socket within the call (`lib/sender.js`,
 * `sendFrame`, while `_state` is `DEFAULT`, which only compression and Blobs change), so that frames cannot be torn apart.
 * What is left to `ws` to write is the answer to the handshake and the Close frame, after which nothing may follow
 * (RFC 6455 section 5.5.1): hence `onClosing`.
 */
export class ReceivingSocket extends WebSocket {
  /** Called in place of a Close frame that `ws` would send: in answer to the peer's, or because of a mistake of the peer's. */
  onClosing: ((code: number | undefined, data: string | Buffer | undefined) => void) | undefined;

  override close(code?: number, data?: string | Buffer): void {
    // Once a Close frame has been sent, what is left of the closing handshake is for `ws` to do.
    if (this.onClosing && this.readyState === WebSocket.OPEN) this.onClosing(code, data);
    else this.closeNow(code, data);
  }

  /** Sends a Close frame; the socket is closed when the peer has answered it, or has not in time. */
  closeNow(code?: number, data?: string | Buffer): void {
    super.close(code, data);
  }
}

/** Shakes hands with a request that was found right; undefined when the peer has gone meanwhile. */
export function shakeHands(
  { request, socket, head }: { request: IncomingMessage; socket: Socket; head: Buffer },
  maxMessageBytes: number,
): ReceivingSocket | undefined {
  // We speak no subprotocol, and repeat none: some clients put a token there.
  delete request.headers['sec-websocket-protocol'];
  let opened: ReceivingSocket | undefined;
  serverOf(maxMessageBytes).handleUpgrade(request, socket, head, (websocket) => {
    opened = websocket;
  });
  return opened;
}

/** Lets what `ws` throws over a chunk concern `guard` alone: nobody else would catch it (ASVS 16.5.4). */
export function guardReading(socket: Socket, guard: (action: () => void) => void): void {
  for (const read of socket.listeners('data')) {
    const guarded = (chunk: NonSharedBuffer): void => guard(() => read.call(socket, chunk));
    socket.off('data', read as (chunk: NonSharedBuffer) => void);
    // Found by the name of what it stands for, as Node's own wrappers are: `ws` takes its listener away again.
    socket.on('data', Object.assign(guarded, { listener: read }));
  }
}

const servers = new Map<number, Server<typeof ReceivingSocket>>();

/** A server of `ws` only holds its options. */
function serverOf(maxMessageBytes: number): Server<typeof ReceivingSocket> {
  const known = servers.get(maxMessageBytes);
  if (known) return known;
  const options = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    autoPong: false,
    // 0 is no limit for both of us.
    maxPayload: maxMessageBytes,
    maxFragments,
    maxBufferedChunks: maxPieces,
    closeTimeout: closeMs,
    WebSocket: ReceivingSocket,
  };
  const server = new WebSocketServer(options);
  servers.set(maxMessageBytes, server);
  return server;
}
