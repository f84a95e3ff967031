import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls';
import type { Channel } from '../../core/peer.ts';
import { readShown } from '../certificates/authority.ts';
import type { ServerIdentity } from '../certificates/certificates.ts';

/** How one TLS handshake over an accepted socket ended. */
export type HandshakeEnd = (secured: TLSSocket | undefined) => void;

/** TLS 1.2 and 1.3 over sockets that somebody else has accepted. */
export interface TlsDoor {
  /** Shakes hands, and asks for a certificate or not; `ended` is called once, with nothing when it failed and the socket is closing. */
  shakeHands(socket: Socket, how: { readonly asks: boolean }, ended: HandshakeEnd): void;
  /** Shows another certificate in the handshakes that begin from now on; what is open or under way stays as it is. */
  replace(identity: TlsIdentity): void;
}

/** What TLS shows, and whose certificates it asks for. */
export type TlsIdentity = Pick<ServerIdentity, 'key' | 'chain' | 'authority'>;

/** Longer than any wait of ours, so that the listener's own timer decides. */
const neverMs = 2_147_483_647;

/**
 * Builds the TLS side of the listener: no version below 1.2, no renegotiation, and no tickets, since a resumed session was seen to show a
 * peer as authorized without its key. Certificates are asked for where that is wanted and never demanded, and whichever is shown is let through: TLS proves its
 * key, and each login judges the rest (security 2).
 */
export function tlsDoor(identity: TlsIdentity): TlsDoor {
  const open = (requestCert: boolean): Server =>
    createServer({
      ...contextOf(identity),
      requestCert,
      rejectUnauthorized: false,
      handshakeTimeout: neverMs,
    });
  const servers = { asking: open(true), silent: open(false) };
  // A TLS server does not say which accepted socket it has secured; the peer's end names it among the open ones.
  const pending = new Map<string, HandshakeEnd>();

  for (const server of Object.values(servers)) {
    server.on('secureConnection', (secured) => {
      secured.allowHalfOpen = true;
      pending.get(endpoint(secured))?.(secured);
    });
    server.on('tlsClientError', (_error, secured) => {
      secured.destroy();
    });
  }

  return {
    replace(next) {
      for (const server of Object.values(servers)) server.setSecureContext(contextOf(next));
    },
    shakeHands(socket, { asks }, ended) {
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
      (asks ? servers.asking : servers.silent).emit('connection', socket);
    },
  };
}

function contextOf({ key, chain, authority }: TlsIdentity): SecureContextOptions {
  return {
    key,
    cert: chain,
    // Our own authority alone: a browser asks nobody for a certificate that it does not have of us.
    ca: authority.certificate,
    minVersion: 'TLSv1.2',
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
  };
}

/** RFC 9266 section 2: label and length; the context is empty, which in TLS 1.3 is the same as none (RFC 8446 7.5). */
const exporter = { label: 'EXPORTER-Channel-Binding', bytes: 32 } as const;

/** What a login over `socket` can be bound to, which is keying material of TLS 1.3 alone (security 1.6), and what it has shown. */
export function secureChannel(socket: TLSSocket, { spki, authority }: ServerIdentity): Channel {
  const isBindable = socket.getProtocol() === 'TLSv1.3';
  // Of a resumed session TLS only remembers a certificate, whoever has come back with it.
  const shown = socket.isSessionReused() ? undefined : socket.getPeerX509Certificate();
  return {
    serverKey: spki,
    ...(isBindable && {
      tlsExporter: () => socket.exportKeyingMaterial(exporter.bytes, exporter.label, Buffer.alloc(0)),
    }),
    ...(shown && { certificate: () => readShown(shown, authority) }),
  };
}

function endpoint({ remoteAddress, remotePort }: Pick<Socket, 'remoteAddress' | 'remotePort'>): string {
  return `${remoteAddress} ${remotePort}`;
}
