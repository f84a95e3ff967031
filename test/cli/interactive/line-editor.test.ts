import { describe, expect, it } from 'vitest';
import {
  type EditName,
  edits,
  emptyHistory,
  emptyLine,
  insert,
  lastWordStart,
  lineOf,
  moveRow,
  recall,
  remember,
} from '../../../src/cli/interactive/line-editor.ts';

/** A line written with `|` where the cursor is. */
const at = (marked: string) => ({ text: marked.replace('|', ''), cursor: marked.indexOf('|') });
const shown = ({ text, cursor }: { text: string; cursor: number }) =>
  `${text.slice(0, cursor)}|${text.slice(cursor)}`;

describe('a key', () => {
  it.each<[EditName, string, string]>([
    ['left', 'ab|c', 'a|bc'],
    ['left', '|abc', '|abc'],
    ['right', 'ab|c', 'abc|'],
    ['right', 'abc|', 'abc|'],
    ['left', 'a👩‍👩‍👧|', 'a|👩‍👩‍👧'],
    ['left', 'e\u0301|x', '|e\u0301x'],
    ['right', '|你好', '你|好'],
    ['word-left', 'one two|', 'one |two'],
    ['word-left', 'one, two |', 'one, |two '],
    ['word-left', '|', '|'],
    ['word-right', '|one, two', 'one|, two'],
    ['word-right', 'one|, two', 'one, two|'],
    ['start', 'one\ntw|o', 'one\n|two'],
    ['start', '|one', '|one'],
    ['end', 'o|ne\ntwo', 'one|\ntwo'],
    ['end', 'two|', 'two|'],
    ['delete-left', 'ab|c', 'a|c'],
    ['delete-left', '|abc', '|abc'],
    ['delete-left', '👍🏽|', '|'],
    ['delete-right', 'a|bc', 'a|c'],
    ['delete-right', 'abc|', 'abc|'],
    ['delete-word-left', 'go to #ops-2|', 'go to |'],
    ['delete-word-left', 'go  |', '|'],
    ['delete-word-right', 'a| word here', 'a| here'],
    ['delete-to-start', 'one\ntwo|three', 'one\n|three'],
    ['delete-to-end', 'one|two\nthree', 'one|\nthree'],
    ['delete-to-end', 'one|', 'one|'],
  ])('%s turns %j into %j', (name, before, after) => {
    expect(shown(edits[name](at(before)))).toBe(after);
  });

  it.each<[EditName, string, string]>([
    ['word-left', 'hi 👩‍👩‍👧|', 'hi |👩‍👩‍👧'],
    ['word-right', 'hi |👩‍👩‍👧 you', 'hi 👩‍👩‍👧| you'],
    ['delete-word-right', '|👩‍👩‍👧 you', '| you'],
    ['delete-word-left', 'hi 👩‍👩‍👧|', 'hi |'],
    ['right', '|🇩🇪🇫🇷', '🇩🇪|🇫🇷'],
    ['left', '🇩🇪🇫🇷|', '🇩🇪|🇫🇷'],
    ['delete-left', '🇩🇪🇫🇷|', '🇩🇪|'],
    ['delete-right', 'a|x\u0301', 'a|'],
  ])('%s leaves characters whole: %j becomes %j', (name, before, after) => {
    expect(shown(edits[name](at(before)))).toBe(after);
  });

  it('that makes one character of two leaves the cursor behind it', () => {
    expect(shown(insert('e')(at('|\u0301 clair')))).toBe('e\u0301| clair');
    expect(shown(insert('🇩')(at('|🇪')))).toBe('🇩🇪|');
    expect(shown(edits['delete-left'](at('🇩-|🇪')))).toBe('🇩🇪|');
  });

  it('typed or pasted goes in at the cursor; line breaks of every kind become one', () => {
    expect(shown(insert('xy')(at('a|b')))).toBe('axy|b');
    expect(shown(insert('1\r\n2\r3\n')(at('|')))).toBe('1\n2\n3\n|');
    expect(insert('\ud800')(emptyLine).text).toBe('\ufffd');
  });

  it('works on a line as long as a message may be', () => {
    const long = lineOf('a'.repeat(16_384));
    expect(edits['word-left'](long).cursor).toBe(0);
    expect(edits['delete-word-left'](long)).toEqual(emptyLine);
    expect(lastWordStart(long)).toBe(0);
  });
});

describe('up and down in a text of several rows', () => {
  it.each<[string, -1 | 1, string | undefined]>([
    ['one\nt|wo', -1, 'o|ne\ntwo'],
    ['o|ne\ntwo', 1, 'one\nt|wo'],
    ['longer|\nab', 1, 'longer\nab|'],
    ['ab\nlonger|', -1, 'ab|\nlonger'],
    ['你好|\nabc', 1, '你好\nab|c'],
    ['on|e', -1, undefined],
    ['on|e', 1, undefined],
    ['one\nt|wo', 1, undefined],
    ['|\n', 1, '\n|'],
    ['\n|', -1, '|\n'],
  ])('%j, %i rows: %j', (before, direction, after) => {
    const moved = moveRow(at(before), direction);
    expect(moved && shown(moved)).toBe(after);
  });
});

describe('lines sent before', () => {
  it('come back one by one, and what was being typed waits at their end', () => {
    const sent = ['one', 'two'].reduce(remember, emptyHistory);
    const first = recall(sent, lineOf('draft'), -1);
    expect(first?.line).toEqual(lineOf('two'));
    const second = first && recall(first.history, first.line, -1);
    expect(second?.line).toEqual(lineOf('one'));
    expect(second && recall(second.history, second.line, -1)).toBeUndefined();
    const forth = second && recall(second.history, second.line, 1);
    const end = forth && recall(forth.history, forth.line, 1);
    expect(end?.line).toEqual(lineOf('draft'));
    expect(end && recall(end.history, end.line, 1)).toBeUndefined();
  });

  it('are remembered once in a row, the last 200 of them', () => {
    expect(['a', 'a', 'b', 'a'].reduce(remember, emptyHistory).lines).toEqual(['a', 'b', 'a']);
    const many = Array.from({ length: 201 }, (_, index) => String(index)).reduce(remember, emptyHistory);
    expect([many.lines.length, many.lines[0], many.lines.at(-1)]).toEqual([200, '1', '200']);
  });
});
