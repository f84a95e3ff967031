import { parseRecoveryCode } from '../crypto/recovery-code.ts';
import { matchingStep, parseTotpCode } from '../crypto/totp.ts';
import { ChatError } from '../errors.ts';
import type { Account } from '../model/account.ts';
import type { SecondFactor } from '../model/second-factor.ts';
import type { CallContext } from '../operation.ts';
import { fitsRecoveryCode } from './recovery-codes.ts';

/**
 * Passes an account whose first factor has been proven, if it has no second one or `otp` is a code of it: of its authenticator, each
 * step once, or a recovery code, each once. Throws `second-factor-required` when there is no code, `unauthenticated` for a wrong
 * one, `rate-limited` while the account has to wait after wrong ones.
 */
export async function passSecondFactor(
  context: CallContext,
  account: Account,
  otp: string | undefined,
): Promise<void> {
  if (!account.hasSecondFactor) return;
  demandCode(otp);
  const { store } = context.services;
  const factor = await store.secondFactor(account.id);
  // Turned off since the account was read; a session with the older state is not opened by the store.
  if (!factor || factor.confirmedAt === null) return;
  if (!(await isCodeOf(context, account, factor, otp))) throw wrongCode();
}

/** Judges a code of a factor that is on, and uses it up. */
async function isCodeOf(
  context: CallContext,
  account: Account,
  factor: SecondFactor,
  otp: string,
): Promise<boolean> {
  const { factorFailures } = context.services;
  const code = parseTotpCode(otp);
  if (code !== undefined) {
    context.note({ factor: 'totp' });
    return await factorFailures.guard(account.id, () => useTotpCode(context, account, factor, code));
  }
  context.note({ factor: 'recovery-code' });
  return await useRecoveryCode(context, account, otp);
}

async function useTotpCode(
  { services, now }: CallContext,
  { id: userId }: Account,
  { secret, lastStep }: SecondFactor,
  code: string,
): Promise<boolean> {
  const step = matchingStep(await services.totpSealer.open(secret, userId), code, { now, lastStep });
  // Of two at once, also on two nodes, the store takes one.
  return step !== undefined && (await services.store.useTotpStep({ userId, secret, step }));
}

async function useRecoveryCode(context: CallContext, account: Account, otp: string): Promise<boolean> {
  const parsed = parseRecoveryCode(otp);
  if (!parsed) return false;
  const { store } = context.services;
  const { id: userId, username } = account;
  const kept = await store.recoveryCode({ userId, number: parsed.number });
  if (!kept || !(await fitsRecoveryCode(context, username, parsed.code, kept))) return false;
  return await store.useRecoveryCode({ userId, number: kept.number, hash: kept.hash });
}

/** Throws `second-factor-required` when no code was given. */
export function demandCode(otp: string | undefined): asserts otp is string {
  if (otp !== undefined && otp.trim() !== '') return;
  throw new ChatError(
    'second-factor-required',
    'a second factor is required: give the one-time code of your authenticator, or a recovery code',
  );
}

/** Only who has proven the first factor hears this. */
export function wrongCode(): ChatError {
  return new ChatError('unauthenticated', 'the one-time code is wrong, too old or has been used already');
}
