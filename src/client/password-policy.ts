import type { NewPasswordRules } from '../core/new-password.ts';
import { minPasswordRange } from '../core/policy.ts';
import { BadFrame, type Fields, objectIn } from './frames.ts';

/**
 * Reads what a server asks of a new password out of one of its answers. Nothing said is nothing asked; a length that no server can
 * ask for is a broken frame, since nobody could fulfil it.
 */
export function readPasswordPolicy({ password_policy: given }: Fields): NewPasswordRules {
  if (given === undefined) return { minPasswordCodePoints: minPasswordRange.min, commonPasswords: 'warn' };
  const { min_code_points: least, common } = objectIn(given, 'a password policy');
  const { min, max } = minPasswordRange;
  const isLength = typeof least === 'number' && Number.isInteger(least) && least >= min && least <= max;
  if (!isLength || (common !== 'warn' && common !== 'refuse')) throw new BadFrame('a wrong password policy');
  return { minPasswordCodePoints: least, commonPasswords: common };
}
