import type { Socket } from 'node:net';

/** What a socket keeps behind the write under way, which Node's types leave out. */
interface Buffered extends Socket {
  readonly writableBuffer?: ReadonlyArray<{ readonly chunk: string | Uint8Array }>;
}

/** Watches whether a peer takes what waits for it. */
export interface TakingWatch {
  /** Begins, unless it has; to be called when something was written. It ends by itself when nothing waits. */
  begin(): void;
}

/**
 * Destroys a socket whose peer has taken nothing for `ms` although something waits for it: it is gone, or wants to be kept for nothing.
 * 0 never does. `isMoreDue` keeps the watch up while nothing waits. A timer is set only where something does: most connections are idle.
 */
export function watchTaking(socket: Socket, ms: number, isMoreDue: () => boolean = () => false): TakingWatch {
  let timer: NodeJS.Timeout | undefined;
  let takenBefore = 0;

  /**
   * Grows when a write has been handed to the system, and only then: a socket counts its queue in the units of its texts and what it was
   * given in bytes, so that what is queued meanwhile would look as if something had been taken.
   */
  function taken(): number {
    let surplus = 0;
    for (const { chunk } of (socket as Buffered).writableBuffer ?? []) {
      if (typeof chunk === 'string') surplus += Buffer.byteLength(chunk) - chunk.length;
    }
    return socket.bytesWritten - surplus - socket.writableLength;
  }

  function begin(): void {
    if (timer || ms === 0 || socket.destroyed) return;
    takenBefore = taken();
    timer = setTimeout(look, ms);
  }

  function look(): void {
    timer = undefined;
    const isWaiting = socket.writableLength > 0;
    if (isWaiting && taken() <= takenBefore) socket.destroy();
    else if (isWaiting || isMoreDue()) begin();
  }

  socket.once('close', () => clearTimeout(timer));
  return { begin };
}
