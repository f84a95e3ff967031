import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { escapeForTerminal, jsonLine } from '../../src/cli/escape.ts';

/** Written as code points, so that this file itself holds none of them. */
const bidi = [
  '\u202a',
  '\u202b',
  '\u202c',
  '\u202d',
  '\u202e',
  '\u2066',
  '\u2067',
  '\u2068',
  '\u2069',
  '\u200e',
  '\u200f',
  '\u061c',
];

describe("another person's text on a terminal (ASVS 16.4.1)", () => {
  it('cannot begin a line or return to the start of one', () => {
    expect(escapeForTerminal('a\nb\rc\u0085d\u2028e\u2029f')).toBe('a\\nb\\rc\\x85d\\u2028e\\u2029f');
  });

  it('cannot move the cursor or ring, in 7 or 8 bits', () => {
    expect(escapeForTerminal('\u001b[2J\u009b2J\u0007\u0008\u0000\u007f')).toBe(
      '\\x1b[2J\\x9b2J\\x07\\x08\\x00\\x7f',
    );
  });

  it('cannot turn the direction of what follows', () => {
    for (const control of bidi) {
      expect(escapeForTerminal(`a${control}b`)).toBe(
        `a\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}b`,
      );
    }
  });

  it('keeps letters of every script, emoji joined by ZWJ, spaces and backslashes', () => {
    const text = 'naïve Ünïcödé שלום 你好 👩‍👩‍👧 C:\\new';
    expect(escapeForTerminal(text)).toBe(text);
  });

  it('shows a lone surrogate and keeps a pair', () => {
    expect(escapeForTerminal('\ud800x\udc00 😀')).toBe('\\ud800x\\udc00 😀');
  });

  it('holds none of the dangerous characters, whatever comes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(escapeForTerminal(text)).not.toMatch(/[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
      }),
    );
  });
});

describe('a line of JSON', () => {
  it('parses back to the same value and is one printable line, whatever comes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const line = jsonLine({ text });
        expect(JSON.parse(line)).toEqual({ text });
        expect(line.slice(0, -1)).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
        expect(line.at(-1)).toBe('\n');
      }),
    );
  });
});
