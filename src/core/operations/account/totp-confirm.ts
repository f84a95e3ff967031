import * as z from 'zod';
import { matchingStep, parseTotpCode } from '../../crypto/totp.ts';
import { ChatError } from '../../errors.ts';
import { makeRecoveryCodes } from '../../login/recovery-codes.ts';
import { wrongCode } from '../../login/second-factor.ts';
import type { SecondFactor } from '../../model/second-factor.ts';
import { type CallContext, operation } from '../../operation.ts';
import { factorSetupMs } from '../../policy.ts';
import { otp } from '../shapes.ts';

/**
 * Turns on the factor that was begun within the last quarter of an hour, for a code that shows that the authenticator has it. Answers
 * the recovery codes, which are shown this once, and ends the account's other sessions: they knew no factor. Wrong codes count as
 * failed logins, since whoever has no more than a session must not guess them.
 */
export const totpConfirm = operation({
  name: 'account.totp-confirm',
  access: 'session',
  needsNoFactor: true,
  cost: 'login',
  audited: true,
  overlaps: false,
  input: z.strictObject({ code: otp }),
  output: z.object({ recovery_codes: z.array(z.string()), ended_sessions: z.number() }),
  async handle({ code }, context) {
    const { services, session, now } = context;
    const { userId, username, id: except } = session;
    const { store, sessions, factorFailures } = services;
    const begun = await begunFactor(context);
    let step: number | undefined;
    await factorFailures.guard(userId, async () => {
      const digits = parseTotpCode(code);
      const secret = await services.totpSealer.open(begun.secret, userId);
      step =
        digits === undefined ? undefined : matchingStep(secret, digits, { now, lastStep: begun.lastStep });
      return step !== undefined;
    });
    if (step === undefined) throw wrongCode();
    const { codes, hashed } = await makeRecoveryCodes(context, username);
    const on = { userId, secret: begun.secret, step, now, codes: hashed, except };
    const ended = await store.confirmSecondFactor(on);
    if (!ended) throw nothingBegun();
    sessions.ended(ended, 'credentials-changed', { of: session.username });
    // A refresh may have renewed the session since this call began.
    sessions.renew({ ...(context.peer.session ?? session), hasSecondFactor: true });
    return { recovery_codes: [...codes], ended_sessions: ended.length };
  },
});

async function begunFactor({ services, session, now }: CallContext<'session'>): Promise<SecondFactor> {
  const begun = await services.store.secondFactor(session.userId);
  if (begun && begun.confirmedAt !== null) {
    throw new ChatError('conflict', 'this account has a second factor already');
  }
  if (!begun || Math.abs(now - begun.begunAt) >= factorSetupMs) throw nothingBegun();
  return begun;
}

function nothingBegun(): ChatError {
  return new ChatError('conflict', 'no second factor is being set up, or for too long: begin again');
}
