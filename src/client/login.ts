import { fromBase64, toBase64 } from '../core/crypto/bytes.ts';
import type { ChannelBinding, LoginPin, StartedLogin } from '../core/crypto/scram-client.ts';
import type { OnProgress, StretchInput } from '../core/crypto/stretch.ts';
import { ChatError } from '../core/errors.ts';
import type { Verifier } from '../core/model/account.ts';
import { type Password, parsePassword } from '../core/model/password.ts';
import type { Terms } from '../core/model/terms.ts';
import { parseUsername, type Username } from '../core/model/username.ts';
import type { InputOf } from '../core/operations/index.ts';
import { bcryptCostRange } from '../core/policy.ts';
import { randomBytes } from '../core/random.ts';
import { believed } from './answers.ts';
import type { Connection } from './connection.ts';
import { BadFrame, type Fields, instantIn, listIn, objectIn, textIn } from './frames.ts';
import { readPasswordPolicy } from './password-policy.ts';
import { type CodeSource, withCode } from './second-factor.ts';

export type { LoginPin } from '../core/crypto/scram-client.ts';

/** Who registers. The password never leaves this process: what is sent cannot log in (security 1). */
export interface RegisterOptions {
  readonly username: string;
  readonly password: string;
  readonly email?: string | undefined;
  /** A code from an administrator, where one is needed. */
  readonly invite?: string | undefined;
  /** Asked for one when the server needs it and none was given. */
  readonly askInvite?: (() => Promise<string>) | undefined;
  /** Asked whether the terms of the server are accepted, where there are any: throws when they are not. */
  readonly acceptTerms?: ((terms: Terms) => Promise<void>) | undefined;
  /** Told of a password that the server takes, but should better not be used. */
  readonly onWarning?: ((text: string) => void) | undefined;
  /** Told how much of the password's stretching is done, 0 to 1. */
  readonly onProgress?: ((fraction: number) => void) | undefined;
}

/** A new account; it is not logged in yet. */
export interface RegisteredAccount {
  readonly user_id: string;
  readonly username: string;
  readonly created_at: string;
}

/** Who logs in, on which device. */
export interface LoginOptions extends CodeSource {
  readonly username: string;
  readonly password: string;
  readonly device?:
    | {
        readonly id?: string | undefined;
        readonly label?: string | undefined;
        readonly default_label?: string | undefined;
      }
    | undefined;
  /** What the last login to this server gave: nothing weaker, and no other server, is accepted (security 1.6). */
  readonly pin?: LoginPin | undefined;
  /** Told how much of the password's stretching is done, 0 to 1. */
  readonly onProgress?: ((fraction: number) => void) | undefined;
}

/** What an account's owner is to be told at a login. */
export interface Standing {
  /** True when the server has terms that the account has not accepted as they are now. */
  readonly hasNewTerms: boolean;
  /** When the account is to be erased. */
  readonly erasesAt: string | undefined;
  /** When an administrator took the account's second factor away, for a month after. */
  readonly factorTakenAt: string | undefined;
}

/** A session with its tokens, which are shown this once. */
export interface OpenedSession {
  readonly user_id: string;
  readonly username: string;
  readonly session_id: string;
  readonly session_token: string;
  readonly refresh_token: string;
  readonly expires_at: string;
  readonly device_id: string;
}

/** A session that a connection was bound to by its token. */
export interface ResumedSession {
  readonly user_id: string;
  readonly username: string;
  readonly session_id: string;
  readonly expires_at: string;
  readonly device_id: string;
}

/** How long a server may take to store a raised verifier, in milliseconds: the login is done, and waits for nothing else. */
const raiseTimeoutMs = 10_000;

/** The name of a login suite or of a channel binding. */
const nameShape = /^[A-Za-z0-9.-]{1,64}$/;

/** Loaded at the first login or registration: nothing else needs the password hash. */
export const loadCrypto = async () => {
  const [scram, stretching, verifier] = await Promise.all([
    import('../core/crypto/scram-client.ts'),
    import('../core/crypto/stretch.ts'),
    import('../core/crypto/verifier.ts'),
  ]);
  return { ...scram, ...stretching, ...verifier };
};

/**
 * Creates an account whose password the server never sees (security 1.3). Throws `invalid` for a name or password
 * that does not fit or that the server's rules refuse, `untrusted` for a server that asks for a weak verifier, `conflict` when the name is taken.
 */
