import { ChatError, type ErrorCode } from '../../core/errors.ts';

/**
 * By code, whether a message that failed with it may be taken one day as it is: the server or the way to it is the matter, or the
 * login, which can be repaired. What the server refuses for the message's own sake is not kept.
 */
const later: Readonly<Record<ErrorCode, boolean>> = {
  unavailable: true,
  timeout: true,
  'rate-limited': true,
  unauthenticated: true,
  'second-factor-required': true,
  untrusted: true,
  internal: true,
  invalid: false,
  'too-large': false,
  unsupported: false,
  forbidden: false,
  'not-found': false,
  conflict: false,
};

/** True for a failure after which the same message may still be taken one day. */
export function mayBeTakenLater(error: unknown): error is ChatError {
  return error instanceof ChatError && later[error.code];
}
