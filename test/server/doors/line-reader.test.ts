import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineReader } from '../../../src/server/doors/line-reader.ts';

/** What a reader answers for these pieces, joined, and its failure's code and text. */
function read(pieces: ReadonlyArray<string | Uint8Array>, maxLineBytes = 16): [string, string | undefined] {
  const reader = new LineReader(maxLineBytes);
  const text = pieces.map((piece) => reader.feed(Buffer.from(piece))).join('');
  return [text, reader.failure && `${reader.failure.code}: ${reader.failure.message}`];
}

const tooLarge = 'too-large: a line has at most 16 bytes';
const notUtf8 = 'invalid: the line is not UTF-8';

describe('the line reader', () => {
  it('answers whole lines as they are finished and keeps the rest', () => {
    const reader = new LineReader(16);
    expect(reader.feed(Buffer.from('one\ntw'))).toBe('one\n');
    expect(reader.isInLine).toBe(true);
    expect(reader.feed(Buffer.from('o\n'))).toBe('two\n');
    expect(reader.isInLine).toBe(false);
  });

  it('does not depend on how the bytes were cut', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.array(fc.nat(40)), (text, cuts) => {
        const bytes = Buffer.from(`${text}\n`);
        const ends = [
          0,
          ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b),
          bytes.length,
        ];
        const pieces = ends.slice(1).map((end, index) => bytes.subarray(ends[index], end));
        expect(read(pieces, 0)).toEqual([bytes.toString(), undefined]);
      }),
    );
  });

  it('takes a line of exactly the limit and refuses one byte more, before its end has come', () => {
    expect(read([`${'x'.repeat(16)}\n`])).toEqual([`${'x'.repeat(16)}\n`, undefined]);
    expect(read(['x'.repeat(16)])).toEqual(['', undefined]);
    expect(read(['x'.repeat(17)])).toEqual(['', tooLarge]);
    expect(read(['x'.repeat(10), 'x'.repeat(7)])).toEqual(['', tooLarge]);
    expect(read(['x'.repeat(10), `${'x'.repeat(7)}\n`])).toEqual(['', tooLarge]);
    expect(read([`${'x'.repeat(17)}\n`])).toEqual(['', tooLarge]);
    expect(read(['x'.repeat(10_000)], 0)).toEqual(['', undefined]);
  });

  it('takes many lines that are together longer than the limit, and what follows them', () => {
    expect(read(['0123456789\n0123456789\nrest', '\n'])).toEqual([
      '0123456789\n0123456789\nrest\n',
      undefined,
    ]);
  });

  it('answers the good lines before a bad one, and nothing after it', () => {
    expect(read([`good\n${'x'.repeat(17)}\nlost\n`, 'lost\n'])).toEqual(['good\n', tooLarge]);
    expect(read([Buffer.from('good\n\xff\nlost\n', 'latin1'), 'lost\n'])).toEqual(['good\n', notUtf8]);
    expect(read([`good\n${'x'.repeat(17)}`])).toEqual(['good\n', tooLarge]);
  });

  it('takes a character that was cut in two, and refuses one that a line end cuts', () => {
    const [first = 0, second = 0] = Buffer.from('é');
    expect(read([Uint8Array.of(first), Uint8Array.of(second, 0x0a)])).toEqual(['é\n', undefined]);
    expect(read([Uint8Array.of(first, 0x0a, second, 0x0a)])).toEqual(['', notUtf8]);
  });

  it.each([
    ['an overlong encoding', [0xc0, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['a code point beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
    ['a lone continuation byte', [0x80]],
  ])('refuses %s', (_, bytes) => {
    expect(read([Uint8Array.from([...bytes, 0x0a])])).toEqual(['', notUtf8]);
  });

  it('counts what is left at the end as a line', () => {
    const reader = new LineReader(16);
    reader.feed(Buffer.from('one\ntwo'));
    expect([reader.end(), reader.end()]).toEqual(['two', '']);
    const broken = new LineReader(16);
    broken.feed(Uint8Array.of(0xc3) as Buffer);
    expect([broken.end(), broken.failure?.message]).toEqual(['', 'the line is not UTF-8']);
  });
});
