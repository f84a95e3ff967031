import { describe, expect, it } from 'vitest';
import {
  addEarlier,
  addMessage,
  addNotice,
  addStored,
  type ChatState,
  type ConversationState,
  close,
  conversationOf,
  currentOf,
  cursorsOf,
  dropItem,
  fillGap,
  mostItems,
  pendingOf,
  read,
  show,
  startState,
  turnTo,
  unreadOf,
} from '../../../src/cli/interactive/chat-state.ts';
import { type GapItem, viewPane } from '../../../src/cli/interactive/pane.ts';
import { rowText } from '../support/row-text.ts';

const message = (seq: number, { to = '#lobby', sender = 'bob', text = `text ${seq}` } = {}) => ({
  to,
  seq,
  id: `${to} ${seq}`,
  sender,
  sent_at: '2026-11-21T09:00:00.000Z',
  text,
});
const started = () => startState('alice', 'chat://127.0.0.1:8080');
const kinds = (state: ChatState, name = '#lobby') =>
  conversationOf(state, name).items.map((item) => (item.kind === 'message' ? item.message.seq : item.kind));

describe('messages', () => {
  it('are taken once, in the order of seq, and their people are known then', () => {
    const state = started();
    expect([
      addMessage(state, message(5)),
      addMessage(state, message(6)),
      addMessage(state, message(6)),
    ]).toEqual([true, true, false]);
    addMessage(state, message(1, { to: '@carol', sender: 'alice' }));
    expect(kinds(state)).toEqual([5, 6]);
    expect(conversationOf(state, '#lobby').earlier).toBe(4);
    expect([...state.people].sort()).toEqual(['alice', 'bob', 'carol']);
  });

  it('stand before what is on its way', () => {
    const state = started();
    currentOf(state).items.push({ kind: 'pending', text: 'mine', sender: 'alice', key: 'k' });
    addMessage(state, message(1));
    expect(kinds(state)).toEqual([1, 'pending']);
  });

  it('that are older go before those that are here, none of them twice', () => {
    const state = started();
    addMessage(state, message(5));
    addEarlier(currentOf(state), [message(3), message(4), message(5)]);
    expect([kinds(state), currentOf(state).earlier]).toEqual([[3, 4, 5], 2]);
    addEarlier(currentOf(state), []);
    expect(currentOf(state).earlier).toBe(0);
  });

  it('that are older and do not reach those that are here are left', () => {
    const state = started();
    addMessage(state, message(9));
    addEarlier(currentOf(state), [message(6), message(7)]);
    expect([kinds(state), currentOf(state).earlier]).toEqual([[9], 8]);
  });

  it('are kept up to a bound, whatever else there is', () => {
    const state = started();
    for (let seq = 1; seq <= mostItems; seq += 1) addMessage(state, message(seq));
    expect(currentOf(state).items).toHaveLength(mostItems);
    addMessage(state, message(mostItems + 1));
    const { items, earlier } = currentOf(state);
    expect(items.length).toBeLessThan(mostItems);
    expect(items[0]).toMatchObject({ message: { seq: (earlier ?? 0) + 1 } });
    for (let count = 0; count < 2 * mostItems; count += 1) addNotice(currentOf(state), 'n');
    expect(currentOf(state).items.length).toBeLessThanOrEqual(mostItems);
    // What comes next is told from what was here by it.
    expect(kinds(state)[0]).toBe(mostItems + 1);
    expect([...cursorsOf(state)]).toEqual([['#lobby', mostItems + 1]]);
  });
});

