import { ChatError } from '../core/errors.ts';
import { believed } from './answers.ts';
import { backoffMs, backoffRange, passes, pause } from './backoff.ts';
import type { Connection, WireMessage } from './connection.ts';
import { readFollowed, readFollowing } from './frames.ts';
import { Inbox } from './inbox.ts';
import type { Open } from './outbox.ts';
import { canonicalName, type StartingPoint, startParams, startParamsForAll } from './starting-point.ts';

export { history } from './history.ts';
export type { Open } from './outbox.ts';
export type { StartingPoint } from './starting-point.ts';

/** How a follower fares; for a line on stderr. */
export type FollowState =
  | { readonly kind: 'following' }
  /** The next try comes after `waitMs`. */
  | { readonly kind: 'waiting'; readonly cause: ChatError; readonly waitMs: number };

/** What to follow. */
export interface FollowOptions {
  /** Makes a connection that is logged in; it is closed here. */
  readonly open: Open;
  /** `#room` and `@user`; none means all own conversations, also those that begin later. */
  readonly targets: readonly string[];
  /** Where each conversation begins. A position (`after`, `after_id`) needs targets. */
  readonly from: StartingPoint;
  /** Where conversations go on that were read before, by name: the last seq that was read; `from` is for the others. */
  readonly cursors?: ReadonlyMap<string, number> | undefined;
  /** Of all own conversations: one that begins or is joined later begins with its first message, not with the entry. */
  readonly wholeLater?: boolean | undefined;
  /** Told, before any message of theirs, after which seq conversations begin that had no cursor; also when none did. */
  readonly onStarts?: ((starts: ReadonlyMap<string, number>) => void) | undefined;
  /** Ends the iteration quietly. */
  readonly signal?: AbortSignal | undefined;
  readonly onState?: ((state: FollowState) => void) | undefined;
}

/** A message may be older than the list in which its new conversation was still missing: its commit took so long, in milliseconds. */
const unlistedMarginMs = 60_000;
const beginningOfTime = new Date(0).toISOString();
/** A message that never comes, however often it is asked for, is the server's loss: it is said, not hidden. */
const maxGapTries = 5;

/**
 * Follows conversations for ever, each in seq order, without gap or repeat over any number of lost connections. Throws
 * only what no new connection cures: `unauthenticated`, `forbidden`, `not-found`, `invalid`, `untrusted` and the like.
 * A reader that is slow leaves the socket unread; memory stays bounded.
 */
export async function* follow(options: FollowOptions): AsyncGenerator<WireMessage, void, undefined> {
  const { signal, onState } = options;
  const progress = startProgress(options);
  let failures = 0;
  let hasRetriedSession = false;
  /** Why the session ended on the last connection. */
  let sessionEnd: ChatError | undefined;
  for (;;) {
    let connection: Connection | undefined;
    let openedAt = 0;
    try {
      connection = await openUnlessAborted(() => options.open(sessionEnd), signal);
      if (!connection) return;
      openedAt = Date.now();
      sessionEnd = undefined;
      for await (const message of readConnection(connection, progress, options)) {
        failures = 0;
        hasRetriedSession = false;
        yield message;
      }
    } catch (error) {
      await connection?.close();
      if (signal?.aborted) return;
      if (openedAt > 0 && Date.now() - openedAt >= backoffRange.maxMs) {
        failures = 0;
        hasRetriedSession = false;
      }
      // A session that ended on a connection may have been renewed by another process: `open` knows.
      if (connection && isSessionLost(error) && !hasRetriedSession) {
        hasRetriedSession = true;
        sessionEnd = error;
        continue;
      }
      if (!passes(error)) throw error;
      failures += 1;
      const waitMs = backoffMs(failures, error);
      onState?.({ kind: 'waiting', cause: error, waitMs });
      await pause(waitMs, signal);
    } finally {
      await connection?.close();
    }
    if (signal?.aborted) return;
  }
}

/** How far each conversation has been read: what survives a connection. */
interface Progress {
  /** Empty when all own conversations are followed. */
  readonly targets: readonly string[];
  readonly start: object;
  /** The last seq that was handed out, or where reading began. */
  readonly cursors: Map<string, number>;
  /** Where conversations begin that were not there when all own ones were listed first. */
  unlistedSince: string | undefined;
  gap: { readonly to: string; readonly after: number; readonly tries: number } | undefined;
}

function startProgress({ targets, from, cursors }: FollowOptions): Progress {
  return {
    targets: [...new Set(targets.map(canonicalName))],
    start: targets.length === 0 ? startParamsForAll(from) : startParams(from),
    cursors: new Map(cursors),
    unlistedSince: undefined,
    gap: undefined,
  };
}

/** What one connection has to say, from where the last one ended; throws why it ended. */
async function* readConnection(
  connection: Connection,
  progress: Progress,
  options: FollowOptions,
): AsyncGenerator<WireMessage, void, undefined> {
  const { signal, onState } = options;
  const inbox = new Inbox(connection);
  const onAbort = (): void => void connection.close();
  signal?.addEventListener('abort', onAbort);
  try {
    if (signal?.aborted) return;
    const begin = progress.targets.length === 0 ? startAll : startEach;
    const starts = begin(connection, progress, options);
    const reading: Reading = { connection, inbox, starts, startedOver: new Map() };
    Promise.all(starts.values())
      .then(() => onState?.({ kind: 'following' }))
      // What a listener throws ends it too.
      .catch((error: unknown) => inbox.fail(error));
    while (!signal?.aborted) {
      const message = inbox.take();
      if (!message) await inbox.arrival();
      else if (await isNext(message, progress, reading, options)) yield message;
    }
  } finally {
    signal?.removeEventListener('abort', onAbort);
    inbox.stop();
  }
}

