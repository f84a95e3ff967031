import type { ChannelBinding, LoginPin, StartedLogin } from '../core/crypto/scram-client.ts';
import type { OnProgress } from '../core/crypto/stretch.ts';
import { parsePassword } from '../core/model/password.ts';
import { parseUsername } from '../core/model/username.ts';
import { believed } from './answers.ts';
import type { Connection } from './connection.ts';
import { BadFrame, type Fields, listIn, objectIn, textIn } from './frames.ts';
import { loadCrypto } from './load-crypto.ts';
import { checkServerKey, serverKeyIn } from './server-key.ts';

/** The name of a login suite or of a channel binding. */
const nameShape = /^[A-Za-z0-9.-]{1,64}$/;

/** Whose secret is proven, and what is known of the server. */
export interface ProofOptions {
  readonly username: string;
  readonly password: string;
  /** What the last login to this server gave: nothing weaker, and no other server, is accepted (security 1.6). */
  readonly pin?: LoginPin | undefined;
  /** Told how much of the password's stretching is done, 0 to 1. */
  readonly onProgress?: OnProgress | undefined;
}

/**
 * Answers the server's challenge (security 1.4): the server is judged before the password is touched. Throws `invalid` for a name or a
 * password that nobody can have, `untrusted` for a server that is not the one of the connection or of the pin. Whether the proof is right is
 * for the server to say.
 */
export async function answerChallenge(connection: Connection, options: ProofOptions) {
  const username = parseUsername(options.username);
  const password = parsePassword(options.password);
  const { beginLogin, stretch } = await loadCrypto();
  const started = beginLogin({ username, binding: bindingOf(connection) });
  const { exchange, challenged } = await challenge(connection, started, options.pin);
  const { salt, cost, realm } = challenged;
  const secret = await stretch({ realm, username, password, salt, cost }, options.onProgress);
  return { username, password, realm, cost, exchange, finished: challenged.finish(secret) };
}

/**
 * Gets the server's challenge for `started` and judges it before the password is touched (security 1.4): `untrusted` for a server
 * that is not the one of the connection or of the pin.
 */
async function challenge(connection: Connection, started: StartedLogin, pin: LoginPin | undefined) {
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
function bindingOf({ channelBinding }: Connection): ChannelBinding {
  return channelBinding ? { kind: 'tls-exporter', bytes: channelBinding } : { kind: 'none' };
}

function readChallenge(value: unknown) {
  const fields = objectIn(value, 'an answer');
  return {
    exchange: textIn(fields, 'exchange'),
    message: textIn(fields, 'message', /^[\x20-\x7e]{1,1024}$/),
    serverKey: serverKeyIn(fields),
    suites: namesIn(fields, 'suites'),
    bindings: namesIn(fields, 'bindings'),
  };
}

function namesIn(fields: Fields, field: string): readonly string[] {
  const names = listIn(fields, field).filter((name): name is string => typeof name === 'string');
  if (names.length !== listIn(fields, field).length || !names.every((name) => nameShape.test(name))) {
    throw new BadFrame(`a wrong ${field}`);
  }
  return names;
}
