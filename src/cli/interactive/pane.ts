import type { WireMessage } from '../../client/connection.ts';
import { escapeForTerminal } from '../escape.ts';
import { looksPrivate, markedText } from '../message-text.ts';
import { columnsOf, cut, type Row, type Span, type Style, wrapWords } from './text-layout.ts';

/** Something that stands in the pane of a conversation. */
export type Item =
  | { readonly kind: 'message'; readonly message: WireMessage }
  /** What this program has to say, here only; may have several lines, which are safe or made so. */
  | { readonly kind: 'notice'; readonly text: string; readonly isError: boolean }
  /** A message that is on its way. */
  | PendingItem
  | GapItem
  /** Where the reader stopped reading. */
  | { readonly kind: 'unread-mark' };

/** A message that was typed here and that the server has not answered; `key` is the one it is sent under. */
export interface PendingItem {
  readonly kind: 'pending';
  readonly text: string;
  readonly sender: string;
  readonly key: string;
}

/** Where messages are not here, those with a seq between the two: they are fetched when one scrolls there. */
export interface GapItem {
  readonly kind: 'gap';
  readonly after: number;
  readonly before: number;
}

/** Names take one of so many looks, always the same one. */
const nameStyles = 6;

/** The look of a name, which depends on nothing but the name. */
function nameStyle(name: string): Style {
  let sum = 0;
  for (let at = 0; at < name.length; at += 1) sum = (sum * 31 + name.charCodeAt(at)) % 65_521;
  return `name-${sum % nameStyles}`;
}

const two = (number: number): string => String(number).padStart(2, '0');

