import { formatServerAddress } from '../client/address.ts';
import type { Connection } from '../client/connection.ts';
import type { OpenedSession } from '../client/login.ts';
import { ChatError } from '../core/errors.ts';
import type { CommandContext } from './command.ts';
import { usageError } from './options.ts';
import { openProfile, type Profile, type SavedLogin } from './profile.ts';
import { checkIdentity } from './trust.ts';

/** How long a connection, and each call of a command that has no `--timeout` of its own, may take. */
export const callTimeoutMs = 10_000;
/** A session this near its end is refreshed before it is used … */
const minLifeLeftMs = 60_000;
/** … and so is one that has less than this part of its life left; never one that has half of it. */
const minLifeLeftShare = 0.1;

/** A connection that somebody is logged in on. */
export interface LoggedIn {
  readonly connection: Connection;
  readonly username: string;
  readonly userId: string;
  /** The token that this connection was logged in with. */
  readonly sessionToken: string;
  readonly expiresAt: string;
}

/** Connects to the server of this run and judges its key; nobody is logged in yet. */
export function connectTo(context: CommandContext, timeoutMs = callTimeoutMs): Promise<Connection> {
  return context.host.client.connect({
    server: context.settings.server,
    timeoutMs,
    checkIdentity: (identity) => checkIdentity(context, identity),
    signal: context.signal,
  });
}

/** What is kept of a login or refresh. */
export function savedLogin(session: OpenedSession, now: number): SavedLogin {
  const { user_id, username, session_id, session_token, refresh_token, expires_at, device_id } = session;
  const obtained_at = new Date(now).toISOString();
  return { user_id, username, session_id, session_token, refresh_token, obtained_at, expires_at, device_id };
}

/** The saved login of this run's server and context. */
export function profileOf({ host, settings }: CommandContext): Profile {
  return openProfile(host, settings.server, settings.context);
}

const logInAdvice = 'log in with: chat login';

function notLoggedIn(context: CommandContext, why: string): ChatError {
  return new ChatError(
    'unauthenticated',
    `${why} ${formatServerAddress(context.settings.server)}; ${logInAdvice}`,
  );
}

const isUnauthenticated = (error: unknown): boolean =>
  error instanceof ChatError && error.code === 'unauthenticated';

function isNearItsEnd(login: SavedLogin, now: number): boolean {
  const end = Date.parse(login.expires_at);
  const life = end - Date.parse(login.obtained_at);
  // Half of a short life is its own: what has just begun is not near its end.
  return end - now < Math.min(Math.max(minLifeLeftMs, life * minLifeLeftShare), life / 2);
}

/**
 * Gets a successor of `stale` and keeps it. Under the profile's lock, and after a second look at the file: another
 * process may have refreshed or logged in meanwhile, and then its login is the answer. Undefined when the login is over.
 */
async function refresh(
  context: CommandContext,
  connection: Connection,
  stale: SavedLogin,
): Promise<SavedLogin | undefined> {
  const profile = profileOf(context);
  return await profile.locked(async () => {
    const current = await profile.load();
    if (current === undefined || current.session_token !== stale.session_token) return current;
    try {
      const answer = await connection.call(
        'session.refresh',
        { refresh_token: current.refresh_token },
        { timeoutMs: callTimeoutMs },
      );
      const next = savedLogin(answer, context.host.now());
      await profile.save(next);
      return next;
    } catch (error) {
      if (isUnauthenticated(error)) return undefined;
      throw error;
    }
  });
}

/** Logs the connection in with a token; undefined when the server does not take it. */
async function tryResume(
  context: CommandContext,
  connection: Connection,
  sessionToken: string,
): Promise<LoggedIn | undefined> {
  try {
    const { username, user_id, expires_at } = await context.host.client.resume(connection, sessionToken);
    return { connection, username, userId: user_id, sessionToken, expiresAt: expires_at };
  } catch (error) {
    if (isUnauthenticated(error)) return undefined;
    throw error;
  }
}

