import { backoffMs, passes, pause } from '../client/backoff.ts';
import { checkText } from '../client/check-text.ts';
import type { Caller, Connection } from '../client/connection.ts';
import { history } from '../client/history.ts';
import { pages } from '../client/pages.ts';
import { sendReliably } from '../client/send.ts';
import { canonicalName, type StartingPoint } from '../client/starting-point.ts';
import { ChatError } from '../core/errors.ts';
import type { InputOf, OperationName, OutputOf } from '../core/operations/index.ts';
import { uuidV7 } from '../core/random.ts';
import type {
  Chat,
  ConnectOptions,
  Following,
  FollowOptions,
  HistoryOptions,
  Message,
  Room,
  SendOptions,
  StartOptions,
  Stored,
  User,
} from './contract.ts';
import { followConversations } from './following.ts';
import { Line } from './line.ts';
import { keysOnThisMachine, noKeys, type PrivateKeys, pinOnThisMachine } from './private-messages.ts';
import { Sessions, tryTimeoutMs } from './sessions.ts';
import { checkOptions, refused, type Settled, settleOptions } from './settle-options.ts';

/** What is left of its time to a message that has waited for others, at least, in milliseconds. */
const leastSendMs = 1_000;

/** A pause before another try. */
interface Waiting {
  /** How often it failed in a row. */
  readonly failures: number;
  readonly cause: ChatError;
  /** When it makes no sense any more. */
  readonly until?: number;
  readonly signal?: AbortSignal;
}

/**
 * Logs in to a server; a server that is away is tried again until `timeoutMs`. Throws {@link ChatError}: `invalid` for options that do not
 * fit, `untrusted` for a server that is not the one that was meant, `unauthenticated`, `unavailable`.
 */
export async function connect(options: ConnectOptions): Promise<Chat> {
  const chat = new OpenChat(settleOptions(options));
  try {
    await chat.begin();
    return chat;
  } catch (error) {
    await chat.close();
    throw error;
  }
}

class OpenChat implements Chat {
  readonly #settled: Settled;
  readonly #sessions: Sessions;
  readonly #line: Line;
  readonly #keys: PrivateKeys;
  readonly #ending = new AbortController();
  /** Sends wait for those before them. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(settled: Settled) {
    this.#settled = settled;
    const { server, keys } = settled;
    this.#sessions = new Sessions(settled, {
      pinOf: async (username) => (keys ? await pinOnThisMachine(server, username) : undefined),
      signal: this.#ending.signal,
    });
    this.#line = new Line(this.#sessions.open);
    const caller: Caller = {
      server,
      call: (name, params) => this.#call(name, params),
      close: () => this.#line.close(),
    };
    this.#keys = keys ? keysOnThisMachine(caller, () => this.username) : noKeys;
  }

  get username(): string {
    return this.#sessions.username;
  }

  /** Has the first connection made. */
  async begin(): Promise<void> {
    await this.#untilDone(this.#settled.timeoutMs, async () => {});
  }

