import { ChatError } from './errors.ts';
import type { EndReason } from './events.ts';

const ends: Readonly<Record<EndReason, readonly [ChatError['code'], string]>> = {
  'logged-out': ['unauthenticated', 'the session has ended: it was logged out'],
  revoked: ['unauthenticated', 'the session has ended: it was revoked'],
  expired: ['unauthenticated', 'the session has ended: it has expired'],
  replaced: ['unauthenticated', 'the session has ended: another login took its place'],
  'refresh-reused': ['unauthenticated', 'the session has ended: one of its refresh tokens was used twice'],
  'credentials-changed': [
    'unauthenticated',
    'the session has ended: the password or second factor of its account was changed',
  ],
  disabled: ['unauthenticated', 'the session has ended: its account is disabled'],
  'shutting-down': ['unavailable', 'the server is shutting down'],
  unavailable: ['unavailable', 'the server cannot serve now'],
};

/** Why a connection was ended, as the error that doors of text and clients spell; a reason that a newer server has is given as it is. */
export function endedError(reason: string): ChatError {
  const [code, message] = isKnown(reason)
    ? ends[reason]
    : (['unauthenticated', `the session has ended: ${reason}`] as const);
  return new ChatError(code, message);
}

function isKnown(reason: string): reason is EndReason {
  return Object.hasOwn(ends, reason);
}
