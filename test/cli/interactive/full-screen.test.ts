import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  addMessage,
  conversationOf,
  currentOf,
  fillGap,
  show,
  startState,
} from '../../../src/cli/interactive/chat-state.ts';
import { FullScreen } from '../../../src/cli/interactive/full-screen.ts';
import type { LiveChat } from '../../../src/cli/interactive/live-chat.ts';
import type { GapItem } from '../../../src/cli/interactive/pane.ts';
import { ChatError } from '../../../src/core/errors.ts';
import { message } from '../support/fake-client.ts';
import { fakeTerminal } from '../support/fake-terminal.ts';

const enter = '\r';
const up = '\u001b[A';
const down = '\u001b[B';
const pageUp = '\u001b[5~';
const pageDown = '\u001b[6~';
const ctrl = (letter: string) => String.fromCharCode(letter.charCodeAt(0) & 0x1f);
const alt = (key: string) => `\u001b${key}`;
const paste = (text: string) => `\u001b[200~${text}\u001b[201~`;

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

/** A screen over a chat that does nothing by itself: what it was asked for is kept. */
function opened(columns = 80, rows = 24) {
  const state = startState('alice', 'chat://127.0.0.1:8080');
  state.link = { kind: 'online' };
  const terminal = fakeTerminal(columns, rows);
  const sent: [string, string][] = [];
  const loaded: string[] = [];
  const answers: Record<string, Promise<object>> = {};
  let reads = 0;
  let quits = 0;
  let goings = 0;
  const live = {
    send: (to: string, text: string) => void sent.push([to, text]),
    loadEarlier: async ({ name }: { name: string }) => void loaded.push(name),
    loadGap: async ({ name }: { name: string }, { after, before }: GapItem, direction: string) =>
      void loaded.push(`${name} ${after}-${before} ${direction}`),
    isConnected: true,
    markRead: () => {
      reads += 1;
    },
    connection: { call: async (name: string) => await (answers[name] ?? {}) },
  };
  const screen = new FullScreen({
    terminal,
    paint: (text) => text,
    state,
    live: live as unknown as LiveChat,
    now: () => Date.now(),
    onQuit: () => {
      quits += 1;
    },
    onGone: () => {
      goings += 1;
    },
  });
  const drawn = async () => {
    await vi.advanceTimersByTimeAsync(100);
    return terminal.shown;
  };
  const line = () => currentOf(state).line;
  return {
    state,
    live,
    terminal,
    screen,
    sent,
    loaded,
    answers,
    drawn,
    line,
    type: (keys: string) => terminal.type(keys),
    counts: () => ({ reads, quits, goings }),
  };
}

