import type { CommandContext } from './command.ts';
import { aborted } from './hand-over.ts';

/** What ends a tail by itself: enough was handed over, time is over, somebody asked, nobody reads, or the cursor failed. */
export interface Limits {
  readonly signal: AbortSignal;
  readonly isTimeOver: () => boolean;
  readonly count: number | undefined;
  /** Ends it because of what the cursor will throw when it is closed. */
  readonly cursorFailed: () => void;
  readonly stop: () => void;
}

/** How often it is looked whether anybody still reads, in milliseconds: nobody is to wait for a next message to see it end. */
const lookEveryMs = 200;

/** Starts to count the time, in seconds, and to watch the reader. */
export function startLimits(
  { host, signal }: CommandContext,
  { timeout, count }: { readonly timeout: number | undefined; readonly count: number | undefined },
): Limits {
  const time = new AbortController();
  const cursor = new AbortController();
  const timer = timeout === undefined ? undefined : setTimeout(() => time.abort(), timeout * 1000);
  const looking = setInterval(() => host.stdout.isReaderGone(), lookEveryMs);
  looking.unref();
  return {
    signal: AbortSignal.any([signal, time.signal, host.stdout.gone, cursor.signal]),
    isTimeOver: () => time.signal.aborted,
    count,
    cursorFailed: () => cursor.abort(),
    stop() {
      clearTimeout(timer);
      clearInterval(looking);
    },
  };
}

/** What `work` answers, or undefined when `signal` aborts first; then `drop` gets what comes later. */
export async function unlessAborted<T>(
  signal: AbortSignal,
  work: () => Promise<T>,
  drop: (late: T) => unknown,
): Promise<T | undefined> {
  if (signal.aborted) return undefined;
  const working = work();
  const first = await Promise.race([working, aborted(signal)]);
  if (first === undefined) working.then(drop, () => {});
  return first ?? undefined;
}