export async function register(connection: Connection, options: RegisterOptions): Promise<RegisteredAccount> {
  const username = parseUsername(options.username);
  const password = parsePassword(options.password);
  const asked = await beginVerifier(connection);
  if (asked.terms) await options.acceptTerms?.(asked.terms);
  const invite = options.invite ?? (asked.needsInvite ? await options.askInvite?.() : undefined);
  const verifier = await makeVerifier(asked, { ...options, username, password });
  const answer = await connection.call('account.register', {
    username,
    verifier,
    ...(options.email === undefined ? {} : { email: options.email }),
    ...(invite === undefined ? {} : { invite }),
    ...(asked.terms && options.acceptTerms ? { accept_terms: asked.terms.sha256 } : {}),
  });
  return believed(connection, answer, (value) => readRegistered(value, username));
}

/** Reads a new account's answer. */
export function readRegistered(value: unknown, username: Username): RegisteredAccount {
  const fields = objectIn(value, 'an account');
  if (fields.username !== username) throw new BadFrame("another account's name");
  return { user_id: textIn(fields, 'user_id'), username, created_at: instantIn(fields, 'created_at') };
}

/** What a server asks of who registers, its key judged; throws `untrusted` for another key than the connection's. */
export async function beginRegistration(connection: Connection) {
  const begun = await connection.call('account.begin-register', {});
  const asked = believed(connection, begun, readRegistration);
  checkServerKey(connection, asked.serverKey);
  return asked;
}

/** What a server asks of a new verifier, its key and its suite judged. Throws `untrusted` for a server that asks for a weak one. */
export async function beginVerifier(connection: Connection) {
  const { realm, cost, suite, rules, needsInvite, terms } = await beginRegistration(connection);
  const { chatSuite, isRealm } = await loadCrypto();
  if (suite !== chatSuite || !isRealm(realm))
    throw untrusted('it asks for a verifier that this client does not know');
  if (!Number.isInteger(cost) || cost < bcryptCostRange.min || cost > bcryptCostRange.max) {
    throw untrusted(
      `it asks for cost ${cost}, which is not within ${bcryptCostRange.min} to ${bcryptCostRange.max}`,
    );
  }
  return { realm, cost, rules, needsInvite, terms };
}

/**
 * Makes what the server keeps in place of a new password, as the wire spells it, with a salt of its own unless the server has told one;
 * throws `invalid` for a password that its rules refuse.
 */
export async function makeVerifier(
  {
    realm,
    cost,
    rules,
    salt: told,
  }: Pick<Awaited<ReturnType<typeof beginVerifier>>, 'realm' | 'cost' | 'rules'> & {
    readonly salt?: Uint8Array;
  },
  given: Pick<RegisterOptions, 'onProgress' | 'onWarning'> & {
    readonly username: Username;
    readonly password: Password;
  },
) {
  const { username, password } = given;
  // Nobody else can judge it: the server does not see it.
  const { checkNewPassword } = await import('../core/new-password.ts');
  const warning = await checkNewPassword(rules, { username, password });
  if (warning !== undefined) given.onWarning?.(warning);
  const { stretch, verifierFrom, saltBytes } = await loadCrypto();
  const salt = told ?? randomBytes(saltBytes);
  const secret = await stretch({ realm, username, password, salt, cost }, given.onProgress);
  return wireVerifier(verifierFrom(secret, salt, cost));
}

/**
 * Logs in by challenge and response (security 1.4): the server is judged before the password is touched, and again
 * before its tokens are handed out. Throws `unauthenticated` for wrong credentials and for a server that cannot
 * prove that it knows the account, `untrusted` for one that is not the server of the connection or of the pin.
 * When the server's cost has risen since the account's verifier was made, the verifier is raised too (security 1.8).
 */
export async function login(
  connection: Connection,
  options: LoginOptions,
): Promise<{ session: OpenedSession; pin: LoginPin; standing?: Standing | undefined }> {
  try {
    return await loginOnce(connection, options);
  } catch (error) {
    // Another login of this account has raised its verifier while we were at it: the new one has another salt.
    if (error instanceof ChatError && error.code === 'conflict') return await loginOnce(connection, options);
    throw error;
  }
}

