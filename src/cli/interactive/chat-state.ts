import type { WireMessage } from '../../client/connection.ts';
import { type EditedLine, emptyHistory, emptyLine, type LineHistory } from './line-editor.ts';
import { NameList } from './name-list.ts';
import type { Anchor, GapItem, Item, PendingItem } from './pane.ts';
import { fillOf, keepAround, newestOf } from './scroll-back.ts';

/** How the connection is, for the person. */
export type Link =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'online' }
  /** `until` is in UTC milliseconds: when the next try is made. */
  | { readonly kind: 'waiting'; readonly why: string; readonly until: number };

/** One conversation as the screen knows it. */
export interface ConversationState {
  /** `#room` or `@user`. */
  readonly name: string;
  items: Item[];
  /** The seq before the first message that is here; 0 when nothing is older. Undefined until a message is here. */
  earlier: number | undefined;
  isLoading: boolean;
  lastSeq: number;
  readSeq: number;
  anchor: Anchor | undefined;
  line: EditedLine;
  /** True until what it shows has been read for the first time since it was turned to. */
  isFresh: boolean;
}

/** Everything that a live chat shows. */
export interface ChatState {
  username: string;
  readonly server: string;
  link: Link;
  /** In the order of their tabs. */
  conversations: ConversationState[];
  current: string;
  online: NameList;
  /** Private conversations that were put away, and the last seq that was known of them then. */
  readonly closed: Map<string, number>;
  /** Everybody who was seen, for completion. */
  readonly people: Set<string>;
  /** Rooms of the server, joined or not, for completion. */
  readonly rooms: Set<string>;
  history: LineHistory;
  /** Said until the next key, in place of the tabs. */
  hint: string | undefined;
}

/** So many items of a conversation are kept, twice as many while somebody reads further up; the others are fetched again when scrolled to. */
export const mostItems = 3_000;

/** A chat that has not begun, with the room that everybody is in. */
export function startState(username: string, server: string): ChatState {
  const state: ChatState = {
    username,
    server,
    link: { kind: 'connecting' },
    conversations: [],
    current: '#lobby',
    online: new NameList(),
    closed: new Map(),
    people: new Set(),
    rooms: new Set(['#lobby']),
    history: emptyHistory,
    hint: undefined,
  };
  conversationOf(state, '#lobby');
  return state;
}

/** The conversation of that name, which is added when it is new. */
export function conversationOf(state: ChatState, name: string): ConversationState {
  const known = state.conversations.find((conversation) => conversation.name === name);
  if (known !== undefined) return known;
  const made: ConversationState = {
    name,
    items: [],
    earlier: undefined,
    isLoading: false,
    lastSeq: 0,
    readSeq: 0,
    anchor: undefined,
    line: emptyLine,
    isFresh: true,
  };
  state.conversations.push(made);
  state.closed.delete(name);
  return made;
}

/** The conversation that is shown. */
export function currentOf(state: ChatState): ConversationState {
  return conversationOf(state, state.current);
}

/** How many messages have not been read. */
export function unreadOf({ lastSeq, readSeq }: ConversationState): number {
  return Math.max(0, lastSeq - readSeq);
}

/** Takes a message that came live or from the store, in the order of seq; false for one that is here already. */
export function addMessage(state: ChatState, message: WireMessage): boolean {
  const conversation = conversationOf(state, message.to);
  state.people.add(message.sender);
  if (message.to.startsWith('@')) state.people.add(message.to.slice(1));
  if (message.seq <= newestHere(conversation)) return false;
  // Nothing is known of one that begins, is joined or comes back just now: what was before is not new.
  if (conversation.lastSeq === 0) conversation.readSeq = Math.max(conversation.readSeq, message.seq - 1);
  conversation.earlier ??= message.seq - 1;
  const wasRead = conversation.readSeq >= message.seq - 1;
  conversation.lastSeq = Math.max(conversation.lastSeq, message.seq);
  if (message.sender === state.username && wasRead)
    conversation.readSeq = Math.max(conversation.readSeq, message.seq);
  // What is on its way stands last.
  const pending = conversation.items.findLastIndex(({ kind }) => kind !== 'pending') + 1;
  conversation.items.splice(pending, 0, { kind: 'message', message });
  trim(conversation);
  return true;
}

/**
 * Takes a message of one's own that the server has just stored, unless messages before it are still to come: those would
 * then seem to be here already.
 */
export function addStored(state: ChatState, message: WireMessage): boolean {
  return message.seq === newestHere(conversationOf(state, message.to)) + 1 && addMessage(state, message);
}

/** Up to where each conversation is here or was put away, for those of which anything is. */
export function cursorsOf({ conversations, closed }: ChatState): ReadonlyMap<string, number> {
  const cursors = conversations.map((one) => [one.name, newestHere(one)] as const);
  return new Map([...closed, ...cursors].filter(([, seq]) => seq > 0));
}

/**
 * Takes a conversation off the tabs and turns to the one before it; what was typed in it is lost with it. Nothing happens
 * to the last one.
 */
export function close(state: ChatState, name: string): void {
  if (state.current === name) show(state, turnTo(state, 'previous'));
  if (state.current === name) return;
  const closed = state.conversations.find((conversation) => conversation.name === name);
  if (closed === undefined) return;
  if (name.startsWith('@')) state.closed.set(name, Math.max(closed.lastSeq, newestHere(closed)));
  state.conversations = state.conversations.filter((conversation) => conversation !== closed);
}

