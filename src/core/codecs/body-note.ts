import { erasedText, type MessageBody } from '../model/message.ts';

/** What stands in place of an envelope where nothing can open one (five-systems, section 5). */
const encryptedNote = '[encrypted: read it with chat]';

/** What doors of text show in place of a body that is no text. */
export function bodyNote(body: Exclude<MessageBody, { readonly text: string }>): string {
  return 'erased' in body ? erasedText : encryptedNote;
}
