import type { Socket } from 'node:net';

/** How long a peer has to take our last words and to close its side, in milliseconds. */
const lingerMs = 5_000;

/**
 * Ends our side after what is already written, throws away what still comes, and destroys the socket when the peer
 * has closed or {@link lingerMs} are over. Closing at once would answer unread input with a reset, and the peer's
 * system would then drop our last words (RFC 1122 section 4.2.2.13).
 */
export function lingerAndClose(socket: Socket): void {
  if (socket.destroyed) return;
  socket.removeAllListeners('data');
  socket.removeAllListeners('readable');
  socket.on('data', discard);
  socket.end();
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  socket.once('close', () => clearTimeout(timer));
}

function discard(): void {}
