/** The closed set of error codes that any operation may answer with (docs/protocol, "Errors"). */
export const errorCodes = [
  'invalid',
  'unauthenticated',
  'second-factor-required',
  'forbidden',
  'not-found',
  'conflict',
  'too-large',
  'unsupported',
  'rate-limited',
  'unavailable',
  'internal',
  'untrusted',
  'timeout',
] as const;

/** One of {@link errorCodes}; every door and the exit codes own a total table over it. */
export type ErrorCode = (typeof errorCodes)[number];

/** What goes with an error besides its code and text; all of it is safe to show to the caller. */
export interface ErrorDetails {
  /** The input field that does not fit, for `invalid` and `too-large`. */
  readonly field?: string;
  /** How long to wait before trying again, in milliseconds. */
  readonly retryAfterMs?: number;
  /** Names the log entry of an `internal` error. */
  readonly errorId?: string;
}

/**
 * The only error that crosses a door: a code, a message that is safe for the caller to see, and details.
 * The `cause` is for the log and never leaves the process.
 */
export class ChatError extends Error {
  override readonly name = 'ChatError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, safeMessage: string, options: ErrorDetails & { cause?: unknown } = {}) {
    const { cause, ...details } = options;
    super(safeMessage, cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = details;
  }
}

/** True when `value` is one of the closed set of codes; used where a code arrives from outside. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && (errorCodes as readonly string[]).includes(value);
}

/** The one text for an unknown user and a wrong secret, so that names cannot be found out (security 1.8). */
export function badCredentials(): ChatError {
  return new ChatError('unauthenticated', 'unknown user or wrong secret');
}

/**
 * The same at doors that carry the password, with a hint for everybody: the password of a private account is refused there
 * like a wrong one, and nobody may learn from the text which it was (security 1.10).
 */
export function badPassword(): ChatError {
  return new ChatError(
    'unauthenticated',
    'unknown user or wrong secret (an account made by `chat register` signs in elsewhere with a token: `chat token`)',
  );
}

/**
 * The one text for every login by certificate that fails: none shown, unknown, from another authority, expired, not yet valid, for another
 * use, another user's, revoked, or of a resumed connection, which proves no key (security 2).
 */
export function badCertificate(): ChatError {
  return new ChatError(
    'unauthenticated',
    'this connection has shown no certificate that logs in to this account',
  );
}

/** The one text for a token that is unknown, of the wrong kind, expired or revoked. */
export function badToken(): ChatError {
  return new ChatError('unauthenticated', 'the session is unknown, expired or revoked');
}

/** For who has proven the account's secret, and for nobody else: to others a disabled account is like any (security 1.8). */
export function accountDisabled(): ChatError {
  return new ChatError('forbidden', 'this account is disabled: ask an administrator');
}

/** A login on a connection that has a session: one at a time. */
export function loggedInAlready(): ChatError {
  return new ChatError('conflict', 'this connection is logged in already');
}
