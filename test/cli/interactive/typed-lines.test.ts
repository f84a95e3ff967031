import { describe, expect, it } from 'vitest';
import { typedLines } from '../../../src/cli/interactive/typed-lines.ts';
import { maxTextBytes } from '../../../src/core/policy.ts';

async function* pieces(input: Buffer, size: number) {
  for (let at = 0; at < input.length; at += size) yield input.subarray(at, at + size);
}

async function linesOf(input: string | Buffer, size = 4_096) {
  const lines: string[] = [];
  for await (const typed of typedLines(pieces(Buffer.from(input), size)))
    lines.push(typed.kind === 'line' ? typed.text : `! ${typed.why.code}: ${typed.why.message}`);
  return lines;
}

const notText = '! invalid: the line is not UTF-8 text';
const tooLong = '! too-large: the line has more than 16384 bytes; a message has at most that many';

describe('lines as they are typed', () => {
  it.each([1, 2, 3, 4_096])('are cut at newlines, in chunks of %i bytes', async (size) => {
    expect(await linesOf('one\ntwo 你好\r\n\nlast', size)).toEqual(['one', 'two 你好', '', 'last']);
    expect(await linesOf('', size)).toEqual([]);
    expect(await linesOf('a\rb\r\n', size)).toEqual(['a\rb']);
  });

  it.each([1, 7, 4_096])('go on after one that is not UTF-8, in chunks of %i bytes', async (size) => {
    const input = Buffer.concat([Buffer.from('before\n\xe9t\xe9\n', 'latin1'), Buffer.from('été\n')]);
    expect(await linesOf(input, size)).toEqual(['before', notText, 'été']);
    expect(await linesOf(Buffer.from([0xc3, 0x0a, 0xa9]), size)).toEqual([notText, notText]);
  });

  it.each([1_000, maxTextBytes, 1_000_000])(
    'are as long as a message may be; a longer one is refused once, in chunks of %i bytes',
    async (size) => {
      const most = 'x'.repeat(maxTextBytes);
      const input = `${most}\n${most}\r\n${most}y\nok\n${'z'.repeat(100_000)}\nok\n${most}yy`;
      expect(await linesOf(input, size)).toEqual([most, most, tooLong, 'ok', tooLong, 'ok', tooLong]);
    },
  );
});
