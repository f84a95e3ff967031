import { ChatError } from '../errors.ts';
import { addressKey } from '../model/address.ts';
import type { Peer } from '../peer.ts';
import { failureWaits } from '../policy.ts';
import type { Counter } from '../ports/counter.ts';

/** A login that was let in to show its secret. */
export interface LoginAttempt {
  /** The secret was right: what was counted for it is taken back, and what failed before it is forgotten. */
  succeeded(): Promise<void>;
}

/**
 * What failed logins cost, over all doors together (security 4; ASVS 6.3.1): after five of an account or of an address the next
 * ones wait 1 s, 2 s, 4 s … 15 min. An account's wait concerns only addresses from which that account's login has failed before,
 * so that nobody can lock out its owner from elsewhere.
 */
export interface LoginFailures {
  /**
   * Lets a login of `name` show its secret; it counts as failed until it is said to have succeeded. Throws `rate-limited`, with
   * nothing counted, while this peer's address has to wait. A name that nobody has waits like any other.
   */
  admit(name: string, peer: Peer): Promise<LoginAttempt>;
}

/** Builds the failures of logins on a counter; `isOn` false lets everybody in. */
export function createLoginFailures(counter: Counter, isOn: boolean): LoginFailures {
  const { windowMs } = failureWaits;

  /** Counts one more under `key`; false, and nothing counted, when it has to wait. */
  async function enter(key: string): Promise<boolean> {
    if ((await counter.closedFor(key)) > 0) return false;
    const waitMs = waitAfter(await counter.add(key, windowMs));
    // Closed at once, not when it has failed: of those beside it none may slip in meanwhile.
    if (waitMs === 0 || (await counter.closeIfOpen(key, waitMs))) return true;
    await counter.takeBack(key, windowMs);
    return false;
  }

  /** Counts one more under `key`, whether or not others have to wait for it. */
  async function note(key: string): Promise<void> {
    const waitMs = waitAfter(await counter.add(key, windowMs));
    if (waitMs > 0) await counter.close(key, waitMs);
  }

  /** What was counted for one that did not fail. An address keeps the rest: an own account must not wipe out guesses at others. */
  async function forgive(key: string): Promise<void> {
    await counter.takeBack(key, windowMs);
    await counter.close(key, 0);
  }

  async function mustWait(key: string): Promise<ChatError> {
    const retryAfterMs = await counter.closedFor(key);
    return new ChatError('rate-limited', 'too many failed logins: wait before the next one', {
      retryAfterMs,
    });
  }

  return {
    async admit(name, peer) {
      if (!isOn) return { succeeded: async () => {} };
      const from = addressKey(peer.address);
      const address = `address ${from}`;
      const account = `account ${name}`;
      const pair = `pair ${name} ${from}`;
      if (!(await enter(address))) throw await mustWait(address);
      if ((await counter.add(pair, windowMs)) === 1) await note(account);
      else if (!(await enter(account))) {
        await Promise.all([counter.takeBack(pair, windowMs), forgive(address)]);
        throw await mustWait(account);
      }
      return {
        async succeeded() {
          await Promise.all([counter.forget(pair), counter.forget(account), forgive(address)]);
        },
      };
    },
  };
}

/** How long the next login waits after so many failed ones, in milliseconds. */
export function waitAfter(failures: number): number {
  const { free, firstMs, mostMs } = failureWaits;
  if (failures < free) return 0;
  return Math.min(mostMs, firstMs * 2 ** Math.min(failures - free, 30));
}