/** What was typed and has not been answered by the server, in the order in which it was typed. */
export function pendingOf({ conversations }: ChatState): { to: string; item: PendingItem }[] {
  return conversations
    .flatMap(({ name: to, items }) =>
      items.flatMap((item) => (item.kind === 'pending' ? [{ to, item }] : [])),
    )
    .sort((a, b) => (a.item.key < b.item.key ? -1 : 1));
}

function newestHere({ items }: ConversationState): number {
  const newest = items.findLast((item) => item.kind === 'message');
  return newest?.kind === 'message' ? newest.message.seq : 0;
}

/** Somebody who has scrolled up stays there, however much comes: what goes then is what is far from there and not new. */
function trim(conversation: ConversationState): void {
  if (conversation.items.length <= mostItems) return;
  const { items, anchor } = conversation;
  const found = anchor === undefined ? -1 : items.indexOf(anchor.item);
  if (found < 0) {
    conversation.anchor = undefined;
    conversation.items = newestOf(items, Math.floor(mostItems * 0.8));
  } else if (items.length > 2 * mostItems) {
    // A gap is not what is being read.
    const place = items[found]?.kind === 'gap' && found > 0 ? found - 1 : found;
    const item = items[place];
    if (place !== found && item !== undefined) conversation.anchor = { item, hidden: 0 };
    conversation.items = keepAround(items, place, mostItems / 2);
  } else return;
  const oldest = conversation.items.find((item) => item.kind === 'message');
  if (oldest?.kind === 'message') conversation.earlier = oldest.message.seq - 1;
}

/** Puts messages that were fetched for a gap where they belong; in the order of seq, from its beginning or up to its end. */
export function fillGap(
  conversation: ConversationState,
  gap: GapItem,
  messages: readonly WireMessage[],
): void {
  replace(conversation, gap, fillOf(gap, messages));
}

/** Whoever has scrolled to an item that goes stays at what stands before it. */
function replace(conversation: ConversationState, item: Item, others: readonly Item[]): void {
  const { items, anchor } = conversation;
  const at = items.indexOf(item);
  if (at < 0) return;
  items.splice(at, 1, ...others);
  if (anchor?.item !== item) return;
  const near = items[at - 1] ?? items[0];
  conversation.anchor = near === undefined ? undefined : { item: near, hidden: 0 };
}

/** Puts older messages, in the order of seq, before those that are here. */
export function addEarlier(conversation: ConversationState, messages: readonly WireMessage[]): void {
  const { earlier } = conversation;
  const older = messages.filter(({ seq }) => earlier === undefined || seq <= earlier);
  const newest = older.at(-1)?.seq;
  // What they were to stand before has gone since they were asked for.
  if (earlier !== undefined && newest !== undefined && newest !== earlier) return;
  conversation.items = [
    ...older.map((message): Item => ({ kind: 'message', message })),
    ...conversation.items,
  ];
  conversation.earlier = older.length === 0 ? 0 : Math.min(...older.map(({ seq }) => seq)) - 1;
}

/** Says something in a conversation, here only. */
export function addNotice(conversation: ConversationState, text: string, isError = false): void {
  conversation.items.push({ kind: 'notice', text, isError });
  trim(conversation);
}

/** Drops an item, such as a message that was on its way and has come. */
export function dropItem(conversation: ConversationState, item: Item): void {
  replace(conversation, item, []);
}

/** Turns to a conversation. */
export function show(state: ChatState, name: string): void {
  if (name === state.current) return;
  const left = currentOf(state);
  for (const item of left.items.filter(({ kind }) => kind === 'unread-mark')) dropItem(left, item);
  state.current = name;
  currentOf(state).isFresh = true;
}

/**
 * Takes a conversation for read, once all that it has is here and its end shows; the first time a mark is set where its
 * reader had stopped. False when there was nothing to read.
 */
export function read(conversation: ConversationState): boolean {
  const { lastSeq, readSeq, isFresh, anchor } = conversation;
  const newest = newestHere(conversation);
  // Before anything has come nothing has shown.
  if (anchor !== undefined || newest === 0 || newest < lastSeq) return false;
  conversation.isFresh = false;
  if (readSeq >= lastSeq) return false;
  const first = conversation.items.findIndex((item) => item.kind === 'message' && item.message.seq > readSeq);
  if (isFresh && readSeq > 0 && first > 0) conversation.items.splice(first, 0, { kind: 'unread-mark' });
  conversation.readSeq = lastSeq;
  return true;
}

/** Which way to another conversation. */
export type Turn = 'next' | 'previous' | 'unread' | number;

/** The conversation that a turn leads to; the one that is shown when there is no other. */
export function turnTo(state: ChatState, turn: Turn): string {
  const names = state.conversations.map(({ name }) => name);
  const at = names.indexOf(state.current);
  if (typeof turn === 'number') return names[turn - 1] ?? state.current;
  if (turn === 'unread') {
    const order = [...state.conversations.slice(at + 1), ...state.conversations.slice(0, at)];
    return order.find((conversation) => unreadOf(conversation) > 0)?.name ?? state.current;
  }
  const step = turn === 'next' ? 1 : names.length - 1;
  return names[(at + step) % names.length] ?? state.current;
}
