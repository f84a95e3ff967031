import { describe, expect, it } from 'vitest';
import { conversationOf, startState } from '../../../src/cli/interactive/chat-state.ts';
import { NameList } from '../../../src/cli/interactive/name-list.ts';
import { type SlashContext, slashCommands, submit } from '../../../src/cli/interactive/slash-commands.ts';
import type { WireMessage } from '../../../src/client/connection.ts';
import { ChatError } from '../../../src/core/errors.ts';

type Answer = object | ChatError;

/** A chat whose server answers as told; what is sent, called and said is kept. */
function world(answers: Record<string, Answer | Answer[]> = {}) {
  const state = startState('alice', 'chat://127.0.0.1:8080');
  const sent: [string, string][] = [];
  const called: [string, object][] = [];
  const said: string[] = [];
  const hidden: WireMessage[] = [];
  const unopened: string[] = [];
  let hasQuit = false;
  const call = async (name: string, params: object) => {
    called.push([name, params]);
    const given = answers[name] ?? {};
    const answer = Array.isArray(given) ? given.shift() : given;
    if (answer instanceof ChatError) throw answer;
    return answer;
  };
  const context = {
    state,
    live: {
      send: (to: string, text: string) => void sent.push([to, text]),
      connection: { call },
      searchPrivate: async () => ({ messages: hidden, cut: [], notes: unopened }),
    },
    say: (text: string) => void said.push(text),
    quit: () => {
      hasQuit = true;
    },
  } as unknown as SlashContext;
  return {
    state,
    sent,
    called,
    said,
    hidden,
    unopened,
    type: (line: string) => submit(line, context),
    left: () => hasQuit,
  };
}

describe('/search', () => {
  it('says what it could not look into, also when it finds nothing', async () => {
    const { type, said, unopened } = world({
      'message.search': { messages: [], next: null, complete: true },
    });
    unopened.push('3 encrypted messages were not searched: no keys');
    await type('/search zebra');
    expect(said).toEqual(['nothing found\n3 encrypted messages were not searched: no keys']);
  });
});

describe('a line', () => {
  it.each<[string, string, string]>([
    ['hello there', '#lobby', 'hello there'],
    ['//join is a command', '#lobby', '/join is a command'],
    ['a /join in the middle', '#lobby', 'a /join in the middle'],
    ['/usr/bin/env is a path', '#lobby', '/usr/bin/env is a path'],
    ['two\nlines', '#lobby', 'two\nlines'],
    ['@bob hey how are you?', '@bob', 'hey how are you?'],
    ['@Bob, hey', '@bob', 'hey'],
    ['@bob: a\nb', '@bob', 'a\nb'],
    ['@bob', '#lobby', '@bob'],
    ['hello @bob', '#lobby', 'hello @bob'],
  ])('%j goes to %s as %j', async (line, to, text) => {
    const { type, sent } = world();
    await type(line);
    expect(sent).toEqual([[to, text]]);
  });

  it.each<[string, string]>([
    ['/jion ops', 'there is no command /jion; did you mean /join?'],
    ['/frobnicate', 'there is no command /frobnicate; /help lists the commands'],
    ['/', 'there is no command /; /help lists the commands'],
    ['/join', 'usage: /join ROOM'],
    ['/join a b', 'usage: /join ROOM'],
    ['/msg', 'usage: /msg USER [TEXT]'],
    ['/search', 'usage: /search WORDS'],
    ['/go #ops', 'you are not in #ops; join it with /join #ops'],
    ['/go 7', 'there is no tab 7'],
    ['/close', 'a room is left with /leave'],
  ])('%j is refused with %j, and nothing is sent', async (line, message) => {
    const { type, sent, called } = world();
    await expect(type(line)).rejects.toMatchObject({ code: 'invalid', message });
    expect([sent, called]).toEqual([[], []]);
  });

  it('to a name that nobody can have is refused', async () => {
    const { type, sent } = world();
    await expect(type('@b/b psst')).rejects.toMatchObject({ code: 'invalid' });
    expect(sent).toEqual([]);
  });
});

describe('somebody who is not there', () => {
  const nobody = { 'message.history': new ChatError('not-found', 'there is no user @nobody') };

  it.each(['/msg nobody', '/msg nobody hello', '/go @nobody', '@nobody hello'])(
    'is refused before anything is opened or sent: %j',
    async (line) => {
      const { type, sent, state } = world(nobody);
      await expect(type(line)).rejects.toMatchObject({ message: 'there is no user @nobody' });
      expect([sent, state.current, state.conversations.length]).toEqual([[], '#lobby', 1]);
    },
  );

  it('is not asked for when the name is known, nor refused when the server cannot say', async () => {
    const { type, sent, state, called } = world({
      'message.history': new ChatError('unavailable', 'not connected now'),
    });
    state.people.add('bob');
    conversationOf(state, '@carol');
    await type('@bob one');
    await type('@carol two');
    expect(called).toEqual([]);
    await type('@dave three');
    expect(called).toEqual([['message.history', { to: '@dave', limit: 1, newest: true }]]);
    expect(sent.map(([to]) => to)).toEqual(['@bob', '@carol', '@dave']);
  });
});

