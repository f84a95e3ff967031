import { ChatError, type ErrorCode } from '../core/errors.ts';
import { randomBytes } from '../core/random.ts';

/** The shortest and the longest wait between two tries, in milliseconds. */
export const backoffRange = { minMs: 100, maxMs: 5_000 } as const;

/** Causes that pass by themselves: the same call under the same key may be made again. */
const passing: readonly ErrorCode[] = ['unavailable', 'rate-limited', 'timeout'];

/** True for a failure after which it makes sense to try the same again. */
export function passes(error: unknown): error is ChatError {
  return error instanceof ChatError && passing.includes(error.code);
}

/**
 * How long to wait after the `failures`-th failure in a row (1, 2, …), in milliseconds: 100 to 200, twice that each
 * time, at most 2,500 to 5,000; the randomness keeps clients that lost one server from coming back as one.
 * A server that says when to come back is obeyed.
 */
export function backoffMs(failures: number, error: ChatError): number {
  const { minMs, maxMs } = backoffRange;
  const most = Math.min(maxMs, minMs * 2 ** Math.min(failures, 16));
  const [byte = 0, low = 0] = randomBytes(2);
  const waitMs = Math.round(most * (0.5 + (byte * 256 + low) / 131_072));
  return Math.max(waitMs, error.details.retryAfterMs ?? 0);
}

/** Resolves after `ms`, or at once when `signal` aborts. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done);
  });
}
