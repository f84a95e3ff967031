import { dictionary } from '@zxcvbn-ts/language-common';

/**
 * True for one of the 49,000 passwords that people choose most, whatever the case of its letters. Loading this module costs 430 KB
 * and some 30 ms: it is imported where a password is set, and when.
 */
export function isCommonPassword(password: string): boolean {
  return dictionary['passwords-common'].includes(password.toLowerCase());
}