describe('typing', () => {
  it('shows what was typed with a picture soon after, however many keys come at once', async () => {
    const { terminal, type, drawn } = opened();
    await drawn();
    const before = terminal.writes;
    type('x'.repeat(1_000));
    expect(terminal.writes).toBe(before);
    await vi.advanceTimersByTimeAsync(33);
    expect(terminal.writes).toBe(before + 1);
    expect(terminal.shown.slice(-8).join('').replaceAll(' ', '')).toContain('x'.repeat(500));
  });

  it('sends at Enter, but no blank line', async () => {
    const { type, sent, line, state } = opened();
    type(`  \n ${enter}`);
    expect([sent, line().text]).toEqual([[], '  \n ']);
    type(`${ctrl('u')}\u007f\u007f\u007f${enter}`);
    type(`hello 你好${enter}`);
    await vi.advanceTimersByTimeAsync(0);
    expect([sent, line().text, state.history.lines]).toEqual([
      [['#lobby', 'hello 你好']],
      '',
      ['hello 你好'],
    ]);
  });

  it('a thousand lines at once sends each of them, in order', async () => {
    const { type, sent } = opened();
    type(Array.from({ length: 1_000 }, (_, index) => `line ${index}${enter}`).join(''));
    await vi.advanceTimersByTimeAsync(0);
    expect(sent.map(([, text]) => text)).toEqual(
      Array.from({ length: 1_000 }, (_, index) => `line ${index}`),
    );
  });

  it('takes a paste of several lines as it is, and Alt-Enter and Ctrl-J for a new line', async () => {
    const { type, sent } = opened();
    type(`${paste('one\r\ntwo\n')}${enter}`);
    type(`a${alt(enter)}b${ctrl('j')}c${enter}`);
    await vi.advanceTimersByTimeAsync(0);
    expect(sent).toEqual([
      ['#lobby', 'one\ntwo'],
      ['#lobby', 'a\nb\nc'],
    ]);
  });

  it('takes as much as a message may have, and says why it does not take more', async () => {
    const { type, sent, line, drawn } = opened();
    type(paste('x'.repeat(16_384)));
    expect(line().text).toHaveLength(16_384);
    type(paste('y'.repeat(3)));
    expect(line().text).toHaveLength(16_384);
    expect((await drawn()).join('\n')).toContain('not taken: a message has at most 16384 bytes');
    type(enter);
    await vi.advanceTimersByTimeAsync(0);
    expect(sent[0]?.[1]).toHaveLength(16_384);
    type(paste('你'.repeat(5_463)));
    expect(line().text).toBe('');
    type(`${paste('x'.repeat(16_385))}${enter}`);
    expect((await drawn()).join('\n')).toContain('the message has 16385 bytes; a message has at most 16384');
    expect([sent.length, line().text.length]).toEqual([1, 16_385]);
  });

  it('brings back lines that were sent, and what was being typed at their end', async () => {
    const { type, line } = opened();
    type(`one${enter}two${enter}`);
    await vi.advanceTimersByTimeAsync(0);
    type(`draft${up}${up}${up}`);
    expect(line().text).toBe('one');
    type(`${down}${down}${down}`);
    expect(line().text).toBe('draft');
  });

  it('keeps a line of its own for each conversation', () => {
    const { type, line, state } = opened();
    conversationOf(state, '@bob');
    type(`in the lobby${ctrl('n')}to bob${ctrl('p')}`);
    expect(line().text).toBe('in the lobby');
    type(alt('2'));
    expect(line().text).toBe('to bob');
  });

  it('ignores keys that mean nothing', () => {
    const { type, line } = opened();
    type('\u001b[15~\u001b[999~\u001b[200;5u\u0000\u001d');
    expect(line().text).toBe('');
  });
});

describe('a line that could not be done', () => {
  it('stays to be mended, with what is wrong', async () => {
    const { type, line, drawn } = opened();
    type(`/jion x${enter}`);
    await vi.advanceTimersByTimeAsync(0);
    expect(line().text).toBe('/jion x');
    expect((await drawn()).join('\n')).toContain('did you mean /join?');
  });

  it('comes back by the arrow keys when other typing has begun meanwhile', async () => {
    const { type, line, answers } = opened();
    const { promise, reject } = Promise.withResolvers<object>();
    answers['room.join'] = promise;
    type(`/join ops${enter}`);
    type('meanwhile');
    reject(new ChatError('forbidden', 'you may not'));
    await vi.advanceTimersByTimeAsync(0);
    expect(line().text).toBe('meanwhile');
    type(up);
    expect(line().text).toBe('/join ops');
    type(down);
    expect(line().text).toBe('meanwhile');
  });

  it('is put back where it was typed when the server refuses it, unless something else is there', () => {
    const { screen, state, type, line } = opened();
    conversationOf(state, '@bob');
    screen.putBack('#lobby', 'again');
    expect(line().text).toBe('again');
    type('!');
    screen.putBack('#lobby', 'other');
    expect(line().text).toBe('again!');
    screen.putBack('@gone', 'nowhere');
    expect(state.conversations).toHaveLength(2);
  });

  it.each(['/join us', '//', '@carol psst', '@carol\npsst', '@carol', 'plain'])(
    'put back, is sent to the same one as the same text: %j',
    async (text) => {
      const { screen, state, type, sent } = opened();
      conversationOf(state, '@bob');
      show(state, '@bob');
      screen.putBack('@bob', text);
      type(enter);
      await vi.advanceTimersByTimeAsync(0);
      expect(sent).toEqual([['@bob', text]]);
    },
  );
});