/** Tries the saved login, then the file once more, then a refresh. */
async function resumeSaved(
  context: CommandContext,
  connection: Connection,
  sessionEnd: ChatError | undefined,
): Promise<LoggedIn> {
  const profile = profileOf(context);
  const saved = await profile.load();
  if (saved === undefined) throw notLoggedIn(context, 'not logged in to');
  let login = saved;
  if (isNearItsEnd(login, context.host.now())) login = (await refresh(context, connection, login)) ?? login;
  const resumed = await tryResume(context, connection, login.session_token);
  if (resumed !== undefined) return resumed;
  const next = await refresh(context, connection, login);
  const again = next === undefined ? undefined : await tryResume(context, connection, next.session_token);
  if (again === undefined && sessionEnd !== undefined)
    throw new ChatError('unauthenticated', `${sessionEnd.message}; ${logInAdvice}`);
  if (again === undefined) throw notLoggedIn(context, 'the session has ended on');
  return again;
}

/**
 * Logs `connection` in with CHAT_TOKEN or the saved login, refreshing it when it is near its end or over. Throws
 * `unauthenticated` (exit 4) with what to do.
 */
export async function resumeAny(
  context: CommandContext,
  connection: Connection,
  sessionEnd?: ChatError,
): Promise<LoggedIn> {
  const token = context.host.env.CHAT_TOKEN;
  if (token === undefined) return await resumeSaved(context, connection, sessionEnd);
  const resumed = token === '' ? undefined : await tryResume(context, connection, token);
  if (resumed !== undefined) return resumed;
  throw new ChatError('unauthenticated', 'CHAT_TOKEN is not a session token that is alive on this server');
}

/**
 * Connects and logs in with CHAT_TOKEN or the saved login, refreshing it when it is near its end or over.
 * Throws `unauthenticated` (exit 4) with what to do, and why the session ended if that is known (`sessionEnd`). The caller closes
 * the connection.
 */
export async function openSession(
  context: CommandContext,
  timeoutMs = callTimeoutMs,
  sessionEnd?: ChatError,
): Promise<LoggedIn> {
  if (context.host.env.CHAT_TOKEN === undefined && (await profileOf(context).load()) === undefined) {
    throw notLoggedIn(context, 'not logged in to');
  }
  const connection = await connectTo(context, timeoutMs);
  try {
    return await resumeAny(context, connection, sessionEnd);
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** Whose a login is. */
export type Account = Pick<SavedLogin, 'user_id' | 'username'>;

/**
 * The account of the saved login, without asking the server. Throws `unauthenticated` (exit 4) when there is none, and `invalid`
 * with CHAT_TOKEN, which does not say whose it is.
 */
export async function savedAccount(context: CommandContext): Promise<Account> {
  if (context.host.env.CHAT_TOKEN !== undefined) {
    throw usageError(
      'CHAT_TOKEN does not say whose messages are kept; the outbox needs a saved login (chat login)',
    );
  }
  const saved = await profileOf(context).load();
  if (saved === undefined) throw notLoggedIn(context, 'not logged in to');
  return { user_id: saved.user_id, username: saved.username };
}

/** A server that does not answer a call in time cannot serve now: `timeout` (exit 10) is for `tail --timeout` alone. */
export async function timeoutAsUnavailable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ChatError) || error.code !== 'timeout') throw error;
    throw new ChatError('unavailable', error.message, { cause: error });
  }
}

/** Runs `work` on a connection that nobody is logged in on yet, and closes it. */
export async function withConnection<T>(
  context: CommandContext,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  return await timeoutAsUnavailable(async () => {
    const connection = await connectTo(context);
    try {
      return await work(connection);
    } finally {
      await connection.close();
    }
  });
}

/** Runs `work` on a connection that is logged in, and closes it. */
export async function withSession<T>(
  context: CommandContext,
  work: (session: LoggedIn) => Promise<T>,
): Promise<T> {
  return await timeoutAsUnavailable(async () => {
    const session = await openSession(context);
    try {
      return await work(session);
    } finally {
      await session.connection.close();
    }
  });
}
