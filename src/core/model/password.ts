import { ChatError } from '../errors.ts';
import { passwordLimits } from '../policy.ts';
import type { Brand } from './brand.ts';

/** A password in its one canonical spelling, so that every keyboard and system derives the same bytes from it. */
export type Password = Brand<string, 'Password'>;

/** Built anew per refusal, and never from the input: an error text may reach a log. */
function refused(rule: string): ChatError {
  return new ChatError('invalid', `password: ${rule}`, { field: 'password' });
}

/**
 * Brings a password to Unicode NFC with every kind of space as U+0020 (RFC 8265 section 4.2, OpaqueString) and checks it:
 * at least 6 code points, at most 1,024 bytes of UTF-8, no control character, well-formed (security 1.1).
 * Never trims and never cuts. Throws `invalid` naming `password`, never showing it.
 */
export function parsePassword(input: string): Password {
  if (!input.isWellFormed()) throw refused('it is not well-formed Unicode');
  const password = input.replace(/\p{Zs}/gu, ' ').normalize('NFC');
  if (/\p{Cc}/u.test(password)) throw refused('control characters are not allowed');
  if ([...password].length < passwordLimits.minCodePoints) {
    throw refused(`it has at least ${passwordLimits.minCodePoints} characters`);
  }
  if (new TextEncoder().encode(password).length > passwordLimits.maxBytes) {
    throw refused(`it has at most ${passwordLimits.maxBytes} bytes`);
  }
  return password as Password;
}
