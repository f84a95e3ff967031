import * as z from 'zod';
import { ChatError, loggedInAlready } from '../errors.ts';
import { operation } from '../operation.ts';
import { openedSession, otp as otpShape } from '../operations/shapes.ts';
import { mechanism } from './mechanism.ts';
import { openProven } from './open-session.ts';

/**
 * Goes on with the login that has been answered `second-factor-required` on this connection, within two minutes and a few tries: its
 * password need not be shown again. Answers what that login would have.
 */
const loginSecondFactor = operation({
  name: 'login.second-factor',
  access: 'anyone',
  cost: 'login',
  audited: true,
  overlaps: false,
  input: z.strictObject({ otp: otpShape }),
  output: openedSession,
  async handle({ otp }, context) {
    const { services, peer, now, concerns } = context;
    if (peer.session) throw loggedInAlready();
    const awaited = services.awaitedCodes.get(peer, now);
    if (!awaited) throw new ChatError('unauthenticated', 'no login waits for a code here: log in again');
    const { proven, given, wishes } = awaited;
    const { username } = proven.account;
    concerns(username);
    const judging = async () => {
      try {
        const { answer } = await openProven(context, proven, { ...wishes, otp });
        services.awaitedCodes.forget(peer);
        return answer;
      } catch (error) {
        if (error instanceof ChatError && error.code === 'unauthenticated')
          services.awaitedCodes.failed(peer);
        throw error;
      }
    };
    return services.failures.guard(given, peer, judging, username);
  },
});

/** The second half of a login whose secret was right, for doors that ask for the code by itself. */
export const secondStep = mechanism({
  name: 'second-step',
  shows: 'a one-time code or a recovery code, after another mechanism on the same connection',
  operations: [loginSecondFactor],
});
