import { connect as connectClear, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectSecure } from 'node:tls';

/** Bad peers come from addresses of their own (Linux has all of 127/8): what they use up is theirs. */
export const theirAddress = '127.0.0.2';
/** A connection that has to be closed is closed within this time, in milliseconds, all waits and a slow machine included. */
export const closedMs = 30_000;

/** How a peer comes. */
export interface Way {
  readonly port: number;
  /** Left out: this machine's own. */
  readonly host?: string;
  /** Over TLS, whose handshake it makes. */
  readonly isSecure?: boolean;
  readonly from?: string;
  /** False for one that reads nothing of what it is told. */
  readonly reads?: boolean;
}

/** A connection of a bad peer, which never minds what becomes of it. */
export interface BadPeer {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  isClosed(): boolean;
  /** Goes without a word, as a program that was killed, over TLS too. */
  reset(): void;
}

/** Connects; what is written before that waits. */
export function reach({
  port,
  host = '127.0.0.1',
  isSecure = false,
  from = theirAddress,
  reads = true,
}: Way): BadPeer {
  const wire = connectClear({ port, host, localAddress: from, noDelay: true });
  const socket = isSecure ? connectSecure({ socket: wire, rejectUnauthorized: false }) : wire;
  for (const each of [wire, socket]) each.on('error', () => {});
  if (reads) socket.resume();
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  return { socket, closed, isClosed: () => socket.destroyed, reset: () => wire.resetAndDestroy() };
}

/** As many as that. */
export function reachAll(count: number, way: Way): BadPeer[] {
  return Array.from({ length: count }, () => reach(way));
}

/** Waits until the server has closed all of them; answers what is broken when it has not within the time that everything has. */
export async function allClosed(peers: readonly BadPeer[], withinMs = closedMs): Promise<string[]> {
  await within(Promise.all(peers.map(({ closed }) => closed)), withinMs);
  const open = peers.filter(({ isClosed }) => !isClosed());
  leave(peers);
  return open.length === 0 ? [] : [`${open.length} of ${peers.length} connections stay open`];
}

/** Waits for something, and not for longer than that. */
export async function within(promise: Promise<unknown>, ms: number): Promise<void> {
  const late = new AbortController();
  await Promise.race([promise, delay(ms, undefined, { signal: late.signal }).catch(() => {})]);
  late.abort();
}

/** Lets all of them go. */
export function leave(peers: readonly BadPeer[]): void {
  for (const { socket } of peers) socket.destroy();
}

/** Writes without an end, as fast as it is taken, until the connection is gone. */
export function pour({ socket }: BadPeer, pieceOf: () => Uint8Array): void {
  const write = (): void => {
    // One whose other side has ended takes nothing more, and would say so again and again.
    if (socket.writable) socket.write(pieceOf(), write);
  };
  write();
}
