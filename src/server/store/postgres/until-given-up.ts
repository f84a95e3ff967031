import type { Connections } from './connections.ts';
import type { Session } from './session.ts';

/** A connection that cancels is waited for so long, in milliseconds. */
const cancelMs = 1_000;

/**
 * `work` with a connection, which is dropped at once when `signal` says so. PostgreSQL finds out only at its next answer that nobody is there,
 * and would go on until then: so it is told by another connection to cancel what is under way.
 */
export function untilGivenUp<Result>(
  pool: Connections,
  signal: AbortSignal | undefined,
  work: (session: Session) => Promise<Result>,
): (session: Session) => Promise<Result> {
  if (!signal) return work;
  return async (session) => {
    const { rows } = await session.execute('SELECT pg_backend_pid() AS pid');
    signal.throwIfAborted();
    const [{ pid = 0 } = {}] = rows as { pid: number }[];
    let cancelled: Promise<unknown> | undefined;
    const giveUp = (): void => {
      session.drop();
      const over = Promise.withResolvers<void>();
      const timer = setTimeout(over.resolve, cancelMs);
      const cancel = pool.use((other) => other.execute('SELECT pg_cancel_backend($1)', [pid]), cancelMs);
      // Who cannot be asked ends by itself.
      cancelled = Promise.race([cancel.catch(() => {}), over.promise]).finally(() => clearTimeout(timer));
    };
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      return await work(session);
    } finally {
      signal.removeEventListener('abort', giveUp);
      await cancelled;
    }
  };
}
