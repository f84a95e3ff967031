import { ChatError } from './errors.ts';
import type { Password } from './model/password.ts';
import type { Username } from './model/username.ts';
import type { Policy } from './policy.ts';

/** What a server asks of a password that is being set, beyond what every password is (security 1.1). */
export type NewPasswordRules = Pick<Policy, 'minPasswordCodePoints' | 'commonPasswords'>;

/** Why a password is a bad one that is taken all the same. */
export const commonPasswordWarning =
  'this password is among the most common ones, which are guessed first: choose another';

function refused(rule: string): ChatError {
  return new ChatError('invalid', `password: ${rule}`, { field: 'password' });
}

/**
 * Judges a password that is being set, at either end; never one that is only proven. Throws `invalid` naming `password` for one
 * that is too short, is the name itself, or is common where those are refused; answers a warning where they are not.
 */
export async function checkNewPassword(
  { minPasswordCodePoints, commonPasswords }: NewPasswordRules,
  { username, password }: { readonly username: Username; readonly password: Password },
): Promise<string | undefined> {
  if ([...password].length < minPasswordCodePoints) {
    throw refused(`this server asks for at least ${minPasswordCodePoints} characters`);
  }
  if (password.toLowerCase() === username) throw refused('it is the username, which is guessed first');
  // The list is large: only who sets a password loads it.
  const { isCommonPassword } = await import('./common-passwords.ts');
  if (!isCommonPassword(password)) return undefined;
  if (commonPasswords === 'warn') return commonPasswordWarning;
  throw refused('it is among the most common ones, which are guessed first: choose another');
}
