import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { addressKey } from '../../core/model/address.ts';
import { handshakeBounds } from '../../core/policy.ts';
import { createTurns } from '../../core/take-turns.ts';
import type { HandshakeEnd, TlsDoor } from './tls.ts';
import type { TrustedProxies } from './trusted-proxies.ts';

/** TLS handshakes, and what a stranger may make them cost. */
export interface Handshakes {
  /**
   * Shakes hands when it is this address's turn; `ended` is called once, with nothing when it failed and the socket is closing. What TLS is
   * shown is checked by it before anybody can look, up to a hundred signatures on the thread that serves everybody. So few handshakes of
   * one address are under way at a time, and an address that has shown more than a chain has is asked for no certificates for a while.
   */
  shakeHands(socket: Socket, address: string, ended: HandshakeEnd): void;
  /** Handshakes under way. Those that wait for their turn do not count: a few addresses would fill the server with them. */
  readonly underWay: number;
}

/** Builds them over TLS. Behind a trusted proxy is everybody: its handshakes wait for nobody, and it is always asked. */
export function createHandshakes(
  tls: Pick<TlsDoor, 'shakeHands'>,
  proxies: Pick<TrustedProxies, 'has'>,
): Handshakes {
  const { atOncePerAddress, maxShownBytes, notAskedMs, maxNotAsked } = handshakeBounds;
  const turns = createTurns({ atOnce: atOncePerAddress, mostWaiting: Number.POSITIVE_INFINITY });
  /** Until when addresses are not asked, oldest first. */
  const notAsked = new Map<string, number>();
  let underWay = 0;

  function isAsked(key: string): boolean {
    const until = notAsked.get(key);
    if (until === undefined) return true;
    if (Date.now() < until) return false;
    notAsked.delete(key);
    return true;
  }

  function judge(key: string, socket: Socket, secured: TLSSocket | undefined): void {
    // Of who was secured some of it may be what was said after the handshake.
    if (socket.bytesRead <= maxShownBytes || (secured && shownBytes(secured) <= maxShownBytes)) return;
    notAsked.delete(key);
    notAsked.set(key, Date.now() + notAskedMs);
    const [oldest] = notAsked.keys();
    if (notAsked.size > maxNotAsked && oldest !== undefined) notAsked.delete(oldest);
  }

  return {
    get underWay() {
      return underWay;
    },
    shakeHands(socket, address, ended) {
      const key = addressKey(address);
      const isProxy = proxies.has(address);
      const shake = () =>
        new Promise<void>((resolve) => {
          underWay += 1;
          const settle: HandshakeEnd = (secured) => {
            underWay -= 1;
            if (!isProxy) judge(key, socket, secured);
            resolve();
            ended(secured);
          };
          if (socket.destroyed) settle(undefined);
          else tls.shakeHands(socket, { asks: isProxy || isAsked(key) }, settle);
        });
      if (isProxy) void shake();
      else void turns.take(key, shake);
    },
  };
}

/** What the peer has shown, in bytes: its certificate and those that lead from there to its authority. */
function shownBytes(secured: TLSSocket): number {
  let bytes = 0;
  const seen = new Set<unknown>();
  for (
    let next = secured.getPeerCertificate(true);
    next?.raw && !seen.has(next);
    next = next.issuerCertificate
  ) {
    seen.add(next);
    bytes += next.raw.length;
  }
  return bytes;
}
