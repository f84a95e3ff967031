import { formatServerAddress } from '../client/address.ts';
import type { ClientCertificate, Connection } from '../client/connection.ts';
import type { OpenedSession } from '../client/login.ts';
import { ChatError } from '../core/errors.ts';
import { withAdvice } from './certificate-advice.ts';
import type { CommandContext } from './command.ts';
import type { KeptCertificate } from './kept-certificate.ts';
import { keepRealm } from './known-servers.ts';
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
  /** True when the connection has shown the certificate that this account logs in with here. */
  readonly showsCertificate: boolean;
}

/** Connects to the server of this run and judges its key, showing a certificate if there is one to show; nobody is logged in yet. */
export function connectTo(
  context: CommandContext,
  timeoutMs = callTimeoutMs,
  certificate?: ClientCertificate,
): Promise<Connection> {
  return context.host.client.connect({
    server: context.settings.server,
    timeoutMs,
    checkIdentity: (identity) => checkIdentity(context, identity),
    signal: context.signal,
    certificate,
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
      const next = { ...savedLogin(answer, context.host.now()), by: current.by };
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
  certificate?: KeptCertificate,
): Promise<LoggedIn | undefined> {
  try {
    const { username, user_id, expires_at } = await context.host.client.resume(connection, sessionToken);
    const showsCertificate = certificate !== undefined;
    return { connection, username, userId: user_id, sessionToken, expiresAt: expires_at, showsCertificate };
  } catch (error) {
    if (isUnauthenticated(error)) return undefined;
    throw error;
  }
}

/** What is known besides of a login that is gone on with. */
interface Resuming {
  /** The one that the connection has shown, of the saved login's account. */
  readonly certificate?: KeptCertificate | undefined;
  /** Why the session ended, if that is known. */
  readonly sessionEnd?: ChatError | undefined;
}

/**
 * Logs in once more with the certificate that the connection has shown, and keeps the new session. Throws `unauthenticated` with what to do
 * when that is refused, and goes by that certificate no more: each further try would count as a failed login of this address.
 */
async function logInAgain(
  context: CommandContext,
  connection: Connection,
  over: SavedLogin,
  certificate: KeptCertificate,
): Promise<LoggedIn | undefined> {
  const { host } = context;
  const profile = profileOf(context);
  return await profile.locked(async () => {
    const current = await profile.load();
    // Another process was faster, or somebody has logged out.
    if (current?.session_token !== over.session_token)
      return current && (await tryResume(context, connection, current.session_token, certificate));
    try {
      const device = { id: over.device_id, default_label: host.hostName };
      const { username } = over;
      const { session, realm } = await host.client.loginByCertificate(connection, { username, device });
      await keepRealm(host, context.settings.server, { username, realm });
      const login: SavedLogin = { ...savedLogin(session, host.now()), by: 'certificate' };
      await profile.save(login);
      const { user_id: userId, session_token: sessionToken, expires_at: expiresAt } = login;
      return { connection, username, userId, sessionToken, expiresAt, showsCertificate: true };
    } catch (error) {
      if (error instanceof ChatError && error.code === 'second-factor-required') return undefined;
      if (isUnauthenticated(error)) await profile.save({ ...over, by: undefined });
      throw withAdvice(error, certificate, false);
    }
  });
}

/** Tries the saved login, then the file once more, then a refresh, then the certificate. */
async function resumeSaved(
  context: CommandContext,
  connection: Connection,
  { certificate, sessionEnd }: Resuming,
): Promise<LoggedIn> {
  const profile = profileOf(context);
  const saved = await profile.load();
  if (saved === undefined) throw notLoggedIn(context, 'not logged in to');
  let login = saved;
  if (isNearItsEnd(login, context.host.now())) login = (await refresh(context, connection, login)) ?? login;
  const resumed = await tryResume(context, connection, login.session_token, certificate);
  if (resumed !== undefined) return resumed;
  const next = await refresh(context, connection, login);
  const again =
    next === undefined
      ? certificate && (await logInAgain(context, connection, login, certificate))
      : await tryResume(context, connection, next.session_token, certificate);
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
  resuming: Resuming = {},
): Promise<LoggedIn> {
  const token = context.host.env.CHAT_TOKEN;
  if (token === undefined) return await resumeSaved(context, connection, resuming);
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
  const isToken = context.host.env.CHAT_TOKEN !== undefined;
  const saved = isToken ? undefined : await profileOf(context).load();
  if (!isToken && saved === undefined) throw notLoggedIn(context, 'not logged in to');
  const certificate = await certificateOf(context, saved);
  const connection = await connectTo(context, timeoutMs, certificate);
  try {
    const session = await resumeAny(context, connection, { certificate, sessionEnd });
    if (certificate?.isDue) {
      const { renewCertificate } = await import('./renew-certificate.ts');
      await renewCertificate(context, connection, session.username);
    }
    return session;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** The certificate that a saved login goes with; undefined for a password's, and where the files have gone. */
async function certificateOf(
  { host, settings }: CommandContext,
  saved: SavedLogin | undefined,
): Promise<KeptCertificate | undefined> {
  if (saved?.by !== 'certificate' || settings.server.scheme !== 'chat') return undefined;
  const { openCertificateFiles } = await import('./certificate-files.ts');
  return await openCertificateFiles(host, settings.server, saved.username).load();
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

/** Runs `work` on a connection that nobody is logged in on yet, and that has shown `certificate`, and closes it. */
export async function withConnection<T>(
  context: CommandContext,
  work: (connection: Connection) => Promise<T>,
  certificate?: ClientCertificate,
): Promise<T> {
  return await timeoutAsUnavailable(async () => {
    const connection = await connectTo(context, callTimeoutMs, certificate);
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
