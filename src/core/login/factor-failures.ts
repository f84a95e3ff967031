import { ChatError } from '../errors.ts';
import type { UserId } from '../model/ids.ts';
import { failureWaits, freeWrongCodes } from '../policy.ts';
import type { Counter } from '../ports/counter.ts';
import type { Meter } from '../ports/meter.ts';
import { waitAfter } from './failures.ts';

/**
 * What wrong one-time codes cost (security 4): six digits are few, and whoever tries them has the first factor already. So they
 * count by account alone, from wherever they come; its owner gets past a wait with a recovery code, which nobody guesses.
 */
export interface FactorFailures {
  /**
   * Runs the judgement of a code, which counts as failed from its start until it was right or was not made at all. Throws
   * `rate-limited`, with nothing judged, while the account has to wait.
   */
  guard(userId: UserId, judge: () => Promise<boolean>): Promise<boolean>;
}

/** Builds the failures of codes on a counter; `meter` is told of each refusal. */
export function createFactorFailures(counter: Counter, meter?: Pick<Meter, 'limited'>): FactorFailures {
  const { windowMs } = failureWaits;

  async function mustWait(key: string): Promise<ChatError> {
    meter?.limited('one-time-code');
    const retryAfterMs = await counter.closedFor(key);
    return new ChatError(
      'rate-limited',
      'too many wrong one-time codes: wait before the next one, or use a recovery code',
      { retryAfterMs },
    );
  }

  return {
    async guard(userId, judge) {
      const key = `factor ${userId}`;
      if ((await counter.closedFor(key)) > 0) throw await mustWait(key);
      const waitMs = waitAfter(await counter.add(key, windowMs), freeWrongCodes);
      // Closed at once, not when it was wrong: of those beside it none may slip in meanwhile.
      if (waitMs > 0 && !(await counter.closeIfOpen(key, waitMs))) {
        await counter.takeBack(key, windowMs);
        throw await mustWait(key);
      }
      let isRight: boolean;
      try {
        isRight = await judge();
      } catch (error) {
        await counter.takeBack(key, windowMs);
        await counter.close(key, 0);
        throw error;
      }
      if (isRight) await counter.forget(key);
      return isRight;
    },
  };
}
