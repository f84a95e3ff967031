import type { Log } from './log.ts';

/** The part of a process that tells of what nobody caught. */
export type CrashSource = Pick<NodeJS.Process, 'on' | 'off' | 'listeners' | 'removeAllListeners'>;

/** So many uncaught exceptions within {@link fuseMs} mean that something is broken for good. */
const fuseCount = 10;
/** See {@link fuseCount}; in milliseconds. */
const fuseMs = 60_000;

const events = ['uncaughtException', 'unhandledRejection'] as const;

/**
 * What nobody caught is logged under an id and does not end the process: one connection's exception must not end
 * everybody's (ASVS 16.5.4), and nothing that was acknowledged is in this thread's memory. Ten within a minute are
 * another matter: `onBroken` is called once, to end in order. Stands in for the listeners that are there; answers a
 * function that puts them back.
 */
export function guardProcess(source: CrashSource, log: Log, onBroken: () => void): () => void {
  const recent: number[] = [];
  let isBroken = false;

  function onUncaught(error: unknown): void {
    log.failure('uncaught', error);
    const now = Date.now();
    recent.push(now);
    while ((recent[0] ?? now) <= now - fuseMs) recent.shift();
    if (recent.length < fuseCount || isBroken) return;
    isBroken = true;
    log.warn('too-many-uncaught', {
      count: recent.length,
      note: 'too many uncaught exceptions: the server ends',
    });
    onBroken();
  }

  const before = events.map((event) => ({ event, listeners: source.listeners(event) }));
  for (const event of events) {
    source.removeAllListeners(event);
    source.on(event, onUncaught);
  }
  return () => {
    for (const { event, listeners } of before) {
      source.off(event, onUncaught);
      for (const listener of listeners) source.on(event, listener as () => void);
    }
  };
}
