import type { Socket } from 'node:net';
import type { ChatError } from '../../core/errors.ts';
import { ByteBuffer } from '../byte-buffer.ts';
import type { DoorLimits } from './door.ts';
import { type DoorKind, firstBytes } from './first-bytes.ts';
import { tooSlow } from './refusals.ts';

/** What a new connection turned out to be. */
export type FirstArrival =
  | { readonly kind: DoorKind; readonly bytes: Buffer; readonly hasEnded: boolean }
  /** It began a first line and did not finish it in time. */
  | { readonly kind: 'slow'; readonly error: ChatError }
  /** It sent nothing: too late, or closed. */
  | { readonly kind: 'silent' };

type Waits = Pick<DoorLimits, 'firstByteMs' | 'startedLineMs' | 'maxLineBytes'>;

/**
 * Reads the first bytes of a socket until they decide, and calls `decided` once, with the socket paused.
 * A socket that closes before is never heard of again.
 */
export function readFirstBytes(socket: Socket, waits: Waits, decided: (arrival: FirstArrival) => void): void {
  const detector = firstBytes(waits.maxLineBytes);
  const held = new ByteBuffer();
  let timer = after(waits.firstByteMs, () => settle({ kind: 'silent' }));

  function onData(chunk: Buffer): void {
    if (held.length === 0) {
      clearTimeout(timer);
      timer = after(waits.startedLineMs, () =>
        settle({ kind: 'slow', error: tooSlow('the first line was not finished', waits.startedLineMs) }),
      );
    }
    const kind = detector.feed(chunk);
    // Most connections are decided by their first piece: then nothing is copied.
    const bytes = kind && held.length === 0 ? chunk : undefined;
    if (!bytes) held.append(chunk);
    if (kind) settle({ kind, bytes: bytes ?? held.take(), hasEnded: false });
  }

  function onEnd(): void {
    const kind = detector.end();
    settle(kind ? { kind, bytes: held.take(), hasEnded: true } : { kind: 'silent' });
  }

  function stop(): void {
    clearTimeout(timer);
    socket.off('data', onData);
    socket.off('end', onEnd);
    socket.off('close', stop);
  }

  function settle(arrival: FirstArrival): void {
    stop();
    socket.pause();
    decided(arrival);
  }

  socket.on('data', onData);
  socket.on('end', onEnd);
  socket.on('close', stop);
}

function after(ms: number, callback: () => void): NodeJS.Timeout | undefined {
  return ms === 0 ? undefined : setTimeout(callback, ms);
}