/** `09:30`, in the time zone of this machine. */
export function clockTime(instant: string): string {
  const at = new Date(instant);
  return Number.isNaN(at.getTime()) ? '--:--' : `${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** `2019-11-01`, in the time zone of this machine. */
function calendarDay(instant: string): string {
  const at = new Date(instant);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

/** A row with a text in the middle of a line, which separates. */
function separator(text: string, width: number, style: Style): Row {
  const shown = cut(` ${text} `, width);
  const left = Math.max(0, Math.floor((width - columnsOf(shown)) / 2));
  const right = Math.max(0, width - left - columnsOf(shown));
  return [{ text: `${'─'.repeat(left)}${shown}${'─'.repeat(right)}`, style }];
}

/** On a narrow screen what follows the first row begins further left. */
const narrowIndent = 2;

/** With less room than this beside it, in columns, what is said begins below its head. */
const leastBeside = 4;

/** `head` and then the lines of `text`, each wrapped and indented, so that none can pass for a message of its own. */
function block(head: readonly Span[], text: string, width: number, style: Style): Row[] {
  const headWidth = head.reduce((sum, span) => sum + columnsOf(span.text), 0);
  const indent = headWidth * 3 <= width ? headWidth : Math.min(narrowIndent, headWidth);
  const rows: Row[] = width - headWidth < leastBeside ? [head] : [];
  const rest = width - indent;
  for (const line of text.split('\n')) {
    const first = rows.length === 0 ? width - headWidth : rest;
    const pieces = wrapWords(escapeForTerminal(line), { first, rest });
    for (const piece of pieces) {
      const lead: readonly Span[] = rows.length === 0 ? head : [{ text: ' '.repeat(indent), style: 'plain' }];
      rows.push([...lead, { text: piece, style }]);
    }
  }
  return rows;
}

const head = (time: string, sender: string): Span[] => [
  { text: `${time} `, style: 'faint' },
  { text: escapeForTerminal(sender), style: nameStyle(sender) },
  { text: ': ', style: 'plain' },
];

/** The rows of an item at a width, without the line that separates it from another day. */
function itemRows(item: Item, width: number): readonly Row[] {
  switch (item.kind) {
    case 'message': {
      const { to, sent_at, sender, text } = item.message;
      const style = text === undefined ? 'faint' : 'plain';
      const time = looksPrivate(item.message, 'chat')
        ? `${clockTime(sent_at)} ${escapeForTerminal(to)}`
        : clockTime(sent_at);
      return block(head(time, sender), markedText(item.message), width, style);
    }
    case 'pending':
      return block(head('  …  ', item.sender), item.text, width, 'faint');
    case 'notice':
      return block([{ text: '· ', style: 'faint' }], item.text, width, item.isError ? 'error' : 'faint');
    case 'gap':
      return [separator(`${item.before - item.after - 1} more messages`, width, 'faint')];
    case 'unread-mark':
      return [separator('new', width, 'error')];
  }
}

/** The rows of each item, kept for the width they were made for: a redraw lays out only what is new. */
const laidOut = new WeakMap<Item, { readonly width: number; readonly rows: readonly Row[] }>();

function cachedRows(item: Item, width: number): readonly Row[] {
  const known = laidOut.get(item);
  if (known?.width === width) return known.rows;
  const rows = itemRows(item, width);
  laidOut.set(item, { width, rows });
  return rows;
}

/** The rows of `items[at]`; the first message of a day is headed by its date. */
function rowsAt(items: readonly Item[], at: number, width: number): readonly Row[] {
  const item = items[at];
  if (item === undefined) return [];
  const rows = cachedRows(item, width);
  if (item.kind !== 'message') return rows;
  const day = calendarDay(item.message.sent_at);
  for (let earlier = at - 1; earlier >= 0; earlier -= 1) {
    const other = items[earlier];
    if (other?.kind !== 'message') continue;
    return calendarDay(other.message.sent_at) === day ? rows : [separator(day, width, 'faint'), ...rows];
  }
  return [separator(day, width, 'faint'), ...rows];
}

/** Where a pane is scrolled to: the last item that shows, and how many of its rows are below the edge. */
export interface Anchor {
  readonly item: Item;
  readonly hidden: number;
}

/** How large a pane is, in columns and rows. */
export interface PaneSize {
  readonly width: number;
  readonly height: number;
}

/** What shows in a pane. */
export interface PaneView {
  /** At most `height` rows, the oldest first. */
  readonly rows: readonly Row[];
  /** True when the first row of the first item shows: what is older has to be fetched. */
  readonly isAtTop: boolean;
  /** A gap that shows: what is missing there has to be fetched. */
  readonly gap: GapItem | undefined;
}

/** The last rows of `items` that fit; with an anchor, the last ones up to there. */
export function viewPane(
  items: readonly Item[],
  anchor: Anchor | undefined,
  { width, height }: PaneSize,
): PaneView {
  const from = anchor === undefined ? -1 : items.indexOf(anchor.item);
  const chunks: (readonly Row[])[] = [];
  let count = 0;
  let at = from < 0 ? items.length - 1 : from;
  let gap: GapItem | undefined;
  for (; at >= 0 && count < height; at -= 1) {
    const item = items[at];
    if (item?.kind === 'gap') gap = item;
    const all = rowsAt(items, at, width);
    const hidden = anchor !== undefined && at === from ? Math.min(anchor.hidden, all.length) : 0;
    const rows = hidden === 0 ? all : all.slice(0, all.length - hidden);
    chunks.unshift(rows);
    count += rows.length;
  }
  const rows = chunks.flat();
  // It has grown since it was scrolled to its top.
  if (anchor !== undefined && at < 0 && rows.length < height) {
    const size = { width, height };
    const top = topAnchor(items, size);
    if (top === undefined || top.item !== anchor.item || top.hidden !== anchor.hidden)
      return viewPane(items, top, size);
  }
  const isAtTop = at < 0 && rows.length <= height;
  return { rows: rows.slice(Math.max(0, rows.length - height)), isAtTop, gap };
}

/** The anchor at which the first row of all stands at the top; undefined when everything fits. */
function topAnchor(items: readonly Item[], { width, height }: PaneSize): Anchor | undefined {
  let count = 0;
  for (const [at, item] of items.entries()) {
    count += rowsAt(items, at, width).length;
    if (count > height || (count === height && at < items.length - 1))
      return { item, hidden: count - height };
  }
  return undefined;
}

/**
 * Scrolls by `by` rows, up when negative; undefined is the end, where new messages come in. Going up stops when the first
 * row of all is at the top.
 */
export function scroll(
  items: readonly Item[],
  anchor: Anchor | undefined,
  by: number,
  size: PaneSize,
): Anchor | undefined {
  const { width, height } = size;
  const found = anchor === undefined ? -1 : items.indexOf(anchor.item);
  let at = found < 0 ? items.length - 1 : found;
  let hidden = (found < 0 ? 0 : (anchor?.hidden ?? 0)) - by;
  while (at > 0 && hidden >= rowsAt(items, at, width).length) {
    hidden -= rowsAt(items, at, width).length;
    at -= 1;
  }
  while (hidden < 0 && at < items.length - 1) {
    at += 1;
    hidden += rowsAt(items, at, width).length;
  }
  const item = items[at];
  if (item === undefined || (at === items.length - 1 && hidden <= 0)) return undefined;
  let above = -hidden;
  for (let index = at; index >= 0 && above < height; index -= 1) above += rowsAt(items, index, width).length;
  return above < height ? topAnchor(items, size) : { item, hidden };
}
