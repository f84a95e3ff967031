import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeUtf8, dropTrailingNewline, readLines, readMessage } from '../../src/cli/text-input.ts';
import { checkText } from '../../src/client/check-text.ts';
import { maxTextBytes } from '../../src/core/policy.ts';

async function* chunked(bytes: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const source = (bytes: Uint8Array, size = 7) => ({ bytes: () => chunked(bytes, size) });
const utf8 = (text: string) => new TextEncoder().encode(text);

async function linesOf(bytes: Uint8Array, size = 7) {
  const lines: string[] = [];
  for await (const { number, text } of readLines(chunked(bytes, size))) lines.push(`${number}:${text}`);
  return lines;
}

describe('a message from stdin', () => {
  it.each([
    ['hi\n', 'hi'],
    ['hi\r\n', 'hi'],
    ['hi\n\n', 'hi\n'],
    ['hi', 'hi'],
    ['a\nb\n', 'a\nb'],
    ['hi\r', 'hi\r'],
    ['\ufeffhi', '\ufeffhi'],
  ])('%j is %j: one trailing newline is dropped', async (input, text) => {
    expect(await readMessage('stdin', source(utf8(input)))).toBe(text);
    expect(dropTrailingNewline(input)).toBe(text);
  });

  it('that is not UTF-8 is refused', async () => {
    for (const bytes of [[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80]]) {
      await expect(readMessage('stdin', source(Uint8Array.from(bytes)))).rejects.toMatchObject({
        code: 'invalid',
        message: 'stdin is not UTF-8 text',
      });
    }
  });

  it('is as long as a message may be, and not read further', async () => {
    expect(await readMessage('stdin', source(utf8(`${'x'.repeat(maxTextBytes)}\r\n`), 4096))).toHaveLength(
      maxTextBytes,
    );
    let read = 0;
    const endless = async function* () {
      for (;;) {
        read += 1;
        yield new Uint8Array(8_192);
      }
    };
    await expect(readMessage('stdin', { bytes: endless })).rejects.toMatchObject({
      code: 'too-large',
      message: `stdin has more than ${maxTextBytes} bytes; a message has at most that many`,
    });
    expect(read).toBe(3);
  });
});

describe('the check of a text', () => {
  it('takes 1 to 16,384 bytes', () => {
    expect(() => checkText('the text', 'x')).not.toThrow();
    expect(() => checkText('the text', '\0')).not.toThrow();
    expect(() => checkText('the text', 'x'.repeat(maxTextBytes))).not.toThrow();
    expect(() => checkText('the text', 'é'.repeat(maxTextBytes / 2))).not.toThrow();
  });

  it.each([
    ['', 'invalid', 'the text is empty; a message has at least one character'],
    ['\ud800', 'invalid', 'the text is not well-formed Unicode'],
    ['x'.repeat(maxTextBytes + 1), 'too-large', 'the text has 16385 bytes; a message has at most 16384'],
    [
      `${'é'.repeat(maxTextBytes / 2)}x`,
      'too-large',
      'the text has 16385 bytes; a message has at most 16384',
    ],
  ])('refuses what the server would refuse', (text, code, message) => {
    expect(() => checkText('the text', text)).toThrow(expect.objectContaining({ code, message }));
  });
});

describe('lines of input', () => {
  it('end at a newline, with or without a carriage return; the last one needs none', async () => {
    expect(await linesOf(utf8('a\r\nb\n\nc'))).toEqual(['1:a', '2:b', '3:', '4:c']);
    expect(await linesOf(utf8('a\n'))).toEqual(['1:a']);
    expect(await linesOf(utf8(''))).toEqual([]);
  });

  it('do not depend on how the bytes were cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'grapheme' })),
        fc.integer({ min: 1, max: 9 }),
        async (texts, size) => {
          const lines = texts.map((text) => text.replace(/[\r\n]/g, ''));
          const input = lines.map((line) => `${line}\n`).join('');
          expect(await linesOf(utf8(input), size)).toEqual(
            lines.map((line, index) => `${index + 1}:${line}`),
          );
        },
      ),
      { numRuns: 50 },
    );
  });

  it('know where they ended', async () => {
    const ends: number[] = [];
    for await (const { endOffset } of readLines(chunked(utf8('ab\r\n\nc'), 2))) ends.push(endOffset);
    expect(ends).toEqual([4, 5, 6]);
  });

  it('that are not UTF-8 or too long are named, after those before', async () => {
    const seen: string[] = [];
    const read = async (bytes: Uint8Array) => {
      for await (const { text } of readLines(chunked(bytes, 1_000))) seen.push(text);
    };
    await expect(
      read(Buffer.concat([utf8('good\n'), Uint8Array.of(0xff), utf8('\n')])),
    ).rejects.toMatchObject({
      code: 'invalid',
      message: 'line 2 is not UTF-8 text',
    });
    await expect(read(utf8(`fine\n${'x'.repeat(maxTextBytes + 2)}`))).rejects.toMatchObject({
      code: 'too-large',
      message: 'line 2 has more than 16384 bytes; a message has at most that many',
    });
    expect(seen).toEqual(['good', 'fine']);
  });
});

describe('decoding', () => {
  it('names what is not UTF-8', () => {
    expect(() => decodeUtf8('--password-file', Uint8Array.of(0x80))).toThrow(
      '--password-file is not UTF-8 text',
    );
  });
});
