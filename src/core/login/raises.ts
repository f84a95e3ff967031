import { toBase64 } from '../crypto/bytes.ts';
import { saltBytes } from '../crypto/stretch.ts';
import { verifierFrom } from '../crypto/verifier.ts';
import { ChatError } from '../errors.ts';
import type { Account, Verifier } from '../model/account.ts';
import { addressKey } from '../model/address.ts';
import type { SessionId } from '../model/ids.ts';
import type { Password } from '../model/password.ts';
import type { CallContext } from '../operation.ts';
import type { Peer } from '../peer.ts';
import { raiseMs } from '../policy.ts';
import { randomBytes } from '../random.ts';

/** What a login at an old cost was asked for: a verifier made anew, with this salt at this cost (security 1.8). */
export interface Raise {
  /** The session that the login opened: no other may answer. */
  readonly sessionId: SessionId;
  /** 16 bytes, the server's choice, so that what is sent can have been made for nothing else. */
  readonly salt: Uint8Array;
  readonly cost: number;
  /** The old verifier's StoredKey: one that came into its place meanwhile is not overwritten. */
  readonly replaces: Uint8Array;
}

/** Raises that were asked for and not answered yet: one for each connection, one try, dead after `raiseMs`. */
export interface Raises {
  /** Remembers what a login on `peer` was asked for, in place of what was asked there before. */
  ask(peer: Peer, raise: Raise, now: number): void;
  /** Gives it out once; undefined when nothing was asked there, or too long ago. */
  take(peer: Peer, now: number): Raise | undefined;
}

/** Builds the raises of one node. */
export function createRaises(): Raises {
  // Weak: what was asked of a connection ends with it.
  const asked = new WeakMap<Peer, { readonly raise: Raise; readonly endsAt: number }>();

  return {
    ask(peer, raise, now) {
      asked.set(peer, { raise, endsAt: now + raiseMs });
    },
    take(peer, now) {
      const entry = asked.get(peer);
      asked.delete(peer);
      return entry && now < entry.endsAt ? entry.raise : undefined;
    },
  };
}

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
