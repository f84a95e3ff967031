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
