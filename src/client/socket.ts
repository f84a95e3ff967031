import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions as TlsOptions } from 'node:tls';
import { ChatError } from '../core/errors.ts';
import { formatServerAddress, isLoopback, type ServerAddress } from './address.ts';
import { channelBindingOf, identityOf, type ServerIdentity } from './identity.ts';
import { shown } from './shown.ts';

/** Where to connect, and for how long to try. */
export interface SocketOptions {
  readonly server: ServerAddress;
  /** For the name, the connection and the handshake together. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Roots to trust instead of the platform's, PEM. */
  readonly roots?: readonly string[] | undefined;
  /** Shown to the server, which thereby sees that its key is here; PEM. */
  readonly certificate?: ClientCertificate | undefined;
}

/** A certificate of this end and its private key, PEM. */
export interface ClientCertificate {
  readonly certificate: string;
  readonly key: string;
}

/** A connection over which nothing of ours has been sent but the handshake. */
export interface OpenedSocket {
  readonly socket: Socket;
  /** Undefined on plain://. */
  readonly identity: ServerIdentity | undefined;
  /** 32 bytes that only the two ends of this very connection know; undefined without TLS 1.3. */
  readonly channelBinding: Uint8Array | undefined;
}

/** What the system's error codes mean to a person. */
const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was reset',
  ENOTFOUND: 'unknown host',
  EAI_AGAIN: 'the host name cannot be looked up now',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'the network cannot be reached',
  ETIMEDOUT: 'the host does not answer',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'it speaks no TLS version that this client accepts',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'it speaks no TLS version that this client accepts',
};

/** The `unavailable` that stands for a failed socket. */
export function socketError(server: ServerAddress, what: string, cause: unknown): ChatError {
  const { code, message } = cause as { code?: unknown; message?: unknown };
  const known = typeof code === 'string' ? reasons[code] : undefined;
  const reason = known ?? shown(String(typeof code === 'string' ? code : message));
  return new ChatError('unavailable', `${formatServerAddress(server)}: ${what}: ${reason}`, { cause });
}

/** Connects and shakes hands; throws `unavailable`. Whether the server is trusted is for the caller to judge, before a byte is written. */
export function openSocket(options: SocketOptions): Promise<OpenedSocket> {
  const { server, timeoutMs, signal } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(stopped(server, signal));
      return;
    }
    const { socket, ready } = server.scheme === 'chat' ? startTls(options) : startPlain(server);
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.removeListener('error', onError);
      // Errors from here to the one who takes over show in `socket.errored`.
      socket.on('error', ignore);
    };
    const fail = (error: ChatError): void => {
      settle();
      socket.destroy();
      reject(error);
    };
    const onError = (error: Error): void => fail(socketError(server, 'cannot connect', error));
    const onAbort = (): void => fail(stopped(server, signal));
    const timer = setTimeout(() => {
      fail(
        new ChatError('unavailable', `${formatServerAddress(server)}: no connection within ${timeoutMs} ms`),
      );
    }, timeoutMs);
    signal?.addEventListener('abort', onAbort);
    socket.on('error', onError);
    socket.once(ready.event, () => {
      try {
        const opened = ready.open();
        settle();
        resolve(opened);
      } catch (error) {
        fail(error instanceof ChatError ? error : socketError(server, 'cannot connect', error));
      }
    });
  });
}

/** The `unavailable` of a connection that its own caller gave up. */
export function stopped(server: ServerAddress, signal?: AbortSignal): ChatError {
  return new ChatError('unavailable', `${formatServerAddress(server)}: connecting was stopped`, {
    cause: signal?.reason,
  });
}

interface Starting {
  readonly socket: Socket;
  readonly ready: { readonly event: string; readonly open: () => OpenedSocket };
}

function startPlain(server: ServerAddress): Starting {
  const socket = connectPlain({ host: server.host, port: server.port, noDelay: true, keepAlive: true });
  const open = (): OpenedSocket => {
    // A hosts file can send `localhost` anywhere.
    if (!isLoopback(socket.remoteAddress ?? '')) {
      throw new ChatError('unavailable', `${formatServerAddress(server)}: that is not on loopback`);
    }
    return { socket, identity: undefined, channelBinding: undefined };
  };
  return { socket, ready: { event: 'connect', open } };
}

function startTls({ server, roots, certificate }: SocketOptions): Starting {
  const options: TlsOptions = {
    host: server.host,
    port: server.port,
    minVersion: 'TLSv1.2',
    // The caller decides by the key: most servers are their own authority (security 2).
    rejectUnauthorized: false,
    ...(isIP(server.host) === 0 ? { servername: server.host.replace(/\.$/, '') } : {}),
    ...(roots === undefined ? {} : { ca: [...roots] }),
    ...(certificate === undefined ? {} : { cert: certificate.certificate, key: certificate.key }),
  };
  const socket = connectTls(options);
  socket.setNoDelay(true);
  socket.setKeepAlive(true);
  const open = (): OpenedSocket => {
    const identity = identityOf(socket);
    if (!identity)
      throw new ChatError('unavailable', `${formatServerAddress(server)}: it has no certificate`);
    return { socket, identity, channelBinding: channelBindingOf(socket) };
  };
  return { socket, ready: { event: 'secureConnect', open } };
}

function ignore(): void {}
