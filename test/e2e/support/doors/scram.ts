import { fromBase64, toBase64 } from '../../../../src/core/crypto/bytes.ts';
import { beginLogin } from '../../../../src/core/crypto/scram-client.ts';
import { verifierFrom } from '../../../../src/core/crypto/verifier.ts';
import { parsePassword } from '../../../../src/core/model/password.ts';
import { parseUsername } from '../../../../src/core/model/username.ts';
import { stretched } from './stretched.ts';

/** One call of an operation, however a door spells it. */
export type Call = <T = Record<string, unknown>>(operation: string, params: object) => Promise<T>;

/** Logs in by challenge and response, and answers the session's token; throws unless the server proves itself too. */
export async function scramLogin(call: Call, name: string, password: string): Promise<string> {
  const username = parseUsername(name);
  const started = beginLogin({ username, binding: { kind: 'none' } });
  const begun = await call<{
    exchange: string;
    message: string;
    server_key: string;
    suites: string[];
    bindings: string[];
  }>('login.begin', { message: started.message });
  const read = started.readChallenge(begun.message, {
    serverPublicKey: fromBase64(begun.server_key) ?? new Uint8Array(),
    offer: begun,
  });
  const { realm, salt, cost } = read;
  const finished = read.finish(
    await stretched({ realm, username, password: parsePassword(password), salt, cost }),
  );
  const opened = await call<{ message: string; session_token: string }>('login.finish', {
    exchange: begun.exchange,
    message: finished.message,
  });
  finished.verifyServer(opened.message);
  return opened.session_token;
}

/** What a registration sends in place of a password. */
export async function verifierOf(
  call: Call,
  name: string,
  password: string,
): Promise<Record<string, string | number>> {
  const { realm, cost } = await call<{ realm: string; cost: number }>('account.begin-register', {});
  const salt = crypto.getRandomValues(new Uint8Array(16));
  const secret = await stretched({
    realm,
    username: parseUsername(name),
    password: parsePassword(password),
    salt,
    cost,
  });
  const { suite, storedKey, serverKey } = verifierFrom(secret, salt, cost);
  return {
    suite,
    salt: toBase64(salt),
    cost,
    stored_key: toBase64(storedKey),
    server_key: toBase64(serverKey),
  };
}
