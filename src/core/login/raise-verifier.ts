import { toBase64 } from '../crypto/bytes.ts';
import { saltBytes } from '../crypto/stretch.ts';
import { verifierFrom } from '../crypto/verifier.ts';
import { ChatError } from '../errors.ts';
import type { Account, Verifier } from '../model/account.ts';
import { addressKey } from '../model/address.ts';
import type { Password } from '../model/password.ts';
import type { CallContext } from '../operation.ts';
import { randomBytes } from '../random.ts';

/**
 * What a login that has just been proven against `verifier` asks of its client: a new one, when the server's cost has risen
 * since. A cost that was lowered changes nothing: clients go below no cost that they have seen.
 */
export function askToRaise(
  { services, peer, now }: CallContext,
  verifier: Verifier,
): { salt: string; cost: number } | undefined {
  const cost = services.policy.bcryptCost;
  if (verifier.cost >= cost || !peer.session) return undefined;
  const salt = randomBytes(saltBytes);
  services.raises.ask(peer, { sessionId: peer.session.id, salt, cost, replaces: verifier.storedKey }, now);
  return { salt: toBase64(salt), cost };
}

/** Raises the verifier of an account whose password this login has shown; the login does not wait for it. */
export function raiseShown(
  { services, peer }: CallContext,
  { account, verifier }: { readonly account: Account; readonly verifier: Verifier },
  password: Password,
): void {
  const { policy, store, settings, stretcher, digests, onFailure } = services;
  const cost = policy.bcryptCost;
  if (verifier.cost >= cost) return;
  const salt = randomBytes(saltBytes);
  const raise = async (): Promise<void> => {
    const authSecret = await stretcher.stretch(
      { realm: settings.realm, username: account.username, password, salt, cost },
      // Also when the caller has gone, as one over HTTP has once it is answered.
      { owner: addressKey(peer.address), isWanted: () => true },
    );
    const raised = verifierFrom(authSecret, salt, cost, digests);
    await store.replaceVerifier({ userId: account.id, replaces: verifier.storedKey, verifier: raised });
  };
  raise().catch((error: unknown) => {
    // Too much to do, or the end of the server: the next login tries again.
    if (!(error instanceof ChatError)) onFailure(error);
  });
}
