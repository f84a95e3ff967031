import { equalDigests } from '../crypto/bytes.ts';
import { ChatError } from '../errors.ts';
import type { SaltAndCost } from './next-salt.ts';

/**
 * Throws `invalid` for a client's verifier that was made with another salt or cost than the operation `toldBy` has told: a salt of its
 * own would show, to who asks for it before and after, that there is such an account (security 1.8).
 */
export function checkMadeWith(
  { salt, cost }: SaltAndCost,
  told: SaltAndCost,
  toldBy: 'account.begin-change-password' | 'login.salt',
): void {
  const misfit = (field: 'salt' | 'cost', what: string): ChatError => {
    const path = `verifier.${field}`;
    return new ChatError('invalid', `${path}: ${what} (see ${toldBy})`, { field: path });
  };
  if (cost !== told.cost) throw misfit('cost', `${told.cost} is asked for`);
  if (!equalDigests(salt, told.salt)) throw misfit('salt', 'another one is asked for');
}
