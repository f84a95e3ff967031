import { createServer, type Server } from 'node:net';
import { ChatError } from '../core/errors.ts';

/** Holds an address, serving nobody; answers what lets go of it. Throws what {@link bind} throws. */
export async function holdAddress(where: {
  readonly host: string;
  readonly port: number;
}): Promise<() => Promise<void>> {
  const server = createServer((socket) => socket.destroy());
  await bind(server, where);
  return () => new Promise<void>((resolve) => server.close(() => resolve()));
}

/** Listens; throws `unavailable` when the address is taken or not this machine's, `forbidden` when this user may not have it. */
export function bind(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (cause: NodeJS.ErrnoException): void => reject(bindError(cause, host, port));
    server.once('error', onError);
    server.listen({ host, port, backlog: 1_024 }, () => {
      server.off('error', onError);
      resolve();
    });
  });
}

function bindError(cause: NodeJS.ErrnoException, host: string, port: number): ChatError {
  const where = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  switch (cause.code) {
    case 'EADDRINUSE':
      return new ChatError('unavailable', `cannot listen on ${where}: another program listens there`, {
        cause,
      });
    case 'EADDRNOTAVAIL':
      return new ChatError('unavailable', `cannot listen on ${where}: this machine has no such address`, {
        cause,
      });
    case 'EACCES':
      return new ChatError('forbidden', `cannot listen on ${where}: this user may not use that port`, {
        cause,
      });
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new ChatError('unavailable', `cannot listen on ${where}: the host is unknown`, { cause });
    default:
      return new ChatError('unavailable', `cannot listen on ${where}: ${cause.code ?? cause.message}`, {
        cause,
      });
  }
}
