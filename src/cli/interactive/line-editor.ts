import { graphemes } from './text-layout.ts';

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
  return ({ text: old, cursor }) => ({
    text: old.slice(0, cursor) + clean + old.slice(cursor),
    cursor: cursor + clean.length,
  });
}

const before = ({ text, cursor }: EditedLine): string => text.slice(0, cursor);
const after = ({ text, cursor }: EditedLine): string => text.slice(cursor);

/** The length of the last character before the cursor, or of the first one behind it. */
const lastLength = (text: string): number => graphemes(text).at(-1)?.length ?? 0;
const firstLength = (text: string): number => graphemes(text).at(0)?.length ?? 0;

/** What belongs to a word; surrogates too, so that no character outside the basic plane is cut in two. */
const inWord = (unit: string): boolean => /[\p{L}\p{N}\p{M}\p{Cs}_]/u.test(unit);
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

const moveTo =
  (where: (line: EditedLine) => number): Edit =>
  (line) => ({ text: line.text, cursor: where(line) });

/** Removes what lies between the cursor and `where`. */
const removeTo =
  (where: (line: EditedLine) => number): Edit =>
  (line) => {
    const [from, to] = [line.cursor, where(line)].sort((one, other) => one - other) as [number, number];
    return { text: line.text.slice(0, from) + line.text.slice(to), cursor: from };
  };

const leftOf = (line: EditedLine): number => line.cursor - lastLength(before(line));
const rightOf = (line: EditedLine): number => line.cursor + firstLength(after(line));
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
