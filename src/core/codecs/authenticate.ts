/** The first message of a WebSocket client that has a session token already (five-systems, section 2). */
export type Authenticate =
  | { readonly kind: 'authenticate'; readonly userId: string; readonly sessionToken: string }
  /** It says Authenticate and does not fit. */
  | { readonly kind: 'bad'; readonly reason: string };

const fields: readonly string[] = ['type', 'user_id', 'session_token'];

/** Reads a JSON object that is no JSON-RPC; undefined when it does not say `"type":"Authenticate"`. */
export function readAuthenticate(object: Readonly<Record<string, unknown>>): Authenticate | undefined {
  if (object.type !== 'Authenticate') return undefined;
  const { user_id: userId, session_token: sessionToken } = object;
  if (typeof userId !== 'string') return { kind: 'bad', reason: 'user_id: must be a string' };
  if (typeof sessionToken !== 'string') return { kind: 'bad', reason: 'session_token: must be a string' };
  // Whoever sends more expects more than will happen.
  if (Object.keys(object).some((field) => !fields.includes(field))) {
    return { kind: 'bad', reason: 'Authenticate has the fields type, user_id and session_token' };
  }
  return { kind: 'authenticate', userId, sessionToken };
}

/** Spells that the connection is logged in; `session` is what `login.resume` answered. */
export function writeAuthSuccess(session: {
  readonly user_id: string;
  readonly username: string;
  readonly expires_at: string;
}): string {
  const { user_id, username, expires_at } = session;
  return JSON.stringify({ type: 'AuthSuccess', user_id, username, expires_at });
}

/** Spells why it is not. */
export function writeAuthFailure(reason: string): string {
  return JSON.stringify({ type: 'AuthFailure', reason });
}
