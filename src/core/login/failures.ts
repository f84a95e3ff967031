import type { AccountNotices } from '../account-notices.ts';
import { ChatError } from '../errors.ts';
import { addressKey } from '../model/address.ts';
import type { Peer } from '../peer.ts';
import { failuresPastWait, failuresTold, failureWaits, loginsWaitingPerAddress } from '../policy.ts';
import type { Counter } from '../ports/counter.ts';
import type { Meter } from '../ports/meter.ts';
import { createTurns } from '../take-turns.ts';

/**
 * What failed logins cost, over all doors together (security 4; ASVS 6.3.1): after the free ones of an account or of an address the next
 * ones wait 1 s, 2 s, 4 s … 15 min. An account's wait concerns only addresses from which that account's login has failed a few
 * times, so that nobody can lock out its owner from elsewhere, also not one who has mistyped. A name and the e-mail address of the
 * same account count each by itself: what they shared would tell whose the address is (ASVS 6.3.8).
 */
export interface LoginFailures {
  /**
   * Runs a login of `given`, the name or the lower-case e-mail address that was typed, which counts as failed from its start on until
   * it succeeds or turns out to have failed for another reason than its secret. Of one address a few run at a time and the others wait
   * for their turn, so that good ones do not stand in each other's way. Throws `rate-limited`, with nothing run and nothing
   * counted, while this peer has to wait. What nobody has waits like any other. `owner` is who is told
   * of failures, where that is not the name that was given.
   */
  guard<T>(given: string, peer: Peer, login: () => Promise<T>, owner?: string): Promise<T>;
  /**
   * Forgets what has failed for names and lower-case e-mail addresses of an account whose secret is another one now: it was about the old
   * one. The peers' addresses keep theirs.
   */
  forget(given: readonly string[]): Promise<void>;
}

/** Builds the failures of logins on a counter, `free` of which cost nothing; with 0 nobody ever waits. `meter` is told of each refusal. */
export function createLoginFailures(
  counter: Counter,
  free: number,
  notices: Pick<AccountNotices, 'tell'>,
  meter?: Pick<Meter, 'limited'>,
): LoginFailures {
  const { windowMs, firstMs } = failureWaits;
  // So many cost nobody a wait, whatever becomes of them.
  const atOnce = Math.max(1, Math.min(failuresPastWait, free - 1));
  const turns = createTurns({ atOnce, mostWaiting: loginsWaitingPerAddress });

  /** Counts one more under `key`, and says how many there are then; 0, and nothing counted, when it has to wait. */
  async function enter(key: string): Promise<number> {
    if ((await counter.closedFor(key)) > 0) return 0;
    const count = await counter.add(key, windowMs);
    const waitMs = waitAfter(count, free);
    // Closed at once, not when it has failed: of those beside it none may slip in meanwhile.
    if (waitMs === 0 || (await counter.closeIfOpen(key, waitMs))) return count;
    await counter.takeBack(key, windowMs);
    return 0;
  }

  /** Counts one more under `key`, whether or not others have to wait for it, and says how many there are then. */
  async function note(key: string): Promise<number> {
    const count = await counter.add(key, windowMs);
    const waitMs = waitAfter(count, free);
    if (waitMs > 0) await counter.close(key, waitMs);
    return count;
  }

  /** What was counted for one that did not fail. An address keeps the rest: an own account must not wipe out guesses at others. */
  async function forgive(key: string): Promise<void> {
    await counter.takeBack(key, windowMs);
    await counter.close(key, 0);
  }

  async function mustWait(key: string, limit: 'failed-login' | 'elsewhere'): Promise<ChatError> {
    meter?.limited(limit);
    const retryAfterMs = await counter.closedFor(key);
    return new ChatError('rate-limited', 'too many failed logins: wait before the next one', {
      retryAfterMs,
    });
  }

  async function guarded<T>(given: string, peer: Peer, login: () => Promise<T>, owner: string): Promise<T> {
    const from = addressKey(peer.address);
    const address = `address ${from}`;
    const account = `account ${given}`;
    const pair = `pair ${given} ${from}`;
    if ((await enter(address)) === 0) throw await mustWait(address, 'failed-login');
    const passes = (await counter.add(pair, windowMs)) <= failuresPastWait;
    const failures = await (passes ? note(account) : enter(account));
    if (failures === 0) {
      await Promise.all([counter.takeBack(pair, windowMs), forgive(address)]);
      throw await mustWait(account, 'elsewhere');
    }
    try {
      const answer = await login();
      await Promise.all([counter.forget(pair), counter.forget(account), forgive(address)]);
      return answer;
    } catch (error) {
      const isWrong = error instanceof ChatError && error.code === 'unauthenticated';
      if (!isWrong) {
        // Who came past a closed account has not closed it, and does not open it for those who have to wait.
        const undone = passes ? counter.takeBack(account, windowMs) : forgive(account);
        await Promise.all([counter.takeBack(pair, windowMs), undone, forgive(address)]);
      } else if (isTold(failures)) {
        const { door, address: from } = peer;
        const at = Date.now();
        notices.tell(owner, {
          type: 'account-notice',
          kind: 'failed-logins',
          door,
          address: from,
          failures,
          at,
        });
      }
      throw error;
    }
  }

  return {
    async guard(given, peer, login, owner = given) {
      if (free === 0) return login();
      const turn = turns.take(addressKey(peer.address), () => guarded(given, peer, login, owner));
      if (turn) return turn;
      meter?.limited('logins-at-once');
      throw new ChatError('rate-limited', 'too many logins from this address at once', {
        retryAfterMs: firstMs,
      });
    },
    async forget(given) {
      await Promise.all(given.map((one) => counter.forget(`account ${one}`)));
    },
  };
}

/** True for 5, 10, 20, 40 … */
function isTold(failures: number): boolean {
  const doublings = Math.log2(failures / failuresTold);
  return doublings >= 0 && Number.isInteger(doublings);
}

/** How long the next login waits after so many failed ones of which `free` cost nothing, in milliseconds. */
export function waitAfter(failures: number, free: number): number {
  const { firstMs, mostMs } = failureWaits;
  if (failures < free) return 0;
  return Math.min(mostMs, firstMs * 2 ** Math.min(failures - free, 30));
}