async function loginOnce(
  connection: Connection,
  options: LoginOptions,
): Promise<{ session: OpenedSession; pin: LoginPin; standing?: Standing | undefined }> {
  const username = parseUsername(options.username);
  const password = parsePassword(options.password);
  const { beginLogin, stretch } = await loadCrypto();
  const started = beginLogin({ username, binding: bindingOf(connection) });
  const { exchange, challenged } = await challenge(connection, started, options.pin);
  const { salt, cost, realm } = challenged;
  const finished = challenged.finish(
    await stretch({ realm, username, password, salt, cost }, options.onProgress),
  );
  const answer = await withCode(options, (code) =>
    connection.call('login.finish', {
      exchange,
      message: finished.message,
      ...(options.device === undefined ? {} : { device: options.device }),
      ...code,
    }),
  );
  const { message } = answer as Fields;
  let pin: LoginPin;
  try {
    pin = finished.verifyServer(typeof message === 'string' ? message : undefined);
  } catch (error) {
    // The tokens in `answer` go no further; the server is told, so that the session ends there too.
    await connection.call('login.reject', {}).catch(() => {});
    throw error;
  }
  const session = believed(connection, answer, (value) => readSession(value, username));
  const standing = await confirm(connection, session);
  const asked = readRaise(answer as Fields, cost);
  if (!asked) return { session, pin, standing };
  try {
    await raise(connection, { realm, username, password, ...asked }, options.onProgress);
    return { session, pin: { ...pin, cost: asked.cost }, standing };
  } catch {
    // The old verifier is as good as it was, and the next login is asked again.
    return { session, pin, standing };
  }
}

/** Makes the verifier anew as the server asked, and hands it over. */
async function raise(connection: Connection, asked: StretchInput, onProgress?: OnProgress): Promise<void> {
  const { stretch, verifierFrom } = await loadCrypto();
  const raised = verifierFrom(await stretch(asked, onProgress), asked.salt, asked.cost);
  await connection.call(
    'account.raise-verifier',
    { verifier: wireVerifier(raised) },
    { timeoutMs: raiseTimeoutMs },
  );
}

/** Binds the connection to the session of a token; throws `unauthenticated` when the token is not alive. */
export async function resume(connection: Connection, sessionToken: string): Promise<ResumedSession> {
  const answer = await connection.call('login.resume', { session_token: sessionToken });
  return believed(connection, answer, (value) => readResumed(objectIn(value, 'a session')));
}

/**
 * Gets the server's challenge for `started` and judges it before the password is touched (security 1.4): `untrusted` for a server
 * that is not the one of the connection or of the pin.
 */
export async function challenge(connection: Connection, started: StartedLogin, pin: LoginPin | undefined) {
  const answer = await connection.call('login.begin', { message: started.message });
  const begun = believed(connection, answer, readChallenge);
  checkServerKey(connection, begun.serverKey);
  const challenged = started.readChallenge(begun.message, {
    serverPublicKey: begun.serverKey,
    offer: { suites: begun.suites, bindings: begun.bindings },
    pin,
  });
  return { exchange: begun.exchange, challenged };
}

/** What a login on this connection is bound to. */
export function bindingOf({ channelBinding }: Connection): ChannelBinding {
  return channelBinding ? { kind: 'tls-exporter', bytes: channelBinding } : { kind: 'none' };
}

/** The client's last word in document 3's exchange: its first call, which shows that it took the session. */
export async function confirm(connection: Connection, session: OpenedSession): Promise<Standing | undefined> {
  const me = await connection.call('account.me', {});
  return believed(connection, me, (value) => {
    const fields = objectIn(value, 'an account');
    if (fields.username !== session.username) throw new BadFrame("another account's name");
    const hasNewTerms = fields.terms !== undefined && objectIn(fields.terms, 'terms').accepted_at === null;
    const erasesAt = fields.erases_at === undefined ? undefined : instantIn(fields, 'erases_at');
    const factorTakenAt = takenAt(fields.second_factor);
    const isAsUsual = !hasNewTerms && erasesAt === undefined && factorTakenAt === undefined;
    return isAsUsual ? undefined : { hasNewTerms, erasesAt, factorTakenAt };
  });
}

