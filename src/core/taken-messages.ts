import type { MessageRate } from './message-rate.ts';
import type { Bus, NodeId } from './ports/bus.ts';
import { uuidV7 } from './random.ts';

/** The rate of messages of an account over all nodes: each tells the others what it has let pass. */
export interface TakenMessages {
  /** Takes note of one of `key` that this node has let pass. */
  passed(key: string): void;
  /** Tells what was not told yet, and stops. */
  stop(): void;
}

/** How long what has passed is gathered before the others are told, in milliseconds: so much later they know. */
const gatheredMs = 200;
/** Keys in one notice. */
const keysAtOnce = 1_000;

/**
 * Tells the other nodes by the bus, and takes from `rate` what they tell. So a key that is used on several nodes gets its rate once,
 * and on top of that what passed before the word of it came round, which it makes up for as far as one burst; when a notice is lost it
 * gets what that would have told.
 */
export function createTakenMessages(
  bus: Pick<Bus, 'isShared' | 'publish' | 'subscribe'>,
  rate: Pick<MessageRate, 'takePassed'>,
): TakenMessages {
  if (!bus.isShared) return { passed() {}, stop() {} };
  const node = uuidV7() as NodeId;
  let gathered = new Map<string, number>();
  let timer: ReturnType<typeof setTimeout> | undefined;

  const unsubscribe = bus.subscribe((notice) => {
    if (notice.type !== 'messages-taken' || notice.node === node) return;
    const now = Date.now();
    for (const [key, messages] of notice.taken) rate.takePassed(key, messages, now);
  });

  function tell(): void {
    clearTimeout(timer);
    timer = undefined;
    const all = [...gathered];
    gathered = new Map();
    for (let from = 0; from < all.length; from += keysAtOnce) {
      bus.publish({ type: 'messages-taken', node, taken: all.slice(from, from + keysAtOnce) });
    }
  }

  return {
    passed(key) {
      gathered.set(key, (gathered.get(key) ?? 0) + 1);
      timer ??= setTimeout(tell, gatheredMs);
    },
    stop() {
      tell();
      unsubscribe();
    },
  };
}
