import type { WireEvent } from '../client/connection.ts';
import { lineTime } from './message-text.ts';

/** One line for a person whose account somebody has logged in to elsewhere, or tries to; a later server's kinds are left out. */
export function accountNoticeText(event: Extract<WireEvent, { type: 'account-notice' }>): string | undefined {
  const where = `${event.address} (${event.door})`;
  const time = lineTime(event.at);
  switch (event.kind) {
    case 'new-device': {
      const device = event.device ? `${JSON.stringify(event.device)} at ` : '';
      return `your account was logged in to from a new device, ${device}${where}, ${time}; if that was not you: chat sessions`;
    }
    case 'failed-logins':
      return `${event.failures ?? 'several'} logins to your account have failed since the last good one, the latest from ${where}, ${time}`;
    default:
      return undefined;
  }
}