/** What is under way for a conversation; `everything` for those that are not named. */
type Starts = ReadonlyMap<string, Promise<void>>;
const everything = '';

/** One connection that is read. */
interface Reading {
  readonly connection: Connection;
  readonly inbox: Inbox;
  readonly starts: Starts;
  /** Conversations that were asked for once more from their beginning, and the last seq of the stream that this replaces. */
  readonly startedOver: Map<string, number>;
}

function startEach(connection: Connection, progress: Progress, { onStarts }: FollowOptions): Starts {
  const { targets, start, cursors } = progress;
  const startOne = async (to: string): Promise<void> => {
    const after = cursors.get(to);
    const params = after === undefined ? { to, ...start } : { to, after };
    const answer = await connection.call('conversation.follow', params);
    const begins = believed(connection, answer, (value) => readFollowed(value, to));
    if (after !== undefined) return;
    cursors.set(to, begins);
    onStarts?.(new Map([[to, begins]]));
  };
  return new Map(targets.map((to) => [to, startOne(to)]));
}

function startAll(
  connection: Connection,
  progress: Progress,
  { wholeLater, onStarts }: FollowOptions,
): Starts {
  const { start, cursors, unlistedSince } = progress;
  const startThem = async (): Promise<void> => {
    const others = unlistedSince === undefined ? start : { since: unlistedSince };
    const params = cursors.size === 0 ? others : { cursors: Object.fromEntries(cursors), ...others };
    const answer = await connection.call('conversation.follow', params);
    const { at, starts } = believed(connection, answer, readFollowing);
    progress.unlistedSince ??= wholeLater
      ? beginningOfTime
      : new Date(Date.parse(at) - unlistedMarginMs).toISOString();
    const begun = new Map([...starts].filter(([to]) => !cursors.has(to)));
    for (const [to, after] of begun) cursors.set(to, after);
    onStarts?.(begun);
  };
  return new Map([[everything, startThem()]]);
}

/** True for the very next message of its conversation, which is then counted as handed out; throws at a gap. */
async function isNext(
  message: WireMessage,
  progress: Progress,
  reading: Reading,
  { wholeLater }: FollowOptions,
): Promise<boolean> {
  const { to, seq } = message;
  const { cursors } = progress;
  const { inbox, starts, startedOver } = reading;
  const start = starts.get(to) ?? starts.get(everything);
  // Not ours: followed by somebody else on the same connection.
  if (!start) return false;
  // An event can overtake the answer that says where its conversation begins.
  if (!cursors.has(to)) await inbox.answerTo(start);
  const replaced = startedOver.get(to);
  if (replaced !== undefined) {
    // Each stream counts upwards: what is higher still belongs to the one that began with the entry.
    if (seq > replaced) {
      startedOver.set(to, seq);
      return false;
    }
    startedOver.delete(to);
  }
  // A conversation that was not listed has begun just now, or was joined.
  const isUnlisted = !cursors.has(to);
  if (isUnlisted && wholeLater && seq > 1) {
    startOver(to, seq, progress, reading);
    return false;
  }
  const after = cursors.get(to) ?? seq - 1;
  if (seq <= after) return false;
  if (seq > after + 1) throw gapError(to, after, progress);
  cursors.set(to, seq);
  return true;
}

/** Asks for a conversation from its beginning, in place of the stream that began at `seq`. */
function startOver(to: string, seq: number, progress: Progress, reading: Reading): void {
  progress.cursors.set(to, 0);
  reading.startedOver.set(to, seq);
  reading.connection.call('conversation.follow', { to, after: 0 }).catch((error: unknown) => {
    // It was left again meanwhile, and is none of ours.
    if (error instanceof ChatError && (error.code === 'forbidden' || error.code === 'not-found')) {
      progress.cursors.delete(to);
      reading.startedOver.delete(to);
    } else reading.inbox.fail(error);
  });
}

/** A message is missing: it is asked for again on a new connection, a few times. */
function gapError(to: string, after: number, progress: Progress): ChatError {
  const { gap } = progress;
  const tries = gap?.to === to && gap.after === after ? gap.tries + 1 : 1;
  progress.gap = { to, after, tries };
  const text = `the server skipped message ${after + 1} of ${to}`;
  return tries < maxGapTries
    ? new ChatError('unavailable', `${text}: asking for it again`)
    : new ChatError('internal', `${text}, and has done so ${tries} times`);
}

/** Undefined when `signal` aborts first; a connection that comes later is closed. */
function openUnlessAborted(
  open: () => Promise<Connection>,
  signal: AbortSignal | undefined,
): Promise<Connection | undefined> {
  if (!signal) return open();
  return new Promise((resolve, reject) => {
    const onAbort = (): void => resolve(undefined);
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort);
    open()
      .then((connection) => {
        if (signal.aborted) void connection.close();
        else resolve(connection);
      }, reject)
      .finally(() => signal.removeEventListener('abort', onAbort));
  });
}

function isSessionLost(error: unknown): error is ChatError {
  return error instanceof ChatError && error.code === 'unauthenticated';
}
