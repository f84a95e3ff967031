import type { IncomingMessage } from 'node:http';
import { maxPieces } from './websocket-limits.ts';

/**
 * Calls `tooMany` once when a request's body comes in more pieces than {@link maxPieces}, chunks of a byte for instance, and drops what
 * comes after it: each is kept by itself until the body is whole, and costs some hundred bytes however small it is. A body of the greatest length
 * took 40 MB so.
 */
export function boundPieces(request: IncomingMessage, tooMany: () => void): void {
  const { headers } = request;
  if (headers['transfer-encoding'] === undefined && headers['content-length'] === undefined) return;
  const push = request.push.bind(request);
  let pieces = 0;
  // What Node's parser hands over goes through here: listening for it would be reading it.
  request.push = (piece, encoding) => {
    if (piece !== null) pieces += 1;
    if (pieces <= maxPieces) return push(piece, encoding);
    // Nor is its end handed over: it is not whole.
    if (piece !== null && pieces === maxPieces + 1) tooMany();
    return true;
  };
}
