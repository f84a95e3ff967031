import { toBase64 } from '../../../../src/core/crypto/bytes.ts';
import { type StretchInput, stretch } from '../../../../src/core/crypto/stretch.ts';

const known = new Map<string, Promise<Uint8Array>>();

/** The AuthSecret of a password, made once in a test file: it is slow on purpose, and somebody logs in at many doors. */
export function stretched(input: StretchInput): Promise<Uint8Array> {
  const key = JSON.stringify({ ...input, salt: toBase64(input.salt) });
  const secret = known.get(key) ?? stretch(input);
  known.set(key, secret);
  return secret;
}
