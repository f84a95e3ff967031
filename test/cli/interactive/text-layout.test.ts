import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { columnsOf, cut, fitRow, wrapWords } from '../../../src/cli/interactive/text-layout.ts';
import { rowText } from '../support/row-text.ts';

const wrap = (text: string, first: number, rest = first) => wrapWords(text, { first, rest });

describe('the width of a text', () => {
  it.each([
    ['', 0],
    ['abc', 3],
    ['你好', 4],
    ['e\u0301', 1],
    ['👍', 2],
    ['👩‍👩‍👧', 2],
    ['🇩🇪', 2],
    ['ｱ', 1],
  ])('of %j is %i columns', (text, columns) => {
    expect(columnsOf(text)).toBe(columns);
  });
});

describe('text that is cut', () => {
  it.each([
    ['abc', 3, 'abc'],
    ['abcd', 3, 'ab…'],
    ['你好', 3, '你…'],
    ['你好', 2, '…'],
    ['你好', 4, '你好'],
    ['abc', 0, ''],
    ['e\u0301e\u0301e\u0301', 2, 'e\u0301…'],
  ])('%j to %i columns is %j', (text, columns, expected) => {
    expect(cut(text, columns)).toBe(expected);
  });

  it('may be of several looks, and the rest of the row is filled', () => {
    const row = fitRow(
      [
        { text: 'abc', style: 'bold' },
        { text: 'def', style: 'faint' },
      ],
      5,
      'bar',
    );
    expect(row).toEqual([
      { text: 'abc', style: 'bold' },
      { text: 'd…', style: 'faint' },
    ]);
    expect(rowText(fitRow([{ text: 'ab', style: 'bold' }], 5, 'bar'))).toBe('ab   ');
  });
});

describe('a row of several looks', () => {
  it('has one mark where it was cut, also when a wide character left a column over', () => {
    const row = fitRow(
      [
        { text: '你好', style: 'bold' },
        { text: ' and more', style: 'faint' },
      ],
      3,
    );
    expect(rowText(row)).toBe('你…');
    const next = fitRow(
      [
        { text: 'a你', style: 'bold' },
        { text: 'more', style: 'faint' },
      ],
      2,
      'bar',
    );
    expect([rowText(next), columnsOf(rowText(next))]).toEqual(['a…', 2]);
    expect(rowText(fitRow([{ text: '你好吗', style: 'bold' }], 4, 'bar'))).toBe('你… ');
  });
});

describe('text that is wrapped', () => {
  it.each([
    ['', 5, 5, ['']],
    ['abcde', 5, 5, ['abcde']],
    ['abcdef', 5, 5, ['abcde', 'f']],
    ['one two', 5, 5, ['one ', 'two']],
    ['one two', 3, 7, ['one', 'two']],
    ['a longword', 5, 5, ['a lon', 'gword']],
    ['你好吗', 5, 5, ['你好', '吗']],
    ['ab你', 3, 3, ['ab', '你']],
    ['word', 2, 8, ['wo', 'rd']],
    ['abcde ', 5, 5, ['abcde']],
    ['abcde   ', 5, 5, ['abcde']],
    ['abcd ', 5, 5, ['abcd ']],
    ['     ', 3, 3, ['   ']],
    ['    indented', 12, 12, ['    indented']],
  ])('%j in %i and then %i columns', (text, first, rest, expected) => {
    expect(wrap(text, first, rest)).toEqual(expected);
  });

  it('loses no character but blanks at a break, and is never wider than it may be', () => {
    const character = fc.constantFrom('a', ' ', 'Z', '你', 'e\u0301', '👍', '👩‍👩‍👧', '-');
    fc.assert(
      fc.property(
        fc.array(character, { maxLength: 60 }),
        fc.integer({ min: 2, max: 20 }),
        (characters, width) => {
          const text = characters.join('');
          const rows = wrap(text, width);
          expect(rows.join('').replaceAll(' ', '')).toBe(text.replaceAll(' ', ''));
          for (const row of rows) expect(columnsOf(row)).toBeLessThanOrEqual(width);
        },
      ),
      { numRuns: 500 },
    );
  });
});