/** A server from before may say nothing of it. */
function takenAt(factor: unknown): string | undefined {
  if (factor === undefined) return undefined;
  const fields = objectIn(factor, 'a second factor');
  return fields.taken_at === undefined ? undefined : instantIn(fields, 'taken_at');
}

/** Over TLS a server's login key is the key of its certificate: anything else is somebody in between (security 1.4). */
function checkServerKey({ identity }: Connection, serverKey: Uint8Array): void {
  if (identity && toBase64(identity.spki) !== toBase64(serverKey)) {
    throw untrusted('its login key is not the key of its TLS certificate');
  }
}

function readRegistration(value: unknown) {
  const fields = objectIn(value, 'an answer');
  if (typeof fields.cost !== 'number') throw new BadFrame('a wrong cost');
  return {
    realm: textIn(fields, 'realm'),
    cost: fields.cost,
    suite: textIn(fields, 'suite'),
    serverKey: bytesIn(fields, 'server_key'),
    rules: readPasswordPolicy(fields),
    // A server that does not say lets everybody register.
    needsInvite: fields.registration === 'invite',
    terms: fields.terms === undefined ? undefined : readTerms(objectIn(fields.terms, 'terms')),
  };
}

function readTerms(fields: Fields): Terms {
  if (typeof fields.text !== 'string') throw new BadFrame('a wrong text');
  return { text: fields.text, sha256: textIn(fields, 'sha256', /^[0-9a-f]{64}$/) };
}

function readChallenge(value: unknown) {
  const fields = objectIn(value, 'an answer');
  return {
    exchange: textIn(fields, 'exchange'),
    message: textIn(fields, 'message', /^[\x20-\x7e]{1,1024}$/),
    serverKey: bytesIn(fields, 'server_key'),
    suites: namesIn(fields, 'suites'),
    bindings: namesIn(fields, 'bindings'),
  };
}

/** What a login is asked to raise its verifier to; only upwards, and within what this client does at all. */
function readRaise({ raise }: Fields, cost: number): { salt: Uint8Array; cost: number } | undefined {
  if (typeof raise !== 'object' || raise === null) return undefined;
  const asked = raise as Fields;
  const salt = typeof asked.salt === 'string' ? fromBase64(asked.salt) : undefined;
  const isHigher = typeof asked.cost === 'number' && asked.cost > cost;
  // `stretch` refuses every other length and every cost that is none.
  return salt && isHigher ? { salt, cost: asked.cost as number } : undefined;
}

/** Spells a verifier as the operations take it. */
export function wireVerifier({
  salt,
  cost,
  storedKey,
  serverKey,
}: Verifier): InputOf<'account.raise-verifier'>['verifier'] {
  return {
    suite: 'CHAT-SCRAM-BCRYPT-1',
    salt: toBase64(salt),
    cost,
    stored_key: toBase64(storedKey),
    server_key: toBase64(serverKey),
  };
}

/** Reads the answer to a login of `username`. */
export function readSession(value: unknown, username: string): OpenedSession {
  const fields = objectIn(value, 'a session');
  if (fields.username !== username) throw new BadFrame("another account's name");
  return {
    ...readResumed(fields),
    session_token: textIn(fields, 'session_token'),
    refresh_token: textIn(fields, 'refresh_token'),
  };
}

function readResumed(fields: Fields): ResumedSession {
  return {
    user_id: textIn(fields, 'user_id'),
    username: parseUsername(textIn(fields, 'username')),
    session_id: textIn(fields, 'session_id'),
    expires_at: instantIn(fields, 'expires_at'),
    device_id: textIn(fields, 'device_id'),
  };
}

function bytesIn(fields: Fields, field: string): Uint8Array {
  const bytes = fromBase64(textIn(fields, field, /^[A-Za-z0-9+/=]{1,8192}$/));
  if (!bytes) throw new BadFrame(`a wrong ${field}`);
  return bytes;
}

function namesIn(fields: Fields, field: string): readonly string[] {
  const names = listIn(fields, field).filter((name): name is string => typeof name === 'string');
  if (names.length !== listIn(fields, field).length || !names.every((name) => nameShape.test(name))) {
    throw new BadFrame(`a wrong ${field}`);
  }
  return names;
}

function untrusted(why: string): ChatError {
  return new ChatError('untrusted', `the server cannot be trusted with a login: ${why}`);
}
