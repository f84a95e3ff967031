import { parseUsername } from '../core/model/username.ts';
import { believed } from './answers.ts';
import type { Connection } from './connection.ts';
import { type Fields, instantIn, objectIn, textIn } from './frames.ts';

/** A session that a connection was bound to by its token. */
export interface ResumedSession {
  readonly user_id: string;
  readonly username: string;
  readonly session_id: string;
  readonly expires_at: string;
  readonly device_id: string;
}

/** Binds the connection to the session of a token; throws `unauthenticated` when the token is not alive. */
export async function resume(connection: Connection, sessionToken: string): Promise<ResumedSession> {
  const answer = await connection.call('login.resume', { session_token: sessionToken });
  return believed(connection, answer, (value) => readResumed(objectIn(value, 'a session')));
}

/** Reads what every way to log in answers of its session. */
export function readResumed(fields: Fields): ResumedSession {
  return {
    user_id: textIn(fields, 'user_id'),
    username: parseUsername(textIn(fields, 'username')),
    session_id: textIn(fields, 'session_id'),
    expires_at: instantIn(fields, 'expires_at'),
    device_id: textIn(fields, 'device_id'),
  };
}
