import { ChatError } from '../core/errors.ts';
import { maxTextBytes } from '../core/policy.ts';

/** Refuses what the server would refuse, before a connection is made for it; `label` is what the error begins with. */
export function checkText(label: string, text: string): void {
  if (text === '')
    throw new ChatError('invalid', `${label} is empty; a message has at least one character`, {
      field: 'text',
    });
  if (!text.isWellFormed())
    throw new ChatError('invalid', `${label} is not well-formed Unicode`, { field: 'text' });
  const bytes = Buffer.byteLength(text);
  if (bytes > maxTextBytes) {
    throw new ChatError('too-large', `${label} has ${bytes} bytes; a message has at most ${maxTextBytes}`, {
      field: 'text',
    });
  }
}