describe('somebody who reads further up', () => {
  const size = { width: 60, height: 10 };
  const seen = ({ items, anchor }: ConversationState) => viewPane(items, anchor, size).rows.map(rowText);

  /** Messages and gaps follow one another without one twice or left out. */
  const expectWhole = ({ items, earlier }: ConversationState, last: number) => {
    let next = (earlier ?? 0) + 1;
    for (const item of items) {
      if (item.kind === 'gap') expect(item.after).toBe(next - 1);
      if (item.kind === 'message') expect(item.message.seq).toBe(next);
      if (item.kind === 'gap') next = item.before;
      if (item.kind === 'message') next += 1;
    }
    expect(next - 1).toBe(last);
  };

  function readingAt(place: number) {
    const state = started();
    for (let seq = 1; seq <= 2_000; seq += 1) addMessage(state, message(seq));
    const lobby = currentOf(state);
    const item = lobby.items[place - 1];
    if (item !== undefined) lobby.anchor = { item, hidden: 0 };
    return { state, lobby };
  }

  it.each([1, 30, 1_000, 1_990])('stays at message %i, however much comes', (place) => {
    const { state, lobby } = readingAt(place);
    const before = seen(lobby);
    for (let seq = 2_001; seq <= 20_000; seq += 1) {
      addMessage(state, message(seq));
      if (lobby.items.length > 2 * mostItems) expect.fail('more than twice the bound');
    }
    expect(seen(lobby)).toEqual(before);
    expectWhole(lobby, 20_000);
    expect(lobby.items.filter(({ kind }) => kind === 'gap')).toHaveLength(1);
    expect([...cursorsOf(state)]).toEqual([['#lobby', 20_000]]);
  });

  it('gets what is missing from both ends of the gap, until nothing is', () => {
    const { state, lobby } = readingAt(1_000);
    for (let seq = 2_001; seq <= 8_000; seq += 1) addMessage(state, message(seq));
    const before = seen(lobby);
    const gapOf = () => lobby.items.find((item): item is GapItem => item.kind === 'gap');
    const range = (from: number, to: number) =>
      Array.from({ length: to - from + 1 }, (_, index) => message(from + index));
    let isFromAbove = true;
    for (let gap = gapOf(); gap !== undefined; gap = gapOf()) {
      const { after, before: end } = gap;
      const fetched = isFromAbove
        ? range(after + 1, Math.min(after + 700, end - 1))
        : range(Math.max(after + 1, end - 700), end - 1);
      // One end of it is here already.
      fillGap(lobby, gap, [message(after), ...fetched, message(end)]);
      isFromAbove = !isFromAbove;
      expectWhole(lobby, 8_000);
    }
    expect(seen(lobby)).toEqual(before);
    expect(lobby.items.every(({ kind }) => kind === 'message')).toBe(true);
  });

  it('stays near what goes: a gap of which nothing is left, a message that was on its way, a mark', () => {
    const state = started();
    for (let seq = 1; seq <= 3; seq += 1) addMessage(state, message(seq));
    const lobby = currentOf(state);
    const [first, second] = lobby.items;
    const gap = { kind: 'gap', after: 2, before: 3 } as const;
    const pending = { kind: 'pending', text: 'mine', sender: 'alice', key: 'k' } as const;
    const mark = { kind: 'unread-mark' } as const;
    lobby.items.splice(2, 0, gap);
    lobby.items.splice(1, 0, mark);
    lobby.items.push(pending);
    lobby.anchor = { item: gap, hidden: 0 };
    fillGap(lobby, gap, []);
    expect(lobby.anchor).toEqual({ item: second, hidden: 0 });
    lobby.anchor = { item: pending, hidden: 0 };
    dropItem(lobby, pending);
    expect(lobby.anchor).toEqual({ item: lobby.items.at(-1), hidden: 0 });
    lobby.anchor = { item: mark, hidden: 0 };
    conversationOf(state, '@bob');
    show(state, '@bob');
    expect([lobby.anchor, kinds(state)]).toEqual([{ item: first, hidden: 0 }, [1, 2, 3]]);
  });

  it('and goes back to the end has the newest, without the gap in the end', () => {
    const { state, lobby } = readingAt(1_000);
    for (let seq = 2_001; seq <= 8_000; seq += 1) addMessage(state, message(seq));
    lobby.anchor = undefined;
    addMessage(state, message(8_001));
    expect(lobby.items.some(({ kind }) => kind === 'gap')).toBe(false);
    expectWhole(lobby, 8_001);
  });

  it('at a gap stays before it when still more comes', () => {
    const { state, lobby } = readingAt(1_000);
    let seq = 2_001;
    while (!lobby.items.some(({ kind }) => kind === 'gap')) addMessage(state, message(seq++));
    const gap = lobby.items.find(({ kind }) => kind === 'gap');
    if (gap !== undefined) lobby.anchor = { item: gap, hidden: 0 };
    const last = lobby.items[lobby.items.findIndex(({ kind }) => kind === 'gap') - 1];
    for (const until = seq + 6_000; seq < until; seq += 1) addMessage(state, message(seq));
    expect(lobby.anchor?.item).toBe(last);
    expectWhole(lobby, seq - 1);
  });
});

