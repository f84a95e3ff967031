import { ChatError } from '../errors.ts';
import type { EndReason } from '../events.ts';
import { erasedText, type MessageBody } from '../model/message.ts';

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

/** Why a connection was ended, as the error that doors of text spell. */
export function endedError(reason: EndReason): ChatError {
  const [code, message] = ends[reason];
  return new ChatError(code, message);
}

/** What stands in place of an envelope where nothing can open one (five-systems, section 5). */
const encryptedNote = '[encrypted: read it with chat]';

/** What doors of text show in place of a body that is no text. */
export function bodyNote(body: Exclude<MessageBody, { readonly text: string }>): string {
  return 'erased' in body ? erasedText : encryptedNote;
}
