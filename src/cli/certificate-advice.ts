import { ChatError } from '../core/errors.ts';
import type { KeptCertificate } from './kept-certificate.ts';

/** True for a login that the server has refused for its certificate's sake: only who has shown a good one hears of a code. */
export function isRefusedCertificate(error: unknown): error is ChatError {
  const isRefused = error instanceof ChatError && error.code === 'unauthenticated';
  return isRefused && !error.message.includes('one-time code');
}

/** What to do about a certificate that the server refuses, which says no more than that. */
export function withAdvice(error: unknown, { path }: KeptCertificate, isNamed: boolean): unknown {
  if (!isRefusedCertificate(error)) return error;
  const advice = isNamed
    ? `${path} may not be this account's, or have been revoked. Whoever is logged in with a password adds one with chat sessions certificate add`
    : `${path} may have expired or been revoked. With a password, chat login --certificate --new has another one signed; without one, ` +
      'an administrator gives a code for chat reset --certificate';
  return new ChatError('unauthenticated', `${error.message}: ${advice}`, { cause: error });
}
