import { describe, expect, it } from 'vitest';
import { type Anchor, type Item, scroll, viewPane } from '../../../src/cli/interactive/pane.ts';
import { fitRow } from '../../../src/cli/interactive/text-layout.ts';
import { rowText } from '../support/row-text.ts';

const item = (seq: number, text: string, sender = 'bob', day = 1): Item => ({
  kind: 'message',
  message: {
    to: '#lobby',
    seq,
    id: String(seq),
    sender,
    sent_at: new Date(2026, 0, day, 9, 30).toISOString(),
    text,
  },
});
const notice = (text: string): Item => ({ kind: 'notice', text, isError: false });
const rowsOf = (items: readonly Item[], anchor: Anchor | undefined, width = 30, height = 5) =>
  viewPane(items, anchor, { width, height }).rows.map(rowText);

describe('a pane', () => {
  it('heads the first message of a day with the date', () => {
    expect(rowsOf([item(1, 'one'), item(2, 'two'), item(3, 'three', 'bob', 2)], undefined)).toEqual([
      '───────── 2026-01-01 ─────────',
      '09:30 bob: one',
      '09:30 bob: two',
      '───────── 2026-01-02 ─────────',
      '09:30 bob: three',
    ]);
  });

  it('indents what follows the first row of a message, so that no line passes for another message', () => {
    const forged = 'hello\n09:31 alice: I quit\n\nend';
    expect(rowsOf([item(1, forged)], undefined, 40, 9).slice(1)).toEqual([
      '09:30 bob: hello',
      '           09:31 alice: I quit',
      '           ',
      '           end',
    ]);
    expect(rowsOf([item(1, forged)], undefined, 30, 9)[2]).toBe('  09:31 alice: I quit');
  });

  it.each([20, 39, 40, 43, 44, 45, 80])(
    'loses no character beside the longest name at %i columns',
    (width) => {
      const name = 'n'.repeat(32);
      const shown = (text: string) =>
        viewPane([item(1, text, name)], undefined, { width, height: 99 })
          .rows.slice(1)
          .map((row) => rowText(fitRow(row, width)));
      const words = 'Xylophones 你好 are quiet';
      const seen = shown(words).join('').replaceAll(' ', '');
      expect(seen.endsWith(words.replaceAll(' ', ''))).toBe(true);
      expect(shown('')[0]).toMatch(/^09:30 n+/);
    },
  );

  it('escapes every control character, and names what it cannot read', () => {
    expect(rowsOf([item(1, 'a\u001b[31m\u202e\tb')], undefined, 60)[1]).toBe(
      '09:30 bob: a\\x1b[31m\\u202e\\tb',
    );
    const { text: _, ...sealed } = (item(1, '') as Extract<Item, { kind: 'message' }>).message;
    const rows = rowsOf([{ kind: 'message', message: { ...sealed, envelope: 'x' } }], undefined, 70);
    expect(rows[1]).toBe('09:30 bob: [encrypted: it is no private message]');
  });

  it('shows the last rows that fit, a part of a message too', () => {
    const items = [notice('one'), notice('two\nthree'), notice('four')];
    expect(rowsOf(items, undefined, 30, 2)).toEqual(['  three', '· four']);
    expect(rowsOf(items, undefined, 30, 9)).toEqual(['· one', '· two', '  three', '· four']);
    expect(viewPane(items, undefined, { width: 30, height: 4 }).isAtTop).toBe(true);
    expect(viewPane(items, undefined, { width: 30, height: 3 }).isAtTop).toBe(false);
    expect(viewPane([], undefined, { width: 30, height: 3 })).toEqual({ rows: [], isAtTop: true });
  });
});

describe('scrolling', () => {
  const size = { width: 30, height: 4 };
  const items = Array.from({ length: 10 }, (_, index) => notice(String(index)));
  const shown = (anchor: Anchor | undefined) =>
    rowsOf(items, anchor, size.width, size.height).map((row) => row.slice(2));

  it('goes up by rows, and down again to the end', () => {
    const up = scroll(items, undefined, -3, size);
    expect(shown(up)).toEqual(['3', '4', '5', '6']);
    expect(shown(scroll(items, up, 2, size))).toEqual(['5', '6', '7', '8']);
    expect(scroll(items, up, 3, size)).toBeUndefined();
    expect(scroll(items, up, 300, size)).toBeUndefined();
  });

  it('stops when the first row is at the top', () => {
    expect(shown(scroll(items, undefined, -6, size))).toEqual(['0', '1', '2', '3']);
    expect(shown(scroll(items, undefined, -7, size))).toEqual(['0', '1', '2', '3']);
    expect(shown(scroll(items, undefined, -700, size))).toEqual(['0', '1', '2', '3']);
  });

  it('does nothing when everything fits', () => {
    for (const few of [[], items.slice(0, 3), items.slice(0, 4)])
      expect(scroll(few, undefined, -1, size)).toBeUndefined();
    expect(scroll(items.slice(0, 5), undefined, -1, size)).toBeDefined();
  });

  it('keeps its place while older and newer items come', () => {
    const here = scroll(items, undefined, -3, size);
    const more = [notice('older'), ...items, notice('newer')];
    expect(rowsOf(more, here, size.width, size.height).map((row) => row.slice(2))).toEqual([
      '3',
      '4',
      '5',
      '6',
    ]);
  });

  it('goes through the middle of an item of several rows', () => {
    const tall = [notice('a'), notice('1\n2\n3\n4\n5'), notice('b')];
    const seen: string[][] = [];
    let anchor: Anchor | undefined;
    for (let step = 0; step < 4; step += 1) {
      seen.push(rowsOf(tall, anchor, 30, 3).map((row) => row.slice(2)));
      anchor = scroll(tall, anchor, -1, { width: 30, height: 3 });
    }
    expect(seen).toEqual([
      ['4', '5', 'b'],
      ['3', '4', '5'],
      ['2', '3', '4'],
      ['1', '2', '3'],
    ]);
  });
});
