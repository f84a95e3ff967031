import { saltOfName } from '../crypto/verifier.ts';
import type { Verifier } from '../model/account.ts';
import type { Username } from '../model/username.ts';
import type { Services } from '../services.ts';

/** What a verifier is made with: 16 bytes, and 10..14. */
export type SaltAndCost = Pick<Verifier, 'salt' | 'cost'>;

/**
 * What the next verifier of a name is made with. The salt stays as long as the cost does, so that who asks for it before and after
 * learns of no change, nor that there is an account (security 1.8). A cost that was lowered meanwhile lowers nothing: clients go
 * below none that they have seen.
 */
export function nextSaltAndCost(
  { settings, policy, digests }: Pick<Services, 'settings' | 'policy' | 'digests'>,
  username: Username,
  current: SaltAndCost | undefined,
): SaltAndCost {
  const cost = policy.bcryptCost;
  if (current && current.cost >= cost) return { salt: current.salt, cost: current.cost };
  return { salt: saltOfName(settings.serverSecret, username, cost, digests), cost };
}
