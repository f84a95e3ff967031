import { type ChatState, type ConversationState, currentOf, unreadOf } from './chat-state.ts';
import { layOutInput } from './input-layout.ts';
import { type PaneSize, viewPane } from './pane.ts';
import { columnsOf, cut, fitRow, type Row, type Span, type Style } from './text-layout.ts';

/** How large the screen is, in columns and rows. */
export interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
}

/** A whole screen: its rows from the top, and where the cursor stands, counted from 0. */
export interface Frame {
  readonly rows: readonly Row[];
  readonly cursor: { readonly row: number; readonly column: number };
}

/** Below this nothing can be shown that would be of use. */
const smallest: ScreenSize = { columns: 20, rows: 5 };
const promptColumns = 2;

/** The line may take a third of the screen. */
const inputHeight = (rows: number): number => Math.max(1, Math.floor(rows / 3));

/** The size of the pane of messages while the line takes `inputRows`. */
export function paneSize(size: ScreenSize, inputRows: number): PaneSize {
  return { width: size.columns, height: Math.max(1, size.rows - 2 - inputRows) };
}

/** The rows that the line takes on a screen. */
export function inputRowsOf(conversation: ConversationState, size: ScreenSize): number {
  return layOutInput(conversation.line, size.columns - promptColumns, inputHeight(size.rows)).rows.length;
}

/** How long, for people: `5 s`. */
const secondsUntil = (until: number, now: number): string =>
  `${Math.max(1, Math.ceil((until - now) / 1000))} s`;

function linkSpan({ link }: ChatState, now: number): Span {
  if (link.kind === 'online') return { text: 'connected', style: 'bar' };
  if (link.kind === 'connecting') return { text: 'connecting…', style: 'bar-unread' };
  const text = `not connected, next try in ${secondsUntil(link.until, now)}`;
  return { text, style: 'bar-unread' };
}

/** `#lobby sam · 2 online: alice bob · chat://…`: where one is, who one is, and who is there. */
function titleRow(state: ChatState, columns: number): Row {
  const conversation = currentOf(state);
  const peer = conversation.name.startsWith('@') ? conversation.name.slice(1) : undefined;
  // There is no room for more names than columns.
  const names = state.online.sorted.slice(0, columns);
  const presence =
    peer === undefined
      ? `${state.online.size} online: ${names.join(' ')}`
      : `${peer} is ${state.online.has(peer) ? 'online' : 'offline'}`;
  // One is online oneself: where nobody is, nothing is known.
  const about = [state.username, ...(names.length > 0 ? [presence] : []), state.server];
  return fitRow(
    [
      { text: ` ${conversation.name} `, style: 'bar-active' },
      { text: ` ${about.join(' · ')}`, style: 'bar' },
    ],
    columns,
    'bar',
  );
}

/** `3` or `999+`. */
const shortCount = (count: number): string => (count > 999 ? '999+' : String(count));

function tabSpan(conversation: ConversationState, number: number, isCurrent: boolean): Span {
  const unread = isCurrent ? 0 : unreadOf(conversation);
  const count = unread > 0 ? ` (${shortCount(unread)})` : '';
  const style: Style = isCurrent ? 'bar-active' : unread > 0 ? 'bar-unread' : 'bar';
  const text = `${number}:${conversation.name}${count}`;
  return { text: isCurrent ? `[${text}]` : ` ${text} `, style };
}

/** The tabs that fit, the current one always among them; `…` where some do not, and how the connection is. */
function statusRow(state: ChatState, columns: number, now: number, isScrolled: boolean): Row {
  if (state.hint !== undefined)
    return fitRow([{ text: ` ${state.hint} `, style: 'bar-unread' }], columns, 'bar');
  const link = linkSpan(state, now);
  const more: Span[] = isScrolled ? [{ text: ' ↓ PgDn ', style: 'bar-unread' }] : [];
  const tabs = state.conversations.map((conversation, index) =>
    tabSpan(conversation, index + 1, conversation.name === state.current),
  );
  const at = Math.max(
    0,
    state.conversations.findIndex(({ name }) => name === state.current),
  );
  const linkColumns = columnsOf(link.text) + 2;
  const room = columns - more.reduce((sum, span) => sum + columnsOf(span.text), 0);
  // On a narrow screen a good connection need not be mentioned.
  const showsLink = state.link.kind !== 'online' || room - linkColumns >= 30;
  const forTabs = room - (showsLink ? Math.min(linkColumns, Math.floor(room / 2)) : 0);
  let first = at;
  let last = at;
  const width = (from: number, to: number): number =>
    tabs.slice(from, to + 1).reduce((sum, span) => sum + columnsOf(span.text), 0) + 2;
  while (last + 1 < tabs.length && width(first, last + 1) <= forTabs) last += 1;
  while (first > 0 && width(first - 1, last) <= forTabs) first -= 1;
  const shown: Span[] = [
    ...(first > 0 ? [{ text: '…', style: 'bar' } as const] : []),
    ...tabs.slice(first, last + 1),
    ...(last + 1 < tabs.length ? [{ text: '…', style: 'bar' } as const] : []),
  ];
  const left = fitRow(
    [...shown, ...more],
    columns - (showsLink ? columns - forTabs - (columns - room) : 0),
    'bar',
  );
  return showsLink
    ? fitRow([...left, { text: ' ', style: 'bar' }, link], columns, 'bar')
    : fitRow(left, columns, 'bar');
}

/** Stands where one types until something was done there for the first time. */
const invitation = 'type a message, or /help';

/** The rows of the line that is typed, behind their prompt. */
function inputRows(texts: readonly string[], isInviting: boolean, columns: number): Row[] {
  if (isInviting)
    return [
      [
        { text: '> ', style: 'faint' },
        { text: cut(invitation, columns - promptColumns), style: 'faint' },
      ],
    ];
  return texts.map((text, index) => [
    { text: index === 0 ? '> ' : '  ', style: 'faint' },
    { text, style: 'plain' },
  ]);
}

/** Lays out everything for a screen of that size at a moment, in UTC milliseconds. */
export function layOutScreen(state: ChatState, size: ScreenSize, now: number): Frame {
  const { columns, rows } = size;
  if (columns < smallest.columns || rows < smallest.rows) {
    return {
      rows: [fitRow([{ text: 'too small', style: 'plain' }], columns)],
      cursor: { row: 0, column: 0 },
    };
  }
  const conversation = currentOf(state);
  const input = layOutInput(conversation.line, columns - promptColumns, inputHeight(rows));
  const isInviting = conversation.line.text === '' && state.history.lines.length === 0;
  const pane = paneSize(size, input.rows.length);
  const { rows: messages } = viewPane(conversation.items, conversation.anchor, pane);
  const blank: Row[] = Array.from({ length: pane.height - messages.length }, () => []);
  return {
    rows: [
      titleRow(state, columns),
      ...blank,
      ...messages.map((row) => fitRow(row, columns)),
      statusRow(state, columns, now, conversation.anchor !== undefined),
      ...inputRows(input.rows, isInviting, columns),
    ],
    cursor: { row: 2 + pane.height + input.cursor.row, column: promptColumns + input.cursor.column },
  };
}