describe('what is typed while a command that leads elsewhere is not done yet', () => {
  function joining() {
    const world = opened();
    const { promise, resolve, reject } = Promise.withResolvers<object>();
    world.answers['room.join'] = promise;
    conversationOf(world.state, '@bob');
    world.type(`/join ops${enter}`);
    return { ...world, resolve, reject };
  }
  const settled = () => vi.advanceTimersByTimeAsync(0);

  it('is sent there, and what is still being typed goes on there', async () => {
    const { type, sent, state, line, resolve } = joining();
    type(`one${enter}two${enter}hal`);
    await settled();
    expect(sent).toEqual([]);
    resolve({});
    await settled();
    expect([state.current, sent]).toEqual([
      '#ops',
      [
        ['#ops', 'one'],
        ['#ops', 'two'],
      ],
    ]);
    type('f');
    expect([line().text, conversationOf(state, '#lobby').line.text]).toEqual(['half', '']);
  });

  it('is not sent when that fails, and put back', async () => {
    const { type, sent, line, drawn, reject } = joining();
    type(`one${enter}two${enter}`);
    reject(new ChatError('forbidden', 'you may not'));
    expect((await drawn()).join('\n')).toContain('you may not; what was typed after it is not sent');
    expect([sent, line().text]).toEqual([[], 'one\ntwo']);
    type(ctrl('u').repeat(1) + up + up);
    expect(line().text).toContain('/join ops');
  });

  it('is sent at once in another conversation', async () => {
    const { type, sent, resolve, state } = joining();
    type(`draft${alt('2')}to bob${enter}`);
    await settled();
    expect(sent).toEqual([['@bob', 'to bob']]);
    resolve({});
    await settled();
    expect([state.current, currentOf(state).line.text]).toEqual(['#ops', 'draft']);
  });

  it('may lead on, and everything at once is done in order', async () => {
    const { type, sent, resolve } = joining();
    type(`a${enter}/msg bob${enter}b${enter}/msg carol c${enter}d${enter}/go 1${enter}e${enter}`);
    resolve({});
    await settled();
    expect(sent).toEqual([
      ['#ops', 'a'],
      ['@bob', 'b'],
      ['@carol', 'c'],
      ['@carol', 'd'],
      ['#lobby', 'e'],
    ]);
  });

  it('stays where it is when the command only asks something', async () => {
    const { type, answers, state } = opened();
    const { promise, resolve } = Promise.withResolvers<object>();
    answers['room.list'] = promise;
    conversationOf(state, '@bob');
    type(`/rooms${enter}draft${alt('2')}`);
    resolve({ rooms: [], next: null });
    await settled();
    expect(conversationOf(state, '#lobby').line.text).toBe('draft');
    expect(currentOf(state).line.text).toBe('');
  });
});

describe('a conversation that is turned to', () => {
  it('by its name is fetched when nothing of it is here', async () => {
    const { type, loaded, state } = opened();
    addMessage(state, message(1));
    type(`/msg bob${enter}`);
    await vi.advanceTimersByTimeAsync(0);
    expect(loaded).toEqual(['@bob']);
    type(`/whoami${enter}`);
    await vi.advanceTimersByTimeAsync(0);
    type(`/go #lobby${enter}`);
    await vi.advanceTimersByTimeAsync(0);
    expect(loaded).toEqual(['@bob']);
  });

  it.each<[string, string]>([
    [ctrl('n'), '@bob'],
    [ctrl('p'), '#ops'],
    ['\u001b[1;3B', '@bob'],
    ['\u001b[1;3A', '#ops'],
    [alt('3'), '#ops'],
    [alt('9'), '#lobby'],
    [alt('a'), '#ops'],
  ])('by %j shows', async (key, name) => {
    const { type, state, drawn } = opened();
    conversationOf(state, '@bob');
    addMessage(state, message(1, { to: '#ops' }));
    type(key);
    expect((await drawn())[0]).toContain(` ${name} `);
  });
});

