import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ChatError } from '../core/errors.ts';
import type { Terms } from '../core/model/terms.ts';

/** So much goes into one answer, and is still read by nobody. */
const maxBytes = 65_536;

/** Reads the text that everybody accepts who registers. Throws `invalid` naming the file for one that cannot be shown. */
export function readTerms(path: string): Terms {
  const bytes = read(path);
  if (bytes.byteLength > maxBytes) throw refused(path, `has more than ${maxBytes} bytes`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw refused(path, 'is not UTF-8');
  }
  if (text.trim() === '') throw refused(path, 'is empty');
  if (/[^\P{Cc}\n\r\t]/u.test(text)) throw refused(path, 'has control characters');
  return { text, sha256: createHash('sha256').update(bytes).digest('hex') };
}

function read(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw refused(path, `cannot be read (${code ?? String(error)})`);
  }
}

function refused(path: string, why: string): ChatError {
  return new ChatError('invalid', `--consent-file: ${path} ${why}`, { field: '--consent-file' });
}
