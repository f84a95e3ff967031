import type { Account, Verifier } from '../../core/model/account.ts';

/** The credential of the name that was asked for, or, when nobody has that name, of the next one. */
export interface NearestCredential {
  readonly isAsked: boolean;
  readonly account: Account;
  readonly verifier: Verifier;
}

/** Store.credential: forgets a neighbour's on the caller's side of the boundary. */
export function askedCredential(
  nearest: NearestCredential | undefined,
): { account: Account; verifier: Verifier } | undefined {
  if (!nearest?.isAsked) return undefined;
  const { account, verifier } = nearest;
  return { account, verifier };
}
