import { ChatError } from '../errors.ts';
import type { Brand } from './brand.ts';

/** A lower-case account name, `[a-z0-9][a-z0-9._-]{0,31}` (security 1.1). */
export type Username = Brand<string, 'Username'>;

const shape = /^[a-z0-9][a-z0-9._-]{0,31}$/;

/** Lower-cases (ASCII) and checks a name; throws `invalid` naming `field`. */
export function parseUsername(input: string, field = 'username'): Username {
  const name = input.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  if (!shape.test(name)) {
    throw new ChatError(
      'invalid',
      `${field}: a name has 1 to 32 characters of a-z, 0-9, '.', '_' and '-', and begins with a letter or digit`,
      { field },
    );
  }
  return name as Username;
}

/** True for a name in its one spelling, as it is stored and signed. */
export function isUsername(text: string): text is Username {
  return shape.test(text);
}

/** How many names an e-mail address gives before it gives up. */
const namesPerEmail = 1_000;

/** Names made of an e-mail address's local part, best first: `sam`, `sam2`, `sam3` … (five-systems, section 2). */
export function* usernamesFromEmail(email: string): Generator<Username> {
  const local = email.slice(0, Math.max(email.lastIndexOf('@'), 0)).toLowerCase();
  const base =
    local
      .replace(/\+.*/, '')
      .replace(/[^a-z0-9._-]+/g, '-')
      .replace(/^[^a-z0-9]+/, '') || 'user';
  for (let count = 1; count <= namesPerEmail; count++) {
    const suffix = count === 1 ? '' : String(count);
    yield (base.slice(0, 32 - suffix.length) + suffix) as Username;
  }
}
