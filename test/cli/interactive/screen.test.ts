import { describe, expect, it } from 'vitest';
import {
  addMessage,
  type ChatState,
  conversationOf,
  currentOf,
  startState,
} from '../../../src/cli/interactive/chat-state.ts';
import { lineOf, remember } from '../../../src/cli/interactive/line-editor.ts';
import { NameList } from '../../../src/cli/interactive/name-list.ts';
import { painter, Screen } from '../../../src/cli/interactive/screen.ts';
import { layOutScreen } from '../../../src/cli/interactive/screen-layout.ts';
import { columnsOf } from '../../../src/cli/interactive/text-layout.ts';
import type { Terminal } from '../../../src/cli/terminal.ts';
import { rowText } from '../support/row-text.ts';

const now = Date.parse('2026-11-21T09:00:00.000Z');

function busy(): ChatState {
  const state = startState('alice', 'chat://127.0.0.1:8080');
  state.link = { kind: 'online' };
  state.online = new NameList(['bob', 'alice']);
  const message = (to: string, seq: number, text: string) =>
    addMessage(state, {
      to,
      seq,
      id: `${to}${seq}`,
      sender: 'bob',
      sent_at: '2026-11-21T09:00:00.000Z',
      text,
    });
  message('#lobby', 1, 'good morning 你好 👍');
  message('@bob', 1, 'psst');
  for (const name of ['#operations', '#a-very-long-room-name', '#x', '@carol']) conversationOf(state, name);
  return state;
}

const frameOf = (state: ChatState, columns: number, rows: number) => {
  const frame = layOutScreen(state, { columns, rows }, now);
  return { ...frame, texts: frame.rows.map(rowText) };
};

