import { ChatError } from '../core/errors.ts';
import { maxTextBytes } from '../core/policy.ts';
import type { ByteSource } from './host.ts';
import { usageError } from './options.ts';

const newline = 0x0a;
const carriageReturn = 0x0d;

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Decodes strictly; throws `invalid` (exit 2) naming `label` for anything that is not UTF-8. A byte order mark is text. */
export function decodeUtf8(label: string, bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    throw usageError(`${label} is not UTF-8 text`);
  }
}

/** Without the one newline (`\n` or `\r\n`) that `echo` and editors put at the end. */
export function dropTrailingNewline(text: string): string {
  return text.replace(/\r?\n$/, '');
}

function concat(chunks: readonly Uint8Array[]): Uint8Array {
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}

/** Everything of `source`; with `maxBytes`, throws `too-large` (exit 2) as soon as there is more. */
export async function readAll(
  source: Pick<ByteSource, 'bytes'>,
  maxBytes = Number.POSITIVE_INFINITY,
  label = 'stdin',
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of source.bytes()) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      throw new ChatError(
        'too-large',
        `${label} has more than ${maxTextBytes} bytes; a message has at most that many`,
        { field: 'text' },
      );
    }
    chunks.push(chunk);
  }
  return concat(chunks);
}

/** One message from `source`: strict UTF-8, one trailing newline dropped, within the size of a message. */
export async function readMessage(label: string, source: Pick<ByteSource, 'bytes'>): Promise<string> {
  return dropTrailingNewline(decodeUtf8(label, await readAll(source, maxTextBytes + 2, label)));
}

/** A line of input with its number, counted from 1. */
export interface InputLine {
  readonly number: number;
  readonly text: string;
  /** Bytes of input up to its end. */
  readonly endOffset: number;
}

/** A line as it stands in the input, without its newline. */
export interface LineBytes extends Omit<InputLine, 'text'> {
  readonly bytes: Uint8Array;
}

/** How lines are cut. */
export interface CutOptions {
  /** No line may have more. */
  readonly maxBytes: number;
  /** What is thrown for one that has, without reading the rest of it. */
  readonly tooLong: (number: number) => ChatError;
  /** The first line that is wanted: those before it are counted, whatever they are, and not answered. */
  readonly from?: number;
}

/** Cuts bytes into lines at `\n`; the last one needs none. */
export async function* cutLines(
  chunks: AsyncIterable<Uint8Array>,
  { maxBytes, tooLong, from = 1 }: CutOptions,
): AsyncIterable<LineBytes> {
  let number = 1;
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  let offset = 0;
  const take = (piece: Uint8Array): void => {
    pendingBytes += piece.length;
    if (number < from) return;
    pending.push(piece);
    if (pendingBytes > maxBytes) throw tooLong(number);
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      take(chunk.subarray(start, end));
      offset += pendingBytes + 1;
      if (number >= from) yield { number, bytes: concat(pending), endOffset: offset };
      pending = [];
      pendingBytes = 0;
      number += 1;
      start = end + 1;
    }
    if (start < chunk.length) take(chunk.subarray(start));
  }
  if (pendingBytes > 0 && number >= from)
    yield { number, bytes: concat(pending), endOffset: offset + pendingBytes };
}

function tooLongLine(number: number): ChatError {
  return new ChatError(
    'too-large',
    `line ${number} has more than ${maxTextBytes} bytes; a message has at most that many`,
    { field: 'text' },
  );
}

/**
 * Cuts bytes into lines of text at `\n` (a `\r` before it is dropped), those before `from` left out unread. Throws `invalid`
 * or `too-large` (exit 2) naming the line that is not UTF-8 or too long, without reading the rest of it.
 */
export async function* readLines(chunks: AsyncIterable<Uint8Array>, from = 1): AsyncIterable<InputLine> {
  const cut = { maxBytes: maxTextBytes + 1, tooLong: tooLongLine, from };
  for await (const { number, bytes, endOffset } of cutLines(chunks, cut)) {
    const end = bytes.at(-1) === carriageReturn ? bytes.length - 1 : bytes.length;
    yield { number, text: decodeUtf8(`line ${number}`, bytes.subarray(0, end)), endOffset };
  }
}
