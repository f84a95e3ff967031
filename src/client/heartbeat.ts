import { ping } from '../core/policy.ts';

/** Notices a peer that is gone without a word. */
export interface Heartbeat {
  /** Something came from the peer: it is there. */
  heard(): void;
  stop(): void;
}

/** What a heartbeat does. */
export interface HeartbeatActions {
  /** True while nothing is read: then silence says nothing about the peer. */
  isPaused(): boolean;
  ping(): void;
  /** Called once, when the peer left two pings in a row unanswered. */
  onDead(): void;
}

/** Asks a peer for a sign of life after 30 idle seconds (protocol, "JSON-RPC 2.0 door"); it keeps no process alive. */
export function startHeartbeat(actions: HeartbeatActions): Heartbeat {
  let hasHeard = true;
  let unanswered = 0;
  const timer = setInterval(() => {
    if (hasHeard || actions.isPaused()) {
      hasHeard = false;
      unanswered = 0;
      return;
    }
    if (unanswered >= ping.missed) {
      clearInterval(timer);
      actions.onDead();
      return;
    }
    unanswered += 1;
    actions.ping();
  }, ping.intervalMs);
  timer.unref();
  return {
    heard() {
      hasHeard = true;
    },
    stop() {
      clearInterval(timer);
    },
  };
}
