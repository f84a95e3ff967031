import { toBase64 } from '../crypto/bytes.ts';
import { saltOfName, verifierFrom } from '../crypto/verifier.ts';
import { ChatError } from '../errors.ts';
import type { Account, Verifier } from '../model/account.ts';
import { addressKey } from '../model/address.ts';
import type { Password } from '../model/password.ts';
import type { CallContext } from '../operation.ts';

/**
 * What a login that has just been proven against `verifier` asks of its client: a new one, when the server's cost has risen since. Its
 * salt is the name's own at that cost, as `login.salt` tells it for a name without an account. A cost that was lowered changes
 * nothing: clients go below no cost that they have seen.
 */
export function askToRaise(
  { services, peer, now }: CallContext,
  verifier: Verifier,
): { salt: string; cost: number } | undefined {
  const { settings, policy, digests, raises } = services;
  const cost = policy.bcryptCost;
  if (verifier.cost >= cost || !peer.session) return undefined;
  const { id: sessionId, username } = peer.session;
  const salt = saltOfName(settings.serverSecret, username, cost, digests);
  raises.ask(peer, { sessionId, salt, cost, replaces: verifier.storedKey }, now);
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
  const salt = saltOfName(settings.serverSecret, account.username, cost, digests);
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
