import { ChatError } from '../../core/errors.ts';
import { maxTextBytes } from '../../core/policy.ts';
import { cutLines, decodeUtf8 } from '../text-input.ts';

/** A line, or why it cannot be taken. */
export type TypedLine =
  | { readonly kind: 'line'; readonly text: string }
  | { readonly kind: 'refused'; readonly why: ChatError };

const newline = 0x0a;
const carriageReturn = 0x0d;
const tooLong = (): ChatError =>
  new ChatError(
    'too-large',
    `the line has more than ${maxTextBytes} bytes; a message has at most that many`,
    { field: 'text' },
  );

/** Leaves out what a line has after its first `maxBytes`, so that none of it is kept. */
async function* cropLines(chunks: AsyncIterable<Uint8Array>, maxBytes: number): AsyncIterable<Uint8Array> {
  let taken = 0;
  for await (const chunk of chunks) {
    for (let start = 0; start < chunk.length; ) {
      const end = chunk.indexOf(newline, start);
      const stop = end < 0 ? chunk.length : end;
      const piece = chunk.subarray(start, Math.min(stop, start + maxBytes - taken));
      if (piece.length > 0) yield piece;
      taken += piece.length;
      if (end >= 0) {
        yield chunk.subarray(end, end + 1);
        taken = 0;
      }
      start = stop + 1;
    }
  }
}

/**
 * Cuts what a person types into lines at `\n` (a `\r` before it is dropped). A line that is not UTF-8, or longer than a
 * message may be, is answered as such, once, and those after it go on.
 */
export async function* typedLines(chunks: AsyncIterable<Uint8Array>): AsyncIterable<TypedLine> {
  // One byte for a `\r`, and one by which a line is seen to be too long.
  const mostKept = maxTextBytes + 2;
  const cut = { maxBytes: mostKept, tooLong };
  for await (const { bytes } of cutLines(cropLines(chunks, mostKept), cut)) {
    const end = bytes.at(-1) === carriageReturn ? bytes.length - 1 : bytes.length;
    yield readLine(bytes.subarray(0, end));
  }
}

function readLine(bytes: Uint8Array): TypedLine {
  if (bytes.length > maxTextBytes) return { kind: 'refused', why: tooLong() };
  try {
    return { kind: 'line', text: decodeUtf8('the line', bytes) };
  } catch (error) {
    if (!(error instanceof ChatError)) throw error;
    return { kind: 'refused', why: error };
  }
}
