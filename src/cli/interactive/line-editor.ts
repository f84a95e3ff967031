import { characterAt, graphemes } from './text-layout.ts';

/** The line that is being typed. It may hold line breaks, and anything else that was pasted. */
export interface EditedLine {
  readonly text: string;
  /** Where typing goes on, in UTF-16 units, between two characters as a person sees them. */
  readonly cursor: number;
}

/** Nothing typed yet. */
export const emptyLine: EditedLine = { text: '', cursor: 0 };

/** A line with the cursor at its end. */
export function lineOf(text: string): EditedLine {
  return { text, cursor: text.length };
}

/** Changes that keys make; each answers a new line, the same one when there is nothing to change. */
export type Edit = (line: EditedLine) => EditedLine;

/** Puts text where the cursor is. A CR or CR LF in it, which terminals paste for line breaks, becomes LF. */
export function insert(text: string): Edit {
  const clean = text.replace(/\r\n?/g, '\n').toWellFormed();
  return ({ text: old, cursor }) => {
    const whole = old.slice(0, cursor) + clean + old.slice(cursor);
    return { text: whole, cursor: characterEnd(whole, cursor + clean.length) };
  };
}

/** `at`, or the end of the character in whose middle it is: what was apart may have become one, as `e` before an accent. */
function characterEnd(text: string, at: number): number {
  if (at <= 0 || at >= text.length) return at;
  const { start, end } = characterAt(text, at);
  return start === at ? at : end;
}

function characterStart(text: string, at: number): number {
  return at <= 0 || at >= text.length ? at : characterAt(text, at).start;
}

/** What belongs to a word; surrogates too, and what joins them, so that emoji stay whole. */
const inWord = (unit: string): boolean => /[\p{L}\p{N}\p{M}\p{Cs}_\u200d]/u.test(unit);
const inBlankWord = (unit: string): boolean => !/\s/.test(unit);

/** Back over what is in no word, then over the word; unit by unit, since a text may be long. */
function wordStart(text: string, from: number, isIn: (unit: string) => boolean): number {
  let at = from;
  while (at > 0 && !isIn(text.charAt(at - 1))) at -= 1;
  while (at > 0 && isIn(text.charAt(at - 1))) at -= 1;
  return at;
}

function wordEnd(text: string, from: number, isIn: (unit: string) => boolean): number {
  let at = from;
  while (at < text.length && !isIn(text.charAt(at))) at += 1;
  while (at < text.length && isIn(text.charAt(at))) at += 1;
  return at;
}

/** Where the last run of characters that are no blanks begins, before `cursor`. */
export function lastWordStart({ text, cursor }: EditedLine): number {
  let at = cursor;
  while (at > 0 && inBlankWord(text.charAt(at - 1))) at -= 1;
  return at;
}

/** Finds a place in a line, which is then moved on to the edge of the character that it is in. */
type Place = (line: EditedLine) => number;

function wholeAt(line: EditedLine, where: Place): number {
  const to = where(line);
  return to < line.cursor ? characterStart(line.text, to) : characterEnd(line.text, to);
}

const moveTo =
  (where: Place): Edit =>
  (line) => ({ text: line.text, cursor: wholeAt(line, where) });

/** Removes what lies between the cursor and `where`. */
const removeTo =
  (where: Place): Edit =>
  (line) => {
    const to = wholeAt(line, where);
    const from = Math.min(line.cursor, to);
    const text = line.text.slice(0, from) + line.text.slice(Math.max(line.cursor, to));
    return { text, cursor: characterEnd(text, from) };
  };

const leftOf = ({ text, cursor }: EditedLine): number =>
  cursor === 0 ? 0 : characterAt(text, cursor - 1).start;
const rightOf = ({ text, cursor }: EditedLine): number =>
  cursor >= text.length ? cursor : characterAt(text, cursor).end;
const wordLeftOf = ({ text, cursor }: EditedLine): number => wordStart(text, cursor, inWord);
const wordRightOf = ({ text, cursor }: EditedLine): number => wordEnd(text, cursor, inWord);
const blankWordLeftOf = ({ text, cursor }: EditedLine): number => wordStart(text, cursor, inBlankWord);
const startOf = ({ text, cursor }: EditedLine): number => text.lastIndexOf('\n', cursor - 1) + 1;
const endOf = ({ text, cursor }: EditedLine): number => {
  const end = text.indexOf('\n', cursor);
  return end < 0 ? text.length : end;
};

/** `lastIndexOf` takes a negative start for 0, so the first row is a case of its own. */
const rowStart = (line: EditedLine): number => (line.cursor === 0 ? 0 : startOf(line));

/** One row up or down in a text of several rows, at the same character as far as there is one; undefined at the edge. */
export function moveRow(line: EditedLine, direction: -1 | 1): EditedLine | undefined {
  const start = rowStart(line);
  const column = graphemes(line.text.slice(start, line.cursor)).length;
  const edge = direction < 0 ? start - 1 : endOf(line);
  if (edge < 0 || edge >= line.text.length) return undefined;
  const other: EditedLine = { text: line.text, cursor: direction < 0 ? edge : edge + 1 };
  const from = rowStart(other);
  const row = line.text.slice(from, endOf(other));
  return { text: line.text, cursor: from + graphemes(row).slice(0, column).join('').length };
}

/** The edits by the names that key bindings use. */
export const edits = {
  left: moveTo(leftOf),
  right: moveTo(rightOf),
  'word-left': moveTo(wordLeftOf),
  'word-right': moveTo(wordRightOf),
  start: moveTo(rowStart),
  end: moveTo(endOf),
  'delete-left': removeTo(leftOf),
  'delete-right': removeTo(rightOf),
  'delete-word-left': removeTo(blankWordLeftOf),
  'delete-word-right': removeTo(wordRightOf),
  'delete-to-start': removeTo(rowStart),
  'delete-to-end': removeTo(endOf),
} as const satisfies Record<string, Edit>;

/** The name of an edit. */
export type EditName = keyof typeof edits;

/** How many lines are remembered to be taken up again. */
const mostRemembered = 200;

/** Lines sent before, which the arrow keys bring back; what was being typed waits at their end. */
export interface LineHistory {
  readonly lines: readonly string[];
  /** Which of `lines` is shown; their length when none is. */
  readonly at: number;
  /** What was being typed when the first older line was taken up. */
  readonly draft: string;
}

/** Nothing sent yet. */
export const emptyHistory: LineHistory = { lines: [], at: 0, draft: '' };

/** Remembers a sent line, unless it is the last one again. */
export function remember(history: LineHistory, text: string): LineHistory {
  const lines =
    history.lines.at(-1) === text ? history.lines : [...history.lines, text].slice(-mostRemembered);
  return { lines, at: lines.length, draft: '' };
}

/** One line older or newer; undefined when there is none. */
export function recall(
  history: LineHistory,
  line: EditedLine,
  direction: -1 | 1,
): { readonly history: LineHistory; readonly line: EditedLine } | undefined {
  const at = history.at + direction;
  if (at < 0 || at > history.lines.length) return undefined;
  const draft = history.at === history.lines.length ? line.text : history.draft;
  return { history: { ...history, at, draft }, line: lineOf(history.lines[at] ?? draft) };
}