describe('scrolling', () => {
  it('goes up by a page less one row, loads what is older at the top, and comes back', async () => {
    const { type, state, drawn, loaded } = opened(40, 10);
    for (let seq = 1; seq <= 20; seq += 1) addMessage(state, message(seq, { text: `no ${seq}.` }));
    const seen = async () =>
      (await drawn()).slice(1, -2).map((row) => Number(/no (\d+)\./.exec(row)?.[1] ?? 0));
    type('x\u007f');
    expect(await seen()).toEqual([14, 15, 16, 17, 18, 19, 20]);
    type(pageUp);
    expect(await seen()).toEqual([8, 9, 10, 11, 12, 13, 14]);
    expect(loaded).toEqual([]);
    type(pageUp + pageUp);
    expect(await seen()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(loaded).toEqual(['#lobby']);
    type(pageDown);
    expect(await seen()).toEqual([6, 7, 8, 9, 10, 11, 12]);
    addMessage(state, message(21, { text: 'no 21.' }));
    expect(await seen()).toEqual([6, 7, 8, 9, 10, 11, 12]);
    type(pageDown.repeat(3));
    expect(await seen()).toEqual([15, 16, 17, 18, 19, 20, 21]);
  });

  it('ends when something is sent', async () => {
    const { type, state } = opened(40, 10);
    for (let seq = 1; seq <= 20; seq += 1) addMessage(state, message(seq));
    type(pageUp);
    expect(currentOf(state).anchor).toBeDefined();
    type(`hello${enter}`);
    expect(currentOf(state).anchor).toBeUndefined();
  });

  function overGap() {
    const world = opened(40, 10);
    const { state } = world;
    for (let seq = 1; seq <= 10; seq += 1) addMessage(state, message(seq, { text: `no ${seq}.` }));
    currentOf(state).items.push({ kind: 'gap', after: 10, before: 91 });
    for (let seq = 91; seq <= 100; seq += 1) addMessage(state, message(seq, { text: `no ${seq}.` }));
    const seen = async () =>
      (await world.drawn()).slice(1, -2).map((row) => Number(/no (\d+)\./.exec(row)?.[1] ?? 0));
    world.type('x\u007f');
    return { ...world, seen };
  }

  it('up shows a gap, and asks for what stands at its end', async () => {
    const { type, seen, loaded, drawn } = overGap();
    type(pageUp);
    expect([await seen(), loaded]).toEqual([[9, 10, 0, 91, 92, 93, 94], ['#lobby 10-91 up']]);
    expect((await drawn()).join('\n')).toContain(' 80 more messages ');
  });

  it('down stops before a gap until what is missing is here, but not without a connection', async () => {
    const { type, seen, loaded, live, state } = overGap();
    type(pageUp.repeat(3));
    loaded.length = 0;
    await seen();
    type(pageDown.repeat(3));
    expect([(await seen()).at(-1), new Set(loaded)]).toEqual([10, new Set(['#lobby 10-91 down'])]);
    fillGap(
      currentOf(state),
      currentOf(state).items.find((item): item is GapItem => item.kind === 'gap') as GapItem,
      [message(11, { text: 'no 11.' }), message(12, { text: 'no 12.' })],
    );
    type(pageDown);
    expect((await seen()).at(-1)).toBe(12);
    live.isConnected = false;
    type(pageDown.repeat(3));
    expect((await seen()).at(-1)).toBe(100);
  });

  it('fills the pane when the terminal grows', async () => {
    const { type, state, drawn, terminal } = opened(40, 10);
    for (let seq = 1; seq <= 20; seq += 1) addMessage(state, message(seq, { text: `no ${seq}.` }));
    type(pageUp.repeat(9));
    await drawn();
    terminal.resize(40, 16);
    const rows = (await drawn()).slice(1, -2);
    expect(rows.filter((row) => row === '')).toEqual([]);
    expect(rows[0]).toContain('2019-11-01');
  });
});

describe('leaving', () => {
  it('Ctrl-C clears the line, which the arrow keys bring back; on an empty one it asks, and leaves when it comes again', async () => {
    const { type, line, counts, drawn } = opened();
    type(`half a line${ctrl('c')}`);
    expect([line().text, counts().quits]).toEqual(['', 0]);
    type(`${up}`);
    expect(line().text).toBe('half a line');
    type(`${ctrl('u')}${ctrl('c')}`);
    expect((await drawn()).join('\n')).toContain('Ctrl-C again, Ctrl-D or /quit leaves');
    expect(counts().quits).toBe(0);
    vi.setSystemTime(Date.now() + 2_000);
    type(ctrl('c'));
    expect(counts().quits).toBe(0);
    vi.setSystemTime(Date.now() + 1_999);
    type(ctrl('c'));
    expect(counts().quits).toBe(1);
  });

  it('Ctrl-D leaves on an empty line, and deletes to the right on another', () => {
    const { type, line, counts } = opened();
    type(`ab${ctrl('a')}${ctrl('d')}`);
    expect([line().text, counts().quits]).toEqual(['b', 0]);
    type(`${ctrl('d')}${ctrl('d')}`);
    expect([line().text, counts().quits]).toEqual(['', 1]);
  });

  it('a terminal that has gone is told as such', () => {
    const { terminal, counts } = opened();
    terminal.goAway();
    expect(counts()).toMatchObject({ goings: 1, quits: 0 });
  });

  it('gives the terminal back, and does nothing any more', async () => {
    const { terminal, screen, type, line } = opened();
    screen.close();
    screen.close();
    expect(terminal.isTaken).toBe(false);
    const { writes } = terminal;
    type('x');
    screen.changed();
    terminal.resize(10, 10);
    await vi.advanceTimersByTimeAsync(5_000);
    expect([terminal.writes, line().text]).toEqual([writes, '']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('Ctrl-Z stops, and Ctrl-L draws everything anew', async () => {
    const { type, terminal, drawn } = opened();
    type(ctrl('z'));
    expect(terminal.suspended).toBe(1);
    await drawn();
    terminal.written = '';
    type(ctrl('l'));
    await drawn();
    expect(terminal.written).toContain('\u001b[2J');
    expect(terminal.shown).toHaveLength(24);
    expect(terminal.shown[0]).toContain('#lobby');
  });
});

describe('a picture', () => {
  it('waits while the terminal has not taken the last one, and is the latest one then', async () => {
    const { terminal, state, drawn, screen } = opened();
    await drawn();
    terminal.isBehind = true;
    const { writes } = terminal;
    for (let seq = 1; seq <= 100; seq += 1) {
      addMessage(state, message(seq));
      screen.changed();
      await vi.advanceTimersByTimeAsync(40);
    }
    expect(terminal.writes).toBe(writes);
    terminal.isBehind = false;
    await drawn();
    expect(terminal.writes).toBe(writes + 1);
    expect(terminal.shown.at(-3)).toContain('message 100');
  });

  it('counts down until the next try', async () => {
    const { terminal, state, screen, drawn } = opened();
    state.link = { kind: 'waiting', why: 'refused', until: Date.now() + 3_000 };
    screen.changed();
    expect((await drawn()).at(-2)).toContain('next try in 3 s');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(terminal.shown.at(-2)).toContain('next try in 2 s');
  });

  it('of a conversation with unread messages says so to the server', async () => {
    const { drawn, counts, screen } = opened();
    await drawn();
    const { reads } = counts();
    screen.changed();
    await drawn();
    expect(counts().reads).toBe(reads + 1);
  });
});