describe('what is unread', () => {
  it('is counted, but for own messages behind what was read', () => {
    const state = started();
    addMessage(state, message(1, { sender: 'alice' }));
    expect(unreadOf(currentOf(state))).toBe(0);
    addMessage(state, message(2));
    addMessage(state, message(3, { sender: 'alice' }));
    expect(unreadOf(currentOf(state))).toBe(2);
  });

  it('is marked where its reader had stopped, the first time it shows, and read then', () => {
    const state = started();
    const ops = conversationOf(state, '#ops');
    ops.readSeq = 2;
    for (let seq = 1; seq <= 4; seq += 1) addMessage(state, message(seq, { to: '#ops' }));
    show(state, '#ops');
    expect([read(ops), kinds(state, '#ops'), unreadOf(ops)]).toEqual([true, [1, 2, 'unread-mark', 3, 4], 0]);
    addMessage(state, message(5, { to: '#ops' }));
    expect([read(ops), kinds(state, '#ops')]).toEqual([true, [1, 2, 'unread-mark', 3, 4, 5]]);
    show(state, '#lobby');
    expect(kinds(state, '#ops')).toEqual([1, 2, 3, 4, 5]);
  });

  it('is marked also in the conversation that one begins with, which is looked at before anything has come', () => {
    const state = started();
    const lobby = currentOf(state);
    expect(read(lobby)).toBe(false);
    [lobby.lastSeq, lobby.readSeq] = [4, 2];
    expect(read(lobby)).toBe(false);
    for (let seq = 1; seq <= 4; seq += 1) {
      addMessage(state, message(seq));
      read(lobby);
    }
    expect(kinds(state)).toEqual([1, 2, 'unread-mark', 3, 4]);
  });

  it('is only what comes from now on, in a conversation of which nothing was known', () => {
    const state = started();
    addMessage(state, message(57, { to: '#joined' }));
    addMessage(state, message(58, { to: '#joined' }));
    expect(unreadOf(conversationOf(state, '#joined'))).toBe(2);
  });

  it('is not read while somebody reads further up, nor before all of it is here', () => {
    const state = started();
    addMessage(state, message(1));
    const lobby = currentOf(state);
    lobby.lastSeq = 2;
    expect(read(lobby)).toBe(false);
    addMessage(state, message(2));
    const [item] = lobby.items;
    if (item !== undefined) lobby.anchor = { item, hidden: 0 };
    expect(read(lobby)).toBe(false);
    lobby.anchor = undefined;
    expect([read(lobby), read(lobby)]).toEqual([true, false]);
  });
});

describe('turning to another conversation', () => {
  it('goes round, by number, and to the next with something unread', () => {
    const state = started();
    for (const name of ['@bob', '#ops', '@carol']) conversationOf(state, name);
    expect([turnTo(state, 'next'), turnTo(state, 'previous'), turnTo(state, 3), turnTo(state, 5)]).toEqual([
      '@bob',
      '@carol',
      '#ops',
      '#lobby',
    ]);
    expect(turnTo(state, 'unread')).toBe('#lobby');
    addMessage(state, message(1, { to: '@carol', sender: 'carol' }));
    expect(turnTo(state, 'unread')).toBe('@carol');
    show(state, '@carol');
    expect(turnTo(state, 'next')).toBe('#lobby');
  });
});

describe('a private conversation that was put away', () => {
  it('is off the tabs, goes on where it was, and comes back with what is said next', () => {
    const state = started();
    for (let seq = 1; seq <= 3; seq += 1) addMessage(state, message(seq, { to: '@bob' }));
    show(state, '@bob');
    close(state, '@bob');
    expect([state.current, state.conversations.map(({ name }) => name)]).toEqual(['#lobby', ['#lobby']]);
    expect([...cursorsOf(state)]).toEqual([['@bob', 3]]);
    addMessage(state, message(4, { to: '@bob' }));
    expect([kinds(state, '@bob'), unreadOf(conversationOf(state, '@bob')), state.closed.size]).toEqual([
      [4],
      1,
      0,
    ]);
  });

  it('is not the last tab, nor one that is not there', () => {
    const state = started();
    close(state, '#lobby');
    close(state, '@bob');
    expect([state.conversations.length, state.closed.size]).toEqual([1, 0]);
  });
});

describe('a connection that was lost', () => {
  it('does not take an own message before those that came while there was no connection', () => {
    const state = started();
    addMessage(state, message(90));
    // The new connection says that there is more, and what was typed meanwhile is stored before that comes.
    conversationOf(state, '#lobby').lastSeq = 92;
    expect(addStored(state, message(93, { sender: 'alice' }))).toBe(false);
    for (const seq of [91, 92]) expect(addMessage(state, message(seq))).toBe(true);
    expect(addMessage(state, message(93, { sender: 'alice' }))).toBe(true);
    expect(kinds(state)).toEqual([90, 91, 92, 93]);
  });

  it('takes an own message that comes next at once, and only once', () => {
    const state = started();
    expect(addStored(state, message(1, { sender: 'alice' }))).toBe(true);
    expect(addStored(state, message(2, { sender: 'alice' }))).toBe(true);
    expect(addMessage(state, message(2, { sender: 'alice' }))).toBe(false);
    expect(kinds(state)).toEqual([1, 2]);
  });

  it('goes on where each conversation is that has messages here', () => {
    const state = started();
    conversationOf(state, '@carol');
    addMessage(state, message(7));
    addMessage(state, message(2, { to: '@bob' }));
    expect([...cursorsOf(state)]).toEqual([
      ['#lobby', 7],
      ['@bob', 2],
    ]);
  });

  it('knows what is on its way, over all conversations in the order in which it was typed', () => {
    const state = started();
    const pending = (key: string) => ({ kind: 'pending', text: key, sender: 'alice', key }) as const;
    conversationOf(state, '#lobby').items.push(pending('a'), pending('c'));
    conversationOf(state, '@bob').items.push(pending('b'));
    addMessage(state, message(1));
    expect(pendingOf(state).map(({ to, item }) => `${to} ${item.text}`)).toEqual([
      '#lobby a',
      '@bob b',
      '#lobby c',
    ]);
  });
});
