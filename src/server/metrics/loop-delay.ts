import { monitorEventLoopDelay } from 'node:perf_hooks';

/** By how much an event loop was late, in seconds. */
export interface LoopDelays {
  /** The delays below which half of all, and 99 of 100, lay. */
  readonly p50: number;
  readonly p99: number;
}

/** By how much the event loop was late lately. */
export interface LoopDelay {
  /** Of the window before this one, or of this one when it is the first or has lasted for a while. */
  read(): LoopDelays;
  stop(): void;
}

/** A tick each so many milliseconds is what the loop is measured by. */
const tickMs = 20;
/** What is told is of the last five minutes, or a part of them. */
const windowMs = 300_000;
/** A window is worth telling of after so long. */
const fullMs = 60_000;

/** What records the time between two ticks, in nanoseconds. */
export type Ticks = Pick<
  ReturnType<typeof monitorEventLoopDelay>,
  'enable' | 'disable' | 'reset' | 'count' | 'percentile'
>;

/** Measures how late the event loop of this thread is, by `ticks` of 20 ms; a timer's wake-up for each is what that costs. */
export function watchLoopDelay(ticks: Ticks = monitorEventLoopDelay({ resolution: tickMs })): LoopDelay {
  ticks.enable();
  let beganAt = performance.now();
  let before: LoopDelays | undefined;

  const delayOf = (percent: number): number =>
    ticks.count === 0 ? 0 : Math.max(0, ticks.percentile(percent) / 1_000_000 - tickMs) / 1_000;
  const now = (): LoopDelays => ({ p50: delayOf(50), p99: delayOf(99) });

  const timer = setInterval(() => {
    before = now();
    ticks.reset();
    beganAt = performance.now();
  }, windowMs);
  timer.unref();
  return {
    read: () => (performance.now() - beganAt < fullMs ? before : undefined) ?? now(),
    stop() {
      clearInterval(timer);
      ticks.disable();
    },
  };
}
