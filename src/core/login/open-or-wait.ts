import { ChatError } from '../errors.ts';
import type { CallContext } from '../operation.ts';
import { openProven, type ProvenSession } from './open-session.ts';
import type { Proven, SessionWishes } from './proven.ts';

/**
 * Opens a session as `openProven`; where only the second factor's code is missing, this connection may give that alone
 * (`login.second-factor`), so that nobody keeps the secret meanwhile.
 * `given` is what the account was called, where that is not its name.
 */
export async function openOrWait(
  context: CallContext,
  proven: Proven,
  wishes: SessionWishes,
  given: string = proven.account.username,
): Promise<ProvenSession> {
  const { services, peer, now } = context;
  services.awaitedCodes.forget(peer);
  try {
    return await openProven(context, proven, wishes);
  } catch (error) {
    const isCodeMissing = error instanceof ChatError && error.code === 'second-factor-required';
    if (isCodeMissing) services.awaitedCodes.wait(peer, { proven, given, wishes }, now);
    throw error;
  }
}