describe('the commands', () => {
  it('put nothing away of which something is not sent yet', async () => {
    const { type, state, called } = world();
    for (const name of ['@bob', '#ops']) {
      const item = { kind: 'pending', text: 'x', sender: 'alice', key: 'k' } as const;
      conversationOf(state, name).items.push(item);
    }
    await type('/go @bob');
    await expect(type('/close')).rejects.toMatchObject({
      code: 'invalid',
      message: 'not everything in @bob is sent yet; it can be put away when it is',
    });
    await expect(type('/leave ops')).rejects.toMatchObject({ code: 'invalid' });
    expect([called, state.conversations.length]).toEqual([[], 3]);
    conversationOf(state, '@bob').items = [];
    await type('/close');
    expect(state.conversations.map(({ name }) => name)).toEqual(['#lobby', '#ops']);
  });

  it('/join turns to a room, and makes one that is not there', async () => {
    const { type, state, called, said } = world({
      'room.join': [{ room: '#ops' }, new ChatError('not-found', 'there is no such room')],
      'room.create': { room: '#new' },
    });
    await type('/join Ops');
    expect([state.current, called, said]).toEqual(['#ops', [['room.join', { room: '#ops' }]], []]);
    await type('/join #new');
    expect([state.current, called.at(-1), said]).toEqual([
      '#new',
      ['room.create', { room: '#new' }],
      ['#new is new; you are in it'],
    ]);
  });

  it('/leave takes the room off the tabs once the server has agreed', async () => {
    const { type, state } = world({ 'room.leave': [new ChatError('unavailable', 'not now'), {}] });
    conversationOf(state, '#ops');
    await type('/go #ops');
    await expect(type('/leave')).rejects.toMatchObject({ code: 'unavailable' });
    expect(state.current).toBe('#ops');
    await type('/leave #ops');
    expect([state.current, state.conversations.map(({ name }) => name)]).toEqual(['#lobby', ['#lobby']]);
    await expect(type('/leave @bob')).rejects.toMatchObject({ code: 'invalid' });
  });

  it('/msg opens a private conversation, and says something there when there is something', async () => {
    const { type, state, sent } = world();
    await type('/msg @bob');
    expect([state.current, sent]).toEqual(['@bob', []]);
    await type('/query carol hi there\nyou');
    expect([state.current, sent]).toEqual(['@carol', [['@carol', 'hi there\nyou']]]);
    await type('/go 1');
    expect(state.current).toBe('#lobby');
    await type('/go @bob');
    await type('/close');
    expect(state.conversations.map(({ name }) => name)).toEqual(['#lobby', '@carol']);
  });

  it('/users, /rooms, /members and /whoami say what they know', async () => {
    const { type, state, said } = world({
      'room.list': [
        { rooms: [{ room: '#lobby', members: 2, member: true, last_seq: 1 }], next: '#lobby' },
        { rooms: [{ room: '#ops', members: 1, member: false, last_seq: 0 }], next: null },
      ],
      'room.members': { members: [{ username: 'alice' }, { username: 'bob' }], next: null },
    });
    state.online = new NameList(['bob', 'alice']);
    for (const line of ['/users', '/rooms', '/members', '/whoami']) await type(line);
    expect(said).toEqual([
      '2 online: alice bob',
      '* #lobby (2)\n  #ops (1)',
      '2 in #lobby: alice bob',
      'alice on chat://127.0.0.1:8080',
    ]);
    await type('/msg bob');
    await expect(type('/members')).rejects.toMatchObject({ code: 'invalid' });
  });

  it('/help names every command, within 80 columns', async () => {
    const { type, said } = world();
    await type('/help');
    const lines = said[0]?.split('\n') ?? [];
    for (const { usage, summary } of slashCommands)
      expect(lines.some((line) => line.startsWith(usage) && line.endsWith(summary))).toBe(true);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(78);
  });

  it.each(['/quit', '/exit'])('%s leaves', async (line) => {
    const { type, left } = world();
    await type(line);
    expect(left()).toBe(true);
  });
});

describe('/search', () => {
  const match = (seq: number, to: string, sender: string, text: string) => ({
    to,
    seq,
    id: `01a1fe49-a9c4-7454-9e2c-95bfd22ef30${seq}`,
    sender,
    sent_at: '2026-11-21T09:30:00.000Z',
    text,
  });

  it('shows what it finds, the newest at the bottom, with the conversation', async () => {
    const messages = [match(2, '@bob', 'bob', 'green\u001b[2J'), match(1, '#ops', 'alice', 'Green build')];
    const { type, said, called } = world({
      'message.search': { messages, next: messages[1]?.id, complete: false },
    });
    await type('/search green "the build"');
    expect(called).toEqual([['message.search', { q: 'green "the build"', limit: 15 }]]);
    expect(said).toEqual([
      [
        '… the newest of more:',
        '2026-11-21 09:30:00 #ops alice: Green build',
        '2026-11-21 09:30:00 bob: @alice [clear] green\\x1b[2J',
        'not everything is indexed yet: there may be more',
      ].join('\n'),
    ]);
  });

  it('shows what was encrypted among it, in its place', async () => {
    const messages = [match(1, '#ops', 'alice', 'Green build')];
    const { type, said, hidden } = world({ 'message.search': { messages, next: null, complete: true } });
    for (const [seq, at] of [
      [2, '09:29:59'],
      [3, '09:30:01'],
    ] as const) {
      hidden.push({
        ...match(seq, '@bob', 'bob', `green ${seq}`),
        sent_at: `2026-11-21T${at}.000Z`,
        unsealed: { kind: 'encrypted' },
      });
    }
    await type('/search green');
    expect(said).toEqual([
      [
        '2026-11-21 09:29:59 bob: @alice [encrypted] green 2',
        '2026-11-21 09:30:00 #ops alice: Green build',
        '2026-11-21 09:30:01 bob: @alice [encrypted] green 3',
      ].join('\n'),
    ]);
  });

  it('says when there is nothing', async () => {
    const { type, said } = world({ 'message.search': { messages: [], next: null, complete: true } });
    await type('/search green');
    expect(said).toEqual(['nothing found']);
  });
});
