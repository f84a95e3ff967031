import { backoffMs, passes, pause } from '../../client/backoff.ts';
import type { Connection } from '../../client/connection.ts';
import { ChatError } from '../../core/errors.ts';
import type { InputOf } from '../../core/operations/index.ts';
import type { CommandContext } from '../command.ts';
import { callTimeoutMs, openSession, timeoutAsUnavailable } from '../session.ts';
import { startLimits, unlessAborted } from '../tail-limits.ts';
import type { AuditAnswer, WireAuditRow } from './verify-trail.ts';

/** Which rows are wanted. */
export type TrailFilter = Pick<InputOf<'admin.audit'>, 'since' | 'user' | 'operation'>;
/** Asks the server for a page. */
export type FetchPage = (input: InputOf<'admin.audit'>) => Promise<AuditAnswer>;

/** A walk along the trail, which goes on where it was over any number of connections. */
export interface Walk {
  filter: TrailFilter;
  readonly print: (row: WireAuditRow) => Promise<void>;
  /** All rows up to this one that fit were printed. */
  seq: number;
}

/** What one page asks for at most. */
export const pageRows = 1_000;
/** How often it is asked for what is new, in milliseconds. */
const followMs = 1_000;

/** Asks on `connection`, with the time that a call may take. */
export function fetchOn(connection: Connection): FetchPage {
  return (input) => connection.call('admin.audit', input, { timeoutMs: callTimeoutMs });
}

/** Prints the last rows that fit, in their order. */
export async function printLast(fetch: FetchPage, walk: Walk, count: number): Promise<void> {
  // Asked first, so that nothing is missed between the last rows and the new ones.
  const { ends } = await fetch({ after: Number.MAX_SAFE_INTEGER, limit: 1 });
  const found: WireAuditRow[] = [];
  let before: number | null = ends.head.seq + 1;
  while (found.length < count && before !== null) {
    const limit = Math.min(count - found.length, pageRows);
    const page: AuditAnswer = await fetch({ ...walk.filter, before, newest: true, limit });
    found.unshift(...page.rows);
    before = page.next;
  }
  for (const row of found) await walk.print(row);
  walk.seq = ends.head.seq;
}

/** Prints every row that fits from where the walk is to the end. Throws `untrusted` when the trail has become shorter meanwhile. */
export async function printNew(fetch: FetchPage, walk: Walk): Promise<void> {
  for (;;) {
    const page = await fetch({ ...walk.filter, after: walk.seq, limit: pageRows });
    const end = page.ends.head.seq;
    if (end < walk.seq) {
      throw new ChatError(
        'untrusted',
        `the audit trail is not intact: it ends at row ${end}, and there was a row ${walk.seq} before`,
      );
    }
    for (const row of page.rows) {
      await walk.print(row);
      walk.seq = row.seq;
    }
    if (page.next === null) {
      // The ends are older than the page: all up to there was looked at.
      walk.seq = Math.max(walk.seq, end);
      return;
    }
    walk.seq = page.next;
  }
}

/**
 * Prints what `begin` does, then new rows as they are written, until the reader has gone. The first connection has to succeed; one
 * that is lost later is made again, and the walk goes on without a gap or a repeat.
 */
export async function followTrail(
  context: CommandContext,
  walk: Walk,
  begin: (fetch: FetchPage) => Promise<void>,
): Promise<void> {
  const { signal, stop } = startLimits(context, { timeout: undefined, count: undefined });
  const limited = { ...context, signal };
  let hasBegun = false;
  let hasConnected = false;
  let failures = 0;
  let hasRetriedSession = false;
  /** Reads on one connection until it is lost. */
  async function read(connection: Connection): Promise<void> {
    const fetch = fetchOn(connection);
    if (!hasBegun) await begin(fetch);
    hasBegun = true;
    while (!signal.aborted) {
      await printNew(fetch, walk);
      failures = 0;
      hasRetriedSession = false;
      await pause(followMs, signal);
    }
  }
  try {
    while (!signal.aborted) {
      let connection: Connection | undefined;
      // A call that is waited for ends with its connection.
      const close = (): void => void connection?.close();
      signal.addEventListener('abort', close);
      try {
        const session = await unlessAborted(
          signal,
          () => timeoutAsUnavailable(() => openSession(limited)),
          (late) => late.connection.close(),
        );
        if (!session) return;
        hasConnected = true;
        connection = session.connection;
        await read(connection);
      } catch (error) {
        if (signal.aborted) return;
        const isSessionLost = error instanceof ChatError && error.code === 'unauthenticated';
        // A session that ended on a connection may have been renewed by another process.
        if (connection && isSessionLost && !hasRetriedSession) {
          hasRetriedSession = true;
          continue;
        }
        if (!hasConnected || !passes(error)) throw error;
        failures += 1;
        await context.output.note(`${error.message}; trying again`);
        await pause(backoffMs(failures, error), signal);
      } finally {
        signal.removeEventListener('abort', close);
        await connection?.close();
      }
    }
  } finally {
    stop();
  }
}
