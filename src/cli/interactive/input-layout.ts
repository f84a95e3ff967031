import { escapeForTerminal } from '../escape.ts';
import type { EditedLine } from './line-editor.ts';
import { columnsOf, graphemes } from './text-layout.ts';

/** The line that is typed as rows, and where the cursor stands in them. */
export interface InputLayout {
  readonly rows: readonly string[];
  readonly cursor: { readonly row: number; readonly column: number };
}

/** Lays out a line in `width` columns, at most `height` rows of it: those around the cursor. */
export function layOutInput({ text, cursor }: EditedLine, width: number, height: number): InputLayout {
  const rows: string[] = [];
  let row = '';
  let column = 0;
  let at = 0;
  let found: { row: number; column: number } | undefined;
  const next = (): void => {
    rows.push(row);
    row = '';
    column = 0;
  };
  for (const grapheme of graphemes(text)) {
    const isHere = at <= cursor && cursor < at + grapheme.length;
    if (isHere && grapheme === '\n') found = { row: rows.length, column: Math.min(column, width - 1) };
    if (grapheme === '\n') next();
    else {
      for (const piece of graphemes(escapeForTerminal(grapheme))) {
        const columns = columnsOf(piece);
        if (column + columns > width) next();
        if (isHere) found ??= { row: rows.length, column };
        row += piece;
        column += columns;
      }
    }
    at += grapheme.length;
  }
  // The cursor behind the last character may need a row of its own.
  if (found === undefined && column >= width) next();
  const place = found ?? { row: rows.length, column };
  rows.push(row);
  const first = Math.min(Math.max(0, place.row - height + 1), Math.max(0, rows.length - height));
  return {
    rows: rows.slice(first, first + height),
    cursor: { row: place.row - first, column: place.column },
  };
}
