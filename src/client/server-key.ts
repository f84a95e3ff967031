import { fromBase64, toBase64 } from '../core/crypto/bytes.ts';
import { ChatError } from '../core/errors.ts';
import type { Connection } from './connection.ts';
import { BadFrame, type Fields, textIn } from './frames.ts';

/** Over TLS a server's login key is the key of its certificate: another is of somebody in between (security 1.4), and `untrusted`. */
export function checkServerKey({ identity }: Connection, serverKey: Uint8Array): void {
  if (identity && toBase64(identity.spki) !== toBase64(serverKey)) {
    throw untrusted('its login key is not the key of its TLS certificate');
  }
}

/** The login key that a server has named in an answer. */
export function serverKeyIn(fields: Fields): Uint8Array {
  const bytes = fromBase64(textIn(fields, 'server_key', /^[A-Za-z0-9+/=]{1,8192}$/));
  if (!bytes) throw new BadFrame('a wrong server_key');
  return bytes;
}

/** Says why a server gets no login. */
export function untrusted(why: string): ChatError {
  return new ChatError('untrusted', `the server cannot be trusted with a login: ${why}`);
}
