import { hostname } from 'node:os';
import { formatServerAddress } from '../client/address.ts';
import { type Connection, connect, type ServerIdentity } from '../client/connection.ts';
import type { LoginPin } from '../client/login.ts';
import { resume } from '../client/resume.ts';
import { ChatError } from '../core/errors.ts';
import type { Login, Settled } from './settle-options.ts';

/** How long one connection may take to be made, and a call on it to be answered, in milliseconds: then the next try begins. */
export const tryTimeoutMs = 10_000;

/** How long the end of a session may take, in milliseconds: it ends by itself too. */
const endTimeoutMs = 2_000;

/** What a program knows of an earlier login besides. */
export interface SessionParts {
  /** What the server showed at the account's last login on this machine, if that is known. */
  readonly pinOf: (username: string) => Promise<LoginPin | undefined>;
  /** Aborts when no connection is to be made any more. */
  readonly signal: AbortSignal;
}

/** The login of one account: makes connections that are logged in, all in one session, which is renewed when it ends. */
export class Sessions {
  readonly #settled: Settled;
  readonly #parts: SessionParts;
  #token: string | undefined;
  #username: string | undefined;
  #deviceId: string | undefined;
  #pin: LoginPin | undefined;
  /** One login at a time: the others go on with its session. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(settled: Settled, parts: SessionParts) {
    this.#settled = settled;
    this.#parts = parts;
    if (settled.login.kind === 'token') this.#token = settled.login.token;
  }

  /** Who is logged in; after the first connection. */
  get username(): string {
    return this.#username ?? '';
  }

  /** Makes a connection that is logged in; whoever asks closes it. Throws `unauthenticated` when the login is over. */
  readonly open = async (sessionEnd?: ChatError): Promise<Connection> => {
    const timeoutMs = Math.min(this.#settled.timeoutMs, tryTimeoutMs);
    const connection = await this.#connect(timeoutMs, this.#parts.signal);
    // A server that says nothing any more holds up no end.
    const cut = (): void => void connection.close();
    this.#parts.signal.addEventListener('abort', cut);
    try {
      await this.#logIn(connection, sessionEnd);
      return connection;
    } catch (error) {
      await connection.close();
      throw error;
    } finally {
      this.#parts.signal.removeEventListener('abort', cut);
    }
  };

  /** Ends the session that was opened here, as far as the server is there; a token that was given stays alive. */
  async end(): Promise<void> {
    const token = this.#token;
    if (this.#settled.login.kind === 'token' || token === undefined) return;
    this.#token = undefined;
    try {
      const connection = await this.#connect(endTimeoutMs);
      try {
        await resume(connection, token);
        await connection.call('session.end', {});
      } finally {
        await connection.close();
      }
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
    }
  }

  #connect(timeoutMs: number, signal?: AbortSignal): Promise<Connection> {
    const { server, roots } = this.#settled;
    const checkIdentity = (identity: ServerIdentity): Promise<void> => this.#judge(identity);
    return connect({ server, roots, timeoutMs, callTimeoutMs: timeoutMs, checkIdentity, signal });
  }

  /** The key that was named is the server's; without one its certificate is vouched for, or `untrusted` is thrown. */
  async #judge({ fingerprint: shown, trustedBySystem }: ServerIdentity): Promise<void> {
    const { server, fingerprint, roots } = this.#settled;
    const address = formatServerAddress(server);
    if (fingerprint !== undefined) {
      if (shown === fingerprint) return;
      throw new ChatError('untrusted', `${address} shows the key ${shown}, not the expected ${fingerprint}`);
    }
    if (trustedBySystem) return;
    const who = roots === undefined ? 'nobody that this system trusts' : 'no authority that was given as ca';
    throw new ChatError(
      'untrusted',
      `${who} has vouched for ${address}, which shows the key ${shown}; compare it with what \`chat serve\` printed there, then give it as fingerprint`,
    );
  }

  async #logIn(connection: Connection, sessionEnd: ChatError | undefined): Promise<void> {
    const { login } = this.#settled;
    const before = this.#token;
    if (before !== undefined && (await this.#tryResume(connection, before))) return;
    if (login.kind === 'token') {
      const why =
        sessionEnd?.message ??
        `${formatServerAddress(this.#settled.server)}: the token is of no session that is alive`;
      throw new ChatError('unauthenticated', `${why}; \`chat token\` prints another one`);
    }
    const logged = this.#turn.then(async () => {
      const latest = this.#token;
      if (latest !== undefined && latest !== before && (await this.#tryResume(connection, latest))) return;
      await this.#logInWith(connection, login);
    });
    this.#turn = logged.catch(() => {});
    await logged;
  }

  /** False when the server does not take the token. */
  async #tryResume(connection: Connection, token: string): Promise<boolean> {
    try {
      const { username } = await resume(connection, token);
      this.#username = username;
      return true;
    } catch (error) {
      if (error instanceof ChatError && error.code === 'unauthenticated') return false;
      throw error;
    }
  }

  async #logInWith(connection: Connection, given: Extract<Login, { kind: 'password' }>): Promise<void> {
    const { username, password, otp, device: label } = given;
    const { login } = await import('../client/login.ts');
    const named = label === undefined ? { default_label: hostname() } : { label };
    const { session, pin } = await login(connection, {
      username,
      password,
      device: this.#deviceId === undefined ? named : { id: this.#deviceId, ...named },
      pin: this.#pin ?? (await this.#parts.pinOf(username)),
      ...(otp && { askOtp: async () => await otp() }),
    });
    this.#pin = pin;
    this.#token = session.session_token;
    this.#username = session.username;
    this.#deviceId = session.device_id;
  }
}
