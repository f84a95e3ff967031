import { feedPageRows } from '../core/policy.ts';
import { believed } from './answers.ts';
import type { Connection, WireMessage } from './connection.ts';
import {
  BadFrame,
  type Fields,
  listIn,
  objectIn,
  readFollowed,
  readMessage,
  readPosition,
} from './frames.ts';
import { canonicalName, type StartingPoint, startParams } from './starting-point.ts';

/** What to read. */
export interface HistoryOptions {
  /** Logged in; it stays open. */
  readonly connection: Connection;
  /** `#room` or `@user`. */
  readonly to: string;
  readonly from: StartingPoint;
  /** At most so many messages, the first ones; all when left out. */
  readonly limit?: number | undefined;
  /** Told after which seq it begins, before the first message and also when there is none. */
  readonly onStart?: ((after: number) => void) | undefined;
}

/**
 * Reads what is stored from `from` to the end as it was at the first call, in seq order without gap; throws
 * `unavailable` when the server leaves one out. The connection must not be following `to`, for `since` and `after_id` stop that.
 */
export async function* history(options: HistoryOptions): AsyncGenerator<WireMessage, void, undefined> {
  const { connection, limit = Number.POSITIVE_INFINITY } = options;
  const to = canonicalName(options.to);
  const end = await endOf(connection, to);
  const start = await startOf(connection, to, options.from, end);
  options.onStart?.(start);
  const last = Math.min(end, start + limit);
  const read = (after: number): Promise<readonly WireMessage[]> => {
    const page = readPage(connection, to, after, Math.min(feedPageRows, last - after));
    // Read ahead: its failure belongs to whoever comes for the page, if anybody does.
    page.catch(() => {});
    return page;
  };
  let page = start < last ? read(start) : undefined;
  while (page) {
    const messages = await page;
    const seq = messages.at(-1)?.seq ?? last;
    page = seq < last ? read(seq) : undefined;
    yield* messages;
  }
}

async function endOf(connection: Connection, to: string): Promise<number> {
  const answer = await connection.call('message.history', { to, limit: 1, newest: true });
  return believed(connection, answer, (value) => readPosition(value, 'last_seq')).seq;
}

async function startOf(
  connection: Connection,
  to: string,
  from: StartingPoint,
  end: number,
): Promise<number> {
  if ('now' in from) return end;
  if ('after' in from) return from.after;
  if ('last' in from) return Math.max(0, end - from.last);
  // Only following knows moments and ids; it answers with the position and need not go on.
  const answer = await connection.call('conversation.follow', { to, ...startParams(from) });
  const after = believed(connection, answer, (value) => readFollowed(value, to));
  await connection.call('conversation.unfollow', { to });
  return after;
}

async function readPage(connection: Connection, to: string, after: number, limit: number) {
  const answer = await connection.call('message.history', { to, after, limit });
  return believed(connection, answer, (value) => {
    const fields: Fields = objectIn(value, 'a page');
    const messages = listIn(fields, 'messages').map(readMessage);
    if (messages.length === 0) throw new BadFrame(`a page without message ${after + 1} of ${to}`);
    for (const [index, message] of messages.entries()) {
      if (message.to !== to || message.seq !== after + 1 + index) {
        throw new BadFrame(`a page without message ${after + 1 + index} of ${to}`);
      }
    }
    return messages.slice(0, limit);
  });
}
