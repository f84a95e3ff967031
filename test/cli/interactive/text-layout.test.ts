import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { layOutInput } from '../../../src/cli/interactive/input-layout.ts';
import { lineOf } from '../../../src/cli/interactive/line-editor.ts';
import { columnsOf, cut, fitRow, rowText, wrapWords } from '../../../src/cli/interactive/text-layout.ts';

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

describe('the line that is typed', () => {
  it.each([
    ['', 0, 10, ['', '0:0']],
    ['abc', 3, 10, ['abc', '0:3']],
    ['abc', 1, 10, ['abc', '0:1']],
    ['abcd', 4, 4, ['abcd\n', '1:0']],
    ['abcde', 4, 4, ['abcd\ne', '1:0']],
    ['ab\ncd', 2, 10, ['ab\ncd', '0:2']],
    ['ab\ncd', 3, 10, ['ab\ncd', '1:0']],
    ['你好', 1, 3, ['你\n好', '1:0']],
    ['a\tb', 3, 10, ['a\\tb', '0:4']],
    ['a\u001b', 2, 10, ['a\\x1b', '0:5']],
  ])('%j with the cursor at %i in %i columns', (text, cursor, width, [rows, place]) => {
    const laidOut = layOutInput({ text, cursor }, width, 10);
    expect([laidOut.rows.join('\n'), `${laidOut.cursor.row}:${laidOut.cursor.column}`]).toEqual([
      rows,
      place,
    ]);
  });

  it('shows the rows around the cursor when there are too many', () => {
    const line = lineOf('1\n2\n3\n4\n5');
    expect(layOutInput(line, 10, 2)).toEqual({ rows: ['4', '5'], cursor: { row: 1, column: 1 } });
    expect(layOutInput({ ...line, cursor: 0 }, 10, 2)).toEqual({
      rows: ['1', '2'],
      cursor: { row: 0, column: 0 },
    });
  });
});
