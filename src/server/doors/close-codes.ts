import type { ErrorCode } from '../../core/errors.ts';
import type { EndReason } from '../../core/events.ts';
import { endedError } from '../../core/session-end.ts';
import { maxFragments } from './websocket-limits.ts';

/** The status of a Close frame and its reason, at most 123 bytes (RFC 6455 sections 5.5 and 7.4). */
export interface CloseStatus {
  readonly code: number;
  readonly reason: string;
}

/** RFC 6455 section 7.4.1; 1012 to 1014 are IANA's; 4000 to 4999 are everybody's own. */
export const closeCodes = {
  goingAway: 1001,
  unsupportedData: 1003,
  policyViolation: 1008,
  internalError: 1011,
  tryAgainLater: 1013,
  sessionEnded: 4401,
} as const;

const endCodes: Readonly<Record<EndReason, number>> = {
  'logged-out': closeCodes.sessionEnded,
  revoked: closeCodes.sessionEnded,
  expired: closeCodes.sessionEnded,
  replaced: closeCodes.sessionEnded,
  'refresh-reused': closeCodes.sessionEnded,
  'credentials-changed': closeCodes.sessionEnded,
  disabled: closeCodes.sessionEnded,
  'shutting-down': closeCodes.goingAway,
  unavailable: closeCodes.tryAgainLater,
};

/** How a connection is closed that was ended. */
export function endStatus(reason: EndReason): CloseStatus {
  return { code: endCodes[reason], reason: endedError(reason).message };
}

/** How a connection is closed whose Authenticate was answered with an error: later it may be as good as ever, or never. */
export function authFailureStatus(code: ErrorCode): CloseStatus {
  switch (code) {
    case 'rate-limited':
    case 'unavailable':
    case 'timeout':
      return { code: closeCodes.tryAgainLater, reason: 'try again later' };
    case 'internal':
      return { code: closeCodes.internalError, reason: 'something went wrong on the server' };
    default:
      return { code: closeCodes.sessionEnded, reason: 'authentication failed' };
  }
}

/** What is wrong with what a client sent, for the codes that `ws` closes with. */
export function mistakeReason(code: number, maxMessageBytes: number): string {
  switch (code) {
    case 1002:
      return 'not a frame of RFC 6455';
    case 1007:
      return 'the message is not UTF-8';
    case closeCodes.policyViolation:
      return `a message has at most ${maxFragments} fragments, and comes in pieces that are not tiny`;
    case 1009:
      return `a message has at most ${maxMessageBytes} bytes`;
    default:
      return '';
  }
}