describe('a screen', () => {
  it.each([
    [80, 24],
    [40, 10],
    [20, 5],
    [200, 60],
  ])('of %i x %i is filled exactly, whatever is on it', (columns, rows) => {
    const state = busy();
    for (const text of ['', 'typed', '你'.repeat(300), 'a\nb\nc\nd\ne\nf\ng', '\u001b[2J\u0000']) {
      currentOf(state).line = lineOf(text);
      const { texts, cursor } = frameOf(state, columns, rows);
      expect(texts).toHaveLength(rows);
      for (const row of texts) expect(columnsOf(row)).toBeLessThanOrEqual(columns);
      expect(texts.join('')).not.toMatch(/\p{Cc}/u);
      expect(cursor.row).toBeLessThan(rows);
      expect(cursor.column).toBeLessThan(columns);
    }
  });

  it.each([
    [19, 5],
    [20, 4],
    [1, 1],
  ])('of %i x %i is too small, and says so as far as it can', (columns, rows) => {
    const { texts } = frameOf(busy(), columns, rows);
    expect(['too small', '…']).toContain(texts.join(''));
  });

  it('has the tab of the conversation that shows among those that fit, and says that there are more', () => {
    const state = busy();
    for (const name of ['#lobby', '#operations', '@carol']) {
      state.current = name;
      const tabs = frameOf(state, 40, 10).texts.at(-2) ?? '';
      expect(tabs).toContain(`:${name}]`);
      expect(tabs).toContain('…');
    }
    state.current = '#lobby';
    expect(frameOf(state, 120, 10).texts.at(-2)).toMatch(
      /^\[1:#lobby\] 2:@bob \(1\) {2}3:#operations {2}4:#a-very-long-room-name {2}5:#x {2}6:@carol .*connected/,
    );
  });

  it('counts a thousand unread messages as many', () => {
    const state = busy();
    conversationOf(state, '@bob').lastSeq = 999;
    expect(frameOf(state, 80, 10).texts.at(-2)).toContain('2:@bob (999)');
    conversationOf(state, '@bob').lastSeq = 1_000;
    expect(frameOf(state, 80, 10).texts.at(-2)).toContain('2:@bob (999+)');
  });

  it('says how the connection is, and how long until the next try', () => {
    const state = busy();
    state.link = { kind: 'waiting', why: 'refused', until: now + 2_001 };
    expect(frameOf(state, 80, 10).texts.at(-2)).toContain('not connected, next try in 3 s');
    state.link = { kind: 'waiting', why: 'refused', until: now - 1 };
    expect(frameOf(state, 80, 10).texts.at(-2)).toContain('next try in 1 s');
    state.link = { kind: 'connecting' };
    expect(frameOf(state, 80, 10).texts.at(-2)).toContain('connecting…');
    state.hint = 'a hint';
    expect(frameOf(state, 80, 10).texts.at(-2)?.trim()).toBe('a hint');
  });

  it('tells of a private conversation whether the other one is there', () => {
    const state = busy();
    state.current = '@bob';
    expect(frameOf(state, 80, 10).texts[0]).toContain('bob is online');
    state.online.delete('bob');
    expect(frameOf(state, 80, 10).texts[0]).toContain('bob is offline');
  });
});

describe('where one types', () => {
  it('says what can be typed until something was', () => {
    const state = busy();
    expect(frameOf(state, 80, 10).texts.at(-1)).toBe('> type a message, or /help');
    expect(frameOf(state, 80, 10).cursor).toEqual({ row: 9, column: 2 });
    expect(frameOf(state, 20, 10).texts.at(-1)).toBe('> type a message, o…');
    currentOf(state).line = lineOf('h');
    expect(frameOf(state, 80, 10).texts.at(-1)).toBe('> h');
    currentOf(state).line = lineOf('');
    state.history = remember(state.history, 'h');
    expect(frameOf(state, 80, 10).texts.at(-1)).toBe('> ');
  });
});

describe('the list of who is online', () => {
  it('is not shown as long as nothing is known of it', () => {
    const state = busy();
    state.online = new NameList();
    expect(frameOf(state, 80, 10).texts[0]?.trimEnd()).toBe(' #lobby  alice · chat://127.0.0.1:8080');
    state.current = '@bob';
    expect(frameOf(state, 80, 10).texts[0]?.trimEnd()).toBe(' @bob  alice · chat://127.0.0.1:8080');
  });

  it('is in order, and no more of it than there are columns', () => {
    const state = busy();
    expect(frameOf(state, 80, 10).texts[0]).toContain('2 online: alice bob · chat');
    state.online = new NameList(Array.from({ length: 5_000 }, (_, index) => `n${index}`));
    const [title = ''] = frameOf(state, 80, 10).texts;
    expect(title).toContain('5000 online: n0 n1 n10 n100 n1000');
    expect(columnsOf(title)).toBe(80);
  });
});

describe('drawing', () => {
  function terminal() {
    const written: string[] = [];
    return {
      written,
      terminal: { write: (text: string) => void written.push(text), takeOver() {}, giveBack() {} },
    };
  }
  const frame = (...texts: string[]) => ({
    rows: texts.map((text) => [{ text, style: 'plain' as const }]),
    cursor: { row: 0, column: 0 },
  });

  it('writes only the rows that have changed, in one write', async () => {
    const { written, terminal: fake } = terminal();
    const screen = new Screen(fake as unknown as Terminal, await painter(false));
    screen.draw(frame('one', 'two', 'three'));
    expect(written).toHaveLength(1);
    screen.draw(frame('one', 'TWO', 'three'));
    expect([
      written.length,
      written[1]?.includes('TWO'),
      written[1]?.includes('one'),
      written[1]?.includes('three'),
    ]).toEqual([2, true, false, false]);
    screen.draw(frame('one'));
    expect(written[2]).not.toContain('one');
    expect(written[2]?.match(/\[2K/g)).toHaveLength(2);
    screen.forget();
    screen.draw(frame('one'));
    expect(written.at(-1)).toContain('one');
  });

  it('has sixteen colours at most, or none', async () => {
    const [colored, plain] = [await painter(true), await painter(false)];
    expect(colored('x', 'error')).toBe('\u001b[31mx\u001b[39m');
    expect(colored('x', 'plain')).toBe('x');
    expect(new Set([0, 1, 2, 3, 4, 5].map((name) => colored('x', `name-${name}`))).size).toBe(6);
    expect([plain('x', 'error'), plain('x', 'name-3'), plain('x', 'bar-unread'), plain('', 'bar')]).toEqual([
      'x',
      'x',
      '\u001b[7mx\u001b[27m',
      '',
    ]);
  });
});
