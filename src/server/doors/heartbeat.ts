import { ping } from '../../core/policy.ts';
import type { CallConnection } from './call-connection.ts';

/** Asks a silent peer whether it is there, for as long as its connection lives. */
export interface Heartbeat {
  /** To be called when bytes have come. */
  heard(): void;
}

/** Calls `ask` every `intervalMs`, never for 0; a peer that left two of them without a sign of life is gone. */
export function startHeartbeat(of: CallConnection, intervalMs: number, ask: () => void): Heartbeat {
  const { socket, connection } = of;
  let hasHeard = true;
  let missed = 0;
  let takenAtAsking = 0;

  function beat(): void {
    // While its requests are not read, a peer that still takes answers shows that it is there.
    const taken = socket.bytesWritten - socket.writableLength;
    if (socket.isPaused() && taken > takenAtAsking) hasHeard = true;
    takenAtAsking = taken;
    missed = hasHeard ? 0 : missed + 1;
    hasHeard = false;
    if (missed >= ping.missed) connection.destroy();
    else ask();
  }

  if (intervalMs > 0) {
    const timer = setInterval(() => of.guard(beat), intervalMs);
    connection.onGone(() => clearInterval(timer));
  }
  return {
    heard() {
      hasHeard = true;
    },
  };
}
