import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { Channel } from '../../core/peer.ts';
import type { ServerIdentity } from '../certificates/certificates.ts';

/** How one TLS handshake over an accepted socket ended. */
export type HandshakeEnd = (secured: TLSSocket | undefined) => void;

/** TLS 1.2 and 1.3 over sockets that somebody else has accepted. */
export interface TlsDoor {
  /** Shakes hands; `ended` is called once, with nothing when it failed and the socket is closing. */
  shakeHands(socket: Socket, ended: HandshakeEnd): void;
  /** Handshakes under way. */
  readonly pending: number;
}

/** Longer than any wait of ours, so that the listener's own timer decides. */
const neverMs = 2_147_483_647;

/**
 * Builds the TLS side of the listener: no version below 1.2, no renegotiation, and no tickets, since a resumed
 * session was seen to show a peer as authorized without its key (security 2).
 */
export function tlsDoor({ key, chain }: Pick<ServerIdentity, 'key' | 'chain'>): TlsDoor {
  const server: Server = createServer({
    key,
    cert: chain,
    minVersion: 'TLSv1.2',
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
    handshakeTimeout: neverMs,
  });
  // A TLS server does not say which accepted socket it has secured; the peer's end names it among the open ones.
  const pending = new Map<string, HandshakeEnd>();

  server.on('secureConnection', (secured) => {
    secured.allowHalfOpen = true;
    pending.get(endpoint(secured))?.(secured);
  });
  server.on('tlsClientError', (_error, secured) => {
    secured.destroy();
  });

  return {
    get pending() {
      return pending.size;
    },
    shakeHands(socket, ended) {
      const name = endpoint(socket);
      const settle: HandshakeEnd = (secured) => {
        if (pending.get(name) !== settle) return;
        pending.delete(name);
        socket.off('close', onClose);
        ended(secured);
      };
      const onClose = (): void => settle(undefined);
      pending.set(name, settle);
      socket.once('close', onClose);
      // TLS takes this over: a peer that ends amid its handshake is gone, one that ends later may still be answered.
      socket.allowHalfOpen = false;
      server.emit('connection', socket);
    },
  };
}

/** RFC 9266 section 2: label and length; the context is empty, which in TLS 1.3 is the same as none (RFC 8446 7.5). */
const exporter = { label: 'EXPORTER-Channel-Binding', bytes: 32 } as const;

/** What a login over `socket` can be bound to: keying material on TLS 1.3 alone (security 1.6). */
export function secureChannel(socket: TLSSocket, serverKey: Uint8Array): Channel {
  if (socket.getProtocol() !== 'TLSv1.3') return { serverKey };
  return {
    serverKey,
    tlsExporter: () => socket.exportKeyingMaterial(exporter.bytes, exporter.label, Buffer.alloc(0)),
  };
}

function endpoint({ remoteAddress, remotePort }: Pick<Socket, 'remoteAddress' | 'remotePort'>): string {
  return `${remoteAddress} ${remotePort}`;
}
