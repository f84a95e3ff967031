import { expand, extract } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { decodeBase64, encodeBase64, hash } from 'bcryptjs';
import { ChatError } from '../errors.ts';
import type { Password } from '../model/password.ts';
import type { Username } from '../model/username.ts';
import { bcryptCostRange } from '../policy.ts';
import { toBase64, utf8 } from './bytes.ts';

/** Bytes of salt that bcrypt takes. */
export const saltBytes = 16;

/** bcrypt's answer has 24 bytes, of which its encoding keeps 23. */
const bcryptBytes = 23;

/** What a password is bound to before it is stretched, so that one server's hash is worth nothing at another (security 1.2). */
export interface PasswordContext {
  readonly realm: string;
  readonly username: Username;
  readonly password: Password;
}

/** Everything an AuthSecret is made of: `salt` has 16 bytes, `cost` is 10..14. */
export interface StretchInput extends PasswordContext {
  readonly salt: Uint8Array;
  readonly cost: number;
}

/** Told how much of the stretching is done, 0..1, at most every 100 ms; it must not throw. */
export type OnProgress = (fraction: number) => void;

/** True for a server's realm: 1 to 64 of `A-Z a-z 0-9 . _ -`, so that neither `|` nor `,` can shift a boundary. */
export function isRealm(text: string): boolean {
  return /^[A-Za-z0-9._-]{1,64}$/.test(text);
}

/**
 * Makes the AuthSecret, 32 bytes, from a password (security 1.2 and 1.3): the one slow step of a login, on purpose.
 * It yields every 100 ms but keeps its thread busy: a server runs it in a worker. Throws `invalid` naming `realm`,
 * `salt` or `cost` before any work.
 */
export async function stretch(input: StretchInput, onProgress?: OnProgress): Promise<Uint8Array> {
  if (!isRealm(input.realm)) throw new ChatError('invalid', 'realm: not a realm', { field: 'realm' });
  return authSecretFrom(await bcryptRaw(boundPassword(input), input.salt, input.cost, onProgress));
}

/** P of security 1.2, in base64; it is as good as the password and never leaves the client. */
export function boundPassword({ realm, username, password }: PasswordContext): string {
  return toBase64(sha256(utf8(`chat-v1|${realm}|${username}|${password}`)));
}

/**
 * bcrypt's 23 raw bytes, B of security 1.3. The setting string is built here from a checked number and 16 bytes:
 * bcryptjs 3 takes a cost that is no number for a single round (security 1.7). Throws `invalid` naming `salt` or `cost`.
 */
export async function bcryptRaw(
  secret: string,
  salt: Uint8Array,
  cost: number,
  onProgress?: OnProgress,
): Promise<Uint8Array> {
  if (salt.length !== saltBytes) {
    throw new ChatError('invalid', `salt: it has exactly ${saltBytes} bytes`, { field: 'salt' });
  }
  if (!isCost(cost)) {
    const { min, max } = bcryptCostRange;
    throw new ChatError('invalid', `cost: it is a whole number, ${min} to ${max}`, { field: 'cost' });
  }
  const setting = `$2b$${cost}$${encodeBase64(salt, saltBytes)}`;
  const hashed = await new Promise<string>((resolve, reject) => {
    const done = (error: Error | null, result?: string): void => {
      if (result === undefined) reject(error ?? new Error('bcrypt gave no result'));
      else resolve(result);
    };
    hash(secret, setting, done, onProgress);
  });
  return Uint8Array.from(decodeBase64(hashed.slice(setting.length), bcryptBytes));
}

/** The AuthSecret of security 1.3 from bcrypt's raw bytes, by HKDF (RFC 5869). */
export function authSecretFrom(bcrypted: Uint8Array): Uint8Array {
  const key = extract(sha256, bcrypted, utf8('chat-scram-bcrypt-v1'));
  return expand(sha256, key, utf8('auth'), 32);
}

function isCost(cost: number): boolean {
  return Number.isInteger(cost) && cost >= bcryptCostRange.min && cost <= bcryptCostRange.max;
}
