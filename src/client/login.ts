import { fromBase64 } from '../core/crypto/bytes.ts';
import type { LoginPin } from '../core/crypto/scram-client.ts';
import type { OnProgress, StretchInput } from '../core/crypto/stretch.ts';
import { ChatError } from '../core/errors.ts';
import { believed } from './answers.ts';
import { answerChallenge, type ProofOptions } from './challenge.ts';
import type { Connection } from './connection.ts';
import { BadFrame, type Fields, instantIn, objectIn, textIn } from './frames.ts';
import { loadCrypto } from './load-crypto.ts';
import { wireVerifier } from './new-verifier.ts';
import { readResumed } from './resume.ts';
import { type CodeSource, withCode } from './second-factor.ts';

export type { LoginPin } from '../core/crypto/scram-client.ts';

/** Who logs in, on which device. */
export interface LoginOptions extends ProofOptions, CodeSource {
  readonly device?:
    | {
        readonly id?: string | undefined;
        readonly label?: string | undefined;
        readonly default_label?: string | undefined;
      }
    | undefined;
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

/** How long a server may take to store a raised verifier, in milliseconds: the login is done, and waits for nothing else. */
const raiseTimeoutMs = 10_000;

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
  const { username, password, realm, cost, exchange, finished } = await answerChallenge(connection, options);
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

/** What a login is asked to raise its verifier to; only upwards, and within what this client does at all. */
function readRaise({ raise }: Fields, cost: number): { salt: Uint8Array; cost: number } | undefined {
  if (typeof raise !== 'object' || raise === null) return undefined;
  const asked = raise as Fields;
  const salt = typeof asked.salt === 'string' ? fromBase64(asked.salt) : undefined;
  const isHigher = typeof asked.cost === 'number' && asked.cost > cost;
  // `stretch` refuses every other length and every cost that is none.
  return salt && isHigher ? { salt, cost: asked.cost as number } : undefined;
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
