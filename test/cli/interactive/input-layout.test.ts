import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { layOutInput } from '../../../src/cli/interactive/input-layout.ts';
import { lineOf } from '../../../src/cli/interactive/line-editor.ts';
import { columnsOf } from '../../../src/cli/interactive/text-layout.ts';

describe('the line that is typed', () => {
  it.each([
    ['', 0, 10, ['', '0:0']],
    ['abc', 3, 10, ['abc', '0:3']],
    ['abc', 1, 10, ['abc', '0:1']],
    ['abcd', 4, 4, ['abcd\n', '1:0']],
    ['abcde', 4, 4, ['abcd\ne', '1:0']],
    ['ab\ncd', 2, 10, ['ab\ncd', '0:2']],
    ['abcd\nef', 4, 4, ['abcd\nef', '0:3']],
    ['abcd\nef', 5, 4, ['abcd\nef', '1:0']],
    ['\n\n', 1, 4, ['\n\n', '1:0']],
    ['你好', 2, 4, ['你好\n', '1:0']],
    ['e\u0301x', 2, 4, ['e\u0301x', '0:1']],
    ['e\u0301x', 1, 4, ['e\u0301x', '0:0']],
    ['👩‍👩‍👧x', 8, 4, ['👩‍👩‍👧x', '0:2']],
    ['ab\u202e', 3, 4, ['ab\\u\n202e\n', '2:0']],
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

  it('has its cursor on the screen wherever it is, and no row that is too wide', () => {
    const character = fc.constantFrom('a', ' ', '\n', '你', 'e\u0301', '👩‍👩‍👧', '\u001b', '🇩🇪', '\u0301');
    fc.assert(
      fc.property(
        fc.array(character, { maxLength: 60 }),
        fc.integer({ min: 2, max: 20 }),
        fc.integer({ min: 1, max: 6 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (characters, width, height, share) => {
          const text = characters.join('');
          const { rows, cursor } = layOutInput(
            { text, cursor: Math.round(share * text.length) },
            width,
            height,
          );
          expect(rows.length).toBeGreaterThan(0);
          expect(rows.length).toBeLessThanOrEqual(height);
          expect(cursor.row).toBeLessThan(rows.length);
          expect(cursor.row).toBeGreaterThanOrEqual(0);
          expect(cursor.column).toBeLessThan(width);
          for (const row of rows) expect(columnsOf(row)).toBeLessThanOrEqual(width);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('of 16,384 bytes is shown around its cursor', () => {
    const text = '你'.repeat(5_461);
    const end = layOutInput(lineOf(text), 78, 8);
    expect([end.rows.length, end.cursor.row]).toEqual([8, 7]);
    expect(layOutInput({ text, cursor: 0 }, 78, 8).cursor).toEqual({ row: 0, column: 0 });
  });
});
