import stringWidth from 'string-width';

/** How a piece of a row looks; what colour that is, if any, the painter decides. */
export type Style =
  | 'plain'
  | 'faint'
  | 'bold'
  | 'bar'
  | 'bar-active'
  | 'bar-unread'
  | 'error'
  | `name-${number}`;

/** Text of one look; it holds no control character. */
export interface Span {
  readonly text: string;
  readonly style: Style;
}

/** One row of a screen. */
export type Row = readonly Span[];

const segmenter = new Intl.Segmenter();
/** What takes one column a UTF-16 unit, and needs no segmenting. */
const simple = /^[\x20-\x7e]*$/;

/** Splits text into what a person takes for characters (Unicode UAX 29). */
export function graphemes(text: string): string[] {
  if (simple.test(text)) return [...text];
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}

/** The character that has the unit at `at`, which is within `text`: where it begins and ends. */
export function characterAt(text: string, at: number): { readonly start: number; readonly end: number } {
  const { index = at, segment = ' ' } = segmenter.segment(text).containing(at) ?? {};
  return { start: index, end: index + segment.length };
}

/** The columns that `text` takes: 2 for wide characters and emoji, 0 for combining ones (Unicode UAX 11). */
export function columnsOf(text: string): number {
  return simple.test(text) ? text.length : stringWidth(text);
}

/** As many whole characters of `text` as fit into `columns`, the last one `…` when some had to go. */
export function cut(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  if (columns < 1) return '';
  let kept = '';
  let width = 0;
  for (const grapheme of graphemes(text)) {
    width += columnsOf(grapheme);
    if (width > columns - 1) break;
    kept += grapheme;
  }
  return `${kept}…`;
}

/** Cuts a row's spans to `columns` and, when `fill` is given, fills the rest with blanks of that look. */
export function fitRow(row: Row, columns: number, fill?: Style): Row {
  const fitted: Span[] = [];
  let left = columns;
  for (const { text, style } of row) {
    if (left <= 0) break;
    const piece = cut(text, left);
    if (piece !== '') fitted.push({ text: piece, style });
    left -= columnsOf(piece);
    // One mark that something had to go is enough.
    if (piece !== text) break;
  }
  if (fill !== undefined && left > 0) fitted.push({ text: ' '.repeat(left), style: fill });
  return fitted;
}

/** How wide the first row and the ones after it are, in columns. */
export interface WrapWidths {
  readonly first: number;
  readonly rest: number;
}

/**
 * Breaks text that has no line break into rows, between words where it can and inside of them where it must. Blanks at a
 * break stay at the end of their row only as far as they fit. Answers at least one row; none is wider than its width,
 * but for a wide character where there is room for one column only.
 */
export function wrapWords(text: string, { first, rest }: WrapWidths): string[] {
  const rows: string[] = [];
  let row = '';
  let used = 0;
  let width = Math.max(1, first);
  const next = (): void => {
    rows.push(row);
    row = '';
    used = 0;
    width = Math.max(1, rest);
  };
  for (const word of text.match(/ +|[^ ]+/g) ?? []) {
    const isBlank = word.startsWith(' ');
    const columns = columnsOf(word);
    if (used + columns <= width) {
      row += word;
      used += columns;
      continue;
    }
    if (isBlank) {
      row += word.slice(0, width - used);
      next();
      continue;
    }
    if (used > 0 && columns <= Math.max(1, rest)) next();
    for (const grapheme of graphemes(word)) {
      const wide = columnsOf(grapheme);
      if (used > 0 && used + wide > width) next();
      row += grapheme;
      used += wide;
    }
  }
  // A blank that did not fit at the end begins no row.
  if (row !== '' || rows.length === 0) rows.push(row);
  return rows;
}