  async send(to: string, text: string, options: SendOptions = {}): Promise<Stored> {
    checkOptions(options, { key: 'text', timeoutMs: 'number', allowClear: 'flag' });
    if (typeof text !== 'string') throw refused('text', 'it is a string');
    checkText('the text', text);
    const name = nameOf('to', to);
    const { key = uuidV7(), timeoutMs = this.#settled.timeoutMs, allowClear = false } = options;
    const calledAt = Date.now();
    const sent = this.#turn.then(() => {
      this.#checkOpen();
      return sendReliably({
        open: this.#line.open,
        release: () => {},
        to: name,
        seal: name.startsWith('@')
          ? (_connection: Connection, clear: string) => this.#keys.seal(name, clear, allowClear)
          : undefined,
        text,
        key,
        // The time that others took is of this message's own too; a first try it has in any case.
        timeoutMs: Math.max(timeoutMs - (Date.now() - calledAt), Math.min(timeoutMs, leastSendMs)),
        signal: this.#ending.signal,
        onRetry: (cause, waitMs) => this.#settled.onState({ kind: 'waiting', cause, waitMs }),
      });
    });
    this.#turn = sent.catch(() => {});
    return await sent;
  }

  follow(to: string | readonly string[] = [], options: FollowOptions = {}): Following {
    checkOptions(options, { last: 'count', since: 'moment', cursors: 'positions', own: 'flag' });
    this.#checkOpen();
    const { cursors, own = false } = options;
    return followConversations({
      open: this.#sessions.open,
      targets: [to].flat().map((one) => nameOf('to', one)),
      from: startOf(options) ?? { now: true },
      cursors,
      shows: (message) => own || message.sender !== this.username,
      openMessage: (message, signal) => this.#untilOpened(message, signal),
      signal: this.#ending.signal,
      onState: this.#settled.onState,
    });
  }

  history(to: string, options: HistoryOptions = {}): AsyncIterable<Message> {
    checkOptions(options, { last: 'count', since: 'moment', after: 'count', limit: 'count' });
    const { after, limit } = options;
    const start = startOf(options);
    if (start && after !== undefined) throw refused('after', 'it goes without last and since');
    return this.#read(nameOf('to', to), start ?? { after: after ?? 0 }, limit);
  }

  async *#read(
    to: string,
    begin: StartingPoint,
    limit = Number.POSITIVE_INFINITY,
  ): AsyncGenerator<Message, void, undefined> {
    const { timeoutMs } = this.#settled;
    let from = begin;
    let left = limit;
    let giveUpAt = Date.now() + timeoutMs;
    let hasRetriedSession = false;
    while (left > 0) {
      let connection: Connection | undefined;
      try {
        connection = await this.#untilDone(timeoutMs, async (opened) => opened);
        for await (const message of history({
          connection,
          to,
          from,
          ...(Number.isFinite(left) && { limit: left }),
        })) {
          const opened = await this.#keys.open(message);
          from = { after: message.seq };
          left -= 1;
          hasRetriedSession = false;
          yield opened;
          giveUpAt = Date.now() + timeoutMs;
        }
        return;
      } catch (error) {
        this.#checkOpen();
        // The rest is asked for on a new connection, in a new session if there is one.
        if (connection && isSessionLost(error) && !hasRetriedSession) {
          hasRetriedSession = true;
          await connection.close();
          continue;
        }
        if (!passes(error) || Date.now() >= giveUpAt) throw error;
        if (error.code === 'timeout') await connection?.close();
        await this.#wait({ failures: 1, cause: error, until: giveUpAt });
      }
    }
  }

  async users(options: { readonly all?: boolean | undefined } = {}): Promise<User[]> {
    checkOptions(options, { all: 'flag' });
    const { all = false } = options;
    return await this.#all(
      ({ after }) => this.#call('user.list', { all, ...cursorOf(after) }),
      ({ users }) => users,
    );
  }

  async rooms(): Promise<Room[]> {
    return await this.#all(
      ({ after }) => this.#call('room.list', cursorOf(after)),
      ({ rooms }) => rooms,
    );
  }

  async members(room: string): Promise<User[]> {
    const name = roomOf(room);
    return await this.#all(
      ({ after }) => this.#call('room.members', { room: name, ...cursorOf(after) }),
      ({ members }) => members,
    );
  }

  async join(room: string): Promise<boolean> {
    const { joined } = await this.#call('room.join', { room: roomOf(room) });
    return joined;
  }

  async leave(room: string): Promise<boolean> {
    try {
      await this.#call('room.leave', { room: roomOf(room) });
      return true;
    } catch (error) {
      // Not in it: so it is too when an earlier try has left it, and its answer was lost.
      if (error instanceof ChatError && error.code === 'conflict') return false;
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#ending.abort(new ChatError('unavailable', closedText));
    // First, so that nobody logs in any more; what was under way has been given up, and its connection with it.
    await this.#line.close();
    await this.#sessions.end();
  }

  async #all<Page extends { readonly next: string | null }, Row>(
    fetch: (cursor: { readonly after?: string }) => Promise<Page>,
    rows: (page: Page) => readonly Row[],
  ): Promise<Row[]> {
    const found: Row[] = [];
    for await (const page of pages(fetch)) found.push(...rows(page));
    return found;
  }

  /** Makes a call that may be made twice, on whatever connection there is, until it is answered or the time is over. */
  #call<N extends OperationName>(name: N, params: InputOf<N>): Promise<OutputOf<N>> {
    return this.#untilDone(this.#settled.timeoutMs, (connection, leftMs) =>
      connection.call(name, params, { timeoutMs: Math.min(leftMs, tryTimeoutMs) }),
    );
  }

  /** Tries again what may pass, until `timeoutMs` are over; a session that has ended is renewed once. */
  async #untilDone<T>(
    timeoutMs: number,
    attempt: (connection: Connection, leftMs: number) => Promise<T>,
  ): Promise<T> {
    const until = Date.now() + timeoutMs;
    let sessionEnd: ChatError | undefined;
    for (let failures = 1; ; failures += 1) {
      this.#checkOpen();
      let connection: Connection | undefined;
      try {
        connection = await this.#line.open(sessionEnd);
        return await attempt(connection, Math.max(until - Date.now(), 0));
      } catch (error) {
        this.#checkOpen();
        if (connection && isSessionLost(error) && sessionEnd === undefined) {
          sessionEnd = error;
          await connection.close();
          continue;
        }
        const leftMs = until - Date.now();
        if (!passes(error) || leftMs <= 0 || (error.details.retryAfterMs ?? 0) > leftMs) throw error;
        // An answer that does not come may come on another connection.
        if (error.code === 'timeout') await connection?.close();
        await this.#wait({ failures, cause: error, until });
      }
    }
  }

  /** Lookups of keys are made again for as long as a loop goes on. */
  async #untilOpened(message: Message, signal: AbortSignal): Promise<Message> {
    for (let failures = 1; ; failures += 1) {
      try {
        return await this.#keys.open(message);
      } catch (error) {
        if (!passes(error) || signal.aborted) throw error;
        await this.#wait({ failures, cause: error, signal });
      }
    }
  }

  async #wait({ failures, cause, until = Number.POSITIVE_INFINITY, signal = this.#ending.signal }: Waiting) {
    const waitMs = Math.max(Math.min(backoffMs(failures, cause), until - Date.now()), 0);
    this.#settled.onState({ kind: 'waiting', cause, waitMs });
    await pause(waitMs, signal);
  }

  #checkOpen(): void {
    if (this.#ending.signal.aborted) throw new ChatError('unavailable', closedText);
  }
}

const closedText = 'this chat was closed: connect again';

function isSessionLost(error: unknown): error is ChatError {
  return error instanceof ChatError && error.code === 'unauthenticated';
}

function nameOf(field: string, name: unknown): string {
  if (typeof name !== 'string') throw refused(field, 'it is a #room or a @user');
  return canonicalName(name);
}

function roomOf(room: unknown): string {
  const name = nameOf('room', typeof room === 'string' && !/^[#@]/.test(room) ? `#${room}` : room);
  if (!name.startsWith('#')) throw refused('room', 'it is a #room');
  return name;
}

function startOf({ last, since }: StartOptions): StartingPoint | undefined {
  if (last !== undefined && since !== undefined) throw refused('since', 'it goes without last');
  if (last !== undefined) return { last };
  return since === undefined ? undefined : { since: new Date(since).toISOString() };
}

function cursorOf(after: string | undefined): { readonly after?: string } {
  return after === undefined ? {} : { after };
}
