import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CommandContext } from '../../../src/cli/command.ts';
import {
  addMessage,
  type ChatState,
  close,
  conversationOf,
  show,
  startState,
  unreadOf,
} from '../../../src/cli/interactive/chat-state.ts';
import { LiveChat } from '../../../src/cli/interactive/live-chat.ts';
import type { GapItem } from '../../../src/cli/interactive/pane.ts';
import { parseServerAddress } from '../../../src/client/address.ts';
import type { Connection, WireEvent, WireMessage } from '../../../src/client/connection.ts';
import { ChatError } from '../../../src/core/errors.ts';
import { message } from '../support/fake-client.ts';
import type { FollowOptions } from '../support/following.ts';

type Answer = object | ChatError | ((params: Record<string, unknown>) => object | Promise<object>);

const nobody: Record<string, Answer> = {
  'conversation.list': { conversations: [] },
  'user.list': { users: [{ username: 'alice' }], next: null },
  'room.list': { rooms: [{ room: '#lobby' }], next: null },
  'conversation.mark-read': {},
};

/** A connection that answers as told; what was asked is kept. */
function line(answers: Record<string, Answer> = {}) {
  const calls: [string, object][] = [];
  const listeners = new Set<(event: WireEvent) => void>();
  const lost = Promise.withResolvers<void>();
  const connection = {
    async call(name: string, params: Record<string, unknown>) {
      calls.push([name, params]);
      const answer = answers[name] ?? nobody[name];
      if (answer === undefined || answer instanceof ChatError)
        throw answer ?? new ChatError('unsupported', `${name} is not scripted`);
      return typeof answer === 'function' ? await answer(params) : answer;
    },
    onEvent: (listener: (event: WireEvent) => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    closed: lost.promise,
    close: async () => lost.resolve(),
  } as unknown as Connection;
  return {
    connection,
    calls,
    called: (name: string) => calls.filter(([called]) => called === name).map(([, params]) => params),
    event: (event: object) => {
      for (const listener of listeners) listener(event as WireEvent);
    },
    lose: () => lost.resolve(),
  };
}

const settled = () => vi.advanceTimersByTimeAsync(0);

/** A live chat whose messages, connections and history are in the test's hands. */
function world(first = line(), state: ChatState = startState('alice', 'chat://127.0.0.1:8080')) {
  const leaving = new AbortController();
  const notes: string[] = [];
  const heard: number[] = [];
  const refused: string[] = [];
  const histories: object[] = [];
  const older: { messages: readonly WireMessage[] | Promise<WireMessage[]> | ChatError } = { messages: [] };
  let followed: FollowOptions | undefined;
  let wake = (): void => {};
  const inbox: WireMessage[] = [];
  let next = line();
  const client = {
    connect: async () => next.connection,
    resume: async () => ({ username: 'alice', user_id: 'id', expires_at: '2026-11-28T09:00:00.000Z' }),
    async *follow(options: FollowOptions) {
      followed = options;
      await options.open();
      options.onState?.({ kind: 'following' });
      for (;;) {
        yield* inbox.splice(0);
        if (options.signal?.aborted) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
          options.signal?.addEventListener('abort', () => resolve(), { once: true });
        });
      }
    },
    async *history({ connection: _, ...asked }: { connection: Connection }) {
      histories.push(asked);
      const messages = await older.messages;
      if (messages instanceof ChatError) throw messages;
      yield* messages;
    },
  };
  const context = {
    host: { client, now: () => Date.now(), env: { CHAT_TOKEN: 'token' } },
    settings: { server: parseServerAddress('127.0.0.1:8080') },
    output: { note: async (text: string) => void notes.push(text) },
  } as unknown as CommandContext;
  const live = new LiveChat({
    context,
    state,
    sealer: {
      use: () => {},
      async seal(_connection, to, text) {
        if (to !== '@carol') return { body: { text }, protection: undefined };
        return { body: { envelope: `sealed ${text}` }, protection: 'verified' };
      },
    },
    reader: {
      async open({ envelope, ...rest }) {
        if (envelope === undefined) return rest;
        if (envelope === 'unreachable') throw new ChatError('unavailable', 'no way to ask for keys');
        return { ...rest, text: `opened ${envelope}`, unsealed: { kind: 'encrypted' } };
      },
    },
    first: { connection: first.connection, username: 'alice' } as never,
    firstMessages: 50,
    signal: leaving.signal,
    onChange: () => {},
    onMessage: ({ seq }) => heard.push(seq),
    onRefused: ({ to, text }, why) => refused.push(`${to} ${text}: ${why.message}`),
  });
  return {
    live,
    state,
    first,
    notes,
    heard,
    refused,
    histories,
    older,
    followed: () => followed,
    /** The connection is made anew. */
    reopen: async (made: ReturnType<typeof line>) => {
      next = made;
      await followed?.open();
      await settled();
    },
    receive: async (...messages: WireMessage[]) => {
      inbox.push(...messages);
      wake();
      await settled();
    },
    leave: () => leaving.abort(),
  };
}

/** The chat as it is once the first connection is up. */
async function running(...parameters: Parameters<typeof world>) {
  const made = world(...parameters);
  const ended = made.live.run();
  await settled();
  return { ...made, ended };
}

const shown = (state: ChatState, name = '#lobby') =>
  conversationOf(state, name).items.map((item) =>
    item.kind === 'message'
      ? item.message.seq
      : item.kind === 'pending'
        ? `… ${item.text}`
        : item.kind === 'notice'
          ? item.text
          : item.kind,
  );

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe('at the start', () => {
  it('it is known what is unread before any message comes, who is there, and which names there are', async () => {
    const { state, receive, heard } = await running(
      line({
        'conversation.list': {
          conversations: [
            { to: '#lobby', last_seq: 4, read_seq: 2 },
            { to: '@bob', last_seq: 0, read_seq: 0 },
          ],
        },
        'user.list': ({ after, all }) => ({
          users: [{ username: after === undefined ? 'alice' : all ? 'carol' : 'bob' }],
          next: after === undefined ? 'alice' : null,
        }),
        'room.list': { rooms: [{ room: '#ops' }], next: null },
      }),
    );
    expect(state.link).toEqual({ kind: 'online' });
    expect(state.conversations.map((one) => [one.name, unreadOf(one), one.earlier])).toEqual([
      ['#lobby', 2, undefined],
      ['@bob', 0, 0],
    ]);
    expect(state.online.sorted).toEqual(['alice', 'bob']);
    expect([[...state.people].sort(), [...state.rooms].sort()]).toEqual([
      ['alice', 'carol'],
      ['#lobby', '#ops'],
    ]);
    await receive(message(3), message(4));
    expect([shown(state), heard]).toEqual([
      [3, 4],
      [3, 4],
    ]);
  });

  it('goes on where the state of an earlier chat ended, and sends what that could not', async () => {
    const state = startState('alice', 'chat://127.0.0.1:8080');
    addMessage(state, message(7));
    const pending = { kind: 'pending', text: 'left over', sender: 'alice', key: 'key-1' } as const;
    conversationOf(state, '#lobby').items.push(pending);
    const stored = { id: 'id', seq: 8, sent_at: '2026-11-21T09:00:00.000Z' };
    const { first, followed, live } = await running(line({ 'message.send': stored }), state);
    expect(followed()).toMatchObject({ targets: [], from: { last: 50 }, cursors: new Map([['#lobby', 7]]) });
    expect(first.called('message.send')).toEqual([{ to: '#lobby', text: 'left over', key: 'key-1' }]);
    expect([shown(state), live.unsent]).toEqual([[7, 8], 0]);
  });

  it('leaves a private conversation away that was put away, until something was said in it', async () => {
    const state = startState('alice', 'chat://127.0.0.1:8080');
    addMessage(state, message(3, { to: '@bob' }));
    close(state, '@bob');
    const listed = (last_seq: number) =>
      line({ 'conversation.list': { conversations: [{ to: '@bob', last_seq, read_seq: 3 }] } });
    const before = await running(listed(3), state);
    expect(state.conversations.map(({ name }) => name)).toEqual(['#lobby']);
    before.leave();
    await before.ended;
    await running(listed(4), state);
    expect(state.conversations.map(({ name }) => name)).toEqual(['#lobby', '@bob']);
  });

  it('ends when the saved login is somebody else by now', async () => {
    const { live, first } = world(line(), startState('sam', 'chat://127.0.0.1:8080'));
    await expect(live.run()).rejects.toMatchObject({
      code: 'unauthenticated',
      message: "the saved login is alice's now; start chat again",
    });
    expect(first.calls).toEqual([]);
  });
});

const stored = (seq: number) => ({ id: `id-${seq}`, seq, sent_at: '2026-11-21T09:00:00.000Z' });

describe('a message that is sent', () => {
  it('shows as on its way, then as the message that it has become, and not again when that comes', async () => {
    const answered = Promise.withResolvers<object>();
    const { live, state, receive, heard } = await running(line({ 'message.send': () => answered.promise }));
    await receive(message(1));
    live.send('#lobby', 'hello');
    await settled();
    expect([shown(state), live.unsent]).toEqual([[1, '… hello'], 1]);
    answered.resolve(stored(2));
    await settled();
    expect([shown(state), live.unsent]).toEqual([[1, 2], 0]);
    await receive(message(2, { sender: 'alice', text: 'hello' }));
    expect([shown(state), heard]).toEqual([[1, 2], [1]]);
  });

  it('waits for what comes before it', async () => {
    const { live, state, receive } = await running(line({ 'message.send': stored(3) }));
    await receive(message(1));
    live.send('#lobby', 'hello');
    await settled();
    expect(shown(state)).toEqual([1]);
    await receive(message(2), message(3, { sender: 'alice', text: 'hello' }));
    expect(shown(state)).toEqual([1, 2, 3]);
  });

  it('in private goes as an envelope, and stays readable here, marked as a reader finds it', async () => {
    const first = line({ 'message.send': stored(1) });
    const { live, state } = await running(first);
    live.send('@carol', 'psst');
    await settled();
    expect(first.called('message.send')).toEqual([
      { to: '@carol', key: expect.any(String), envelope: 'sealed psst' },
    ]);
    expect(conversationOf(state, '@carol').items).toMatchObject([
      { message: { text: 'psst', unsealed: { kind: 'verified' } } },
    ]);
  });

  it('and refused is said where it was to go, and handed back', async () => {
    const { live, state, refused } = await running(
      line({ 'message.send': new ChatError('forbidden', 'no') }),
    );
    live.send('@bob', 'hello');
    await settled();
    expect([shown(state, '@bob'), refused, live.unsent]).toEqual([['not sent: no'], ['@bob hello: no'], 0]);
  });

  it('ends scrolling', async () => {
    const { live, state } = await running();
    const lobby = conversationOf(state, '#lobby');
    lobby.anchor = { item: { kind: 'notice', text: '', isError: false }, hidden: 0 };
    live.send('#lobby', 'hello');
    expect(lobby.anchor).toBeUndefined();
  });
});

describe('an encrypted message', () => {
  const sealed = (seq: number, envelope: string): WireMessage => {
    const { text: _text, ...rest } = message(seq, { to: '@bob', sender: 'bob' });
    return { ...rest, envelope };
  };

  it('is shown opened, live and from before; one that cannot be opened now says why', async () => {
    const { live, state, receive, older } = await running();
    await receive(sealed(9, 'live'), sealed(10, 'unreachable'));
    older.messages = [sealed(8, 'older')];
    await live.loadEarlier(conversationOf(state, '@bob'));
    expect(conversationOf(state, '@bob').items).toMatchObject([
      { message: { seq: 8, text: 'opened older', unsealed: { kind: 'encrypted' } } },
      { message: { seq: 9, text: 'opened live' } },
      {
        message: {
          seq: 10,
          envelope: 'unreachable',
          unsealed: { kind: 'locked', why: 'no way to ask for keys' },
        },
      },
    ]);
  });
});

describe('a connection that is lost', () => {
  it('takes who is online with it; what is sent meanwhile goes on the next one, in order', async () => {
    const answered = Promise.withResolvers<object>();
    const first = line({ 'message.send': () => answered.promise });
    const { live, state, reopen } = await running(first);
    live.send('#lobby', 'one');
    await settled();
    first.lose();
    await settled();
    expect(state.online.size).toBe(0);
    expect(() => live.connection).toThrow('not connected now; try again when it is back');
    live.send('#lobby', 'two');
    answered.reject(new ChatError('unavailable', 'the connection broke'));
    const second = line({ 'message.send': ({ text }) => stored(text === 'one' ? 1 : 2) });
    await reopen(second);
    expect(live.connection).toBe(second.connection);
    expect(second.called('message.send')).toEqual([
      first.called('message.send')[0],
      expect.objectContaining({ text: 'two' }),
    ]);
    expect([shown(state), live.unsent]).toEqual([[1, 2], 0]);
  });

  it('leaves the next one alone when it is told late', async () => {
    const first = line();
    const { live, state, reopen } = await running(first);
    const second = line();
    await reopen(second);
    first.lose();
    await settled();
    expect([live.connection, state.online.size]).toEqual([second.connection, 1]);
  });

  it('before the conversations were listed is closed', async () => {
    const { reopen } = await running();
    const second = line({ 'conversation.list': new ChatError('unavailable', 'the server is ending') });
    await expect(reopen(second)).rejects.toMatchObject({ code: 'unavailable' });
    await expect(second.connection.closed).resolves.toBeUndefined();
  });

  it('while names are listed is no error', async () => {
    const first = line({ 'user.list': new ChatError('unavailable', 'the connection broke') });
    const { state, receive } = await running(first);
    await receive(message(1));
    expect(shown(state)).toEqual([1]);
  });
});

describe('who comes and goes', () => {
  it('is known at once, and stays known for completion', async () => {
    const { first, state } = await running();
    first.event({ type: 'presence', user: 'dave', online: true });
    expect(state.online.sorted).toEqual(['alice', 'dave']);
    first.event({ type: 'presence', user: 'dave', online: false });
    first.event({ type: 'message' });
    expect([state.online.sorted, state.people.has('dave')]).toEqual([['alice'], true]);
  });

  it('and a login from a new device is told where the reader is, for each to see', async () => {
    const { first, state } = await running();
    first.event({
      type: 'account-notice',
      kind: 'new-device',
      door: 'http',
      address: '192.0.2.9',
      at: '2027-01-15T08:00:00.000Z',
    });
    first.event({ type: 'account-notice', kind: 'later', door: 'http', address: '192.0.2.9', at: '' });
    expect(shown(state)).toEqual([
      expect.stringMatching(/^your account was logged in to from a new device, 192\.0\.2\.9 \(http\)/),
    ]);
  });

  it('while the names are still being listed is not forgotten', async () => {
    const second = Promise.withResolvers<object>();
    const { first, state } = await running(
      line({
        'user.list': ({ after }) =>
          after === undefined
            ? { users: [{ username: 'alice' }, { username: 'bob' }], next: 'bob' }
            : second.promise,
      }),
    );
    first.event({ type: 'presence', user: 'bob', online: false });
    first.event({ type: 'presence', user: 'dave', online: true });
    second.resolve({ users: [{ username: 'zoe' }], next: null });
    await settled();
    expect(state.online.sorted).toEqual(['alice', 'dave', 'zoe']);
  });
});

describe('what is older', () => {
  it('is fetched page by page down to the first message, once at a time', async () => {
    const { live, state, receive, histories, older, first } = await running();
    await receive(message(151));
    const lobby = conversationOf(state, '#lobby');
    const page = Promise.withResolvers<WireMessage[]>();
    older.messages = page.promise;
    const loading = live.loadEarlier(lobby);
    await live.loadEarlier(lobby);
    expect([lobby.isLoading, histories]).toEqual([true, [{ to: '#lobby', from: { after: 50 }, limit: 100 }]]);
    page.resolve([message(51), message(150)]);
    await loading;
    expect([shown(state), lobby.earlier, lobby.isLoading]).toEqual([[51, 150, 151], 50, false]);
    older.messages = [message(1), message(50)];
    await live.loadEarlier(lobby);
    expect([shown(state), lobby.earlier]).toEqual([[1, 50, 51, 150, 151], 0]);
    await live.loadEarlier(lobby);
    expect(histories).toEqual([
      { to: '#lobby', from: { after: 50 }, limit: 100 },
      { to: '#lobby', from: { after: 0 }, limit: 50 },
    ]);
    expect(first.called('message.history')).toEqual([]);
  });

  it('is the last page of a conversation of which nothing is here', async () => {
    const { live, state, histories, older } = await running();
    const bob = conversationOf(state, '@bob');
    older.messages = [message(8, { to: '@bob' }), message(9, { to: '@bob' })];
    await live.loadEarlier(bob);
    expect([histories, shown(state, '@bob'), bob.earlier]).toEqual([
      [{ to: '@bob', from: { last: 100 }, limit: 100 }],
      [8, 9],
      7,
    ]);
    const empty = conversationOf(state, '@carol');
    older.messages = [];
    await live.loadEarlier(empty);
    expect(empty.earlier).toBe(0);
  });

  it('and does not come is said, and may be asked for again', async () => {
    const { live, state, receive, older, notes } = await running();
    await receive(message(151));
    older.messages = new ChatError('unavailable', 'the connection broke');
    await live.loadEarlier(conversationOf(state, '#lobby'));
    expect(notes).toEqual(['older messages did not come: the connection broke']);
    older.messages = [message(150)];
    await live.loadEarlier(conversationOf(state, '#lobby'));
    expect(shown(state)).toEqual([150, 151]);
  });

  it('is not asked for without a connection', async () => {
    const { live, state, first, histories } = await running();
    first.lose();
    await settled();
    await live.loadEarlier(conversationOf(state, '#lobby'));
    expect(histories).toEqual([]);
  });
});

describe('a gap', () => {
  async function withGap() {
    const made = await running();
    await made.receive(message(1), message(500));
    const lobby = conversationOf(made.state, '#lobby');
    const gap = { kind: 'gap', after: 1, before: 500 } as const;
    lobby.items.splice(1, 0, gap);
    return { ...made, lobby, gap };
  }

  it('is filled a page at a time, from the end at which one has come to it', async () => {
    const { live, lobby, gap, histories, older, state } = await withGap();
    older.messages = [message(2), message(3)];
    await live.loadGap(lobby, gap, 'down');
    expect(shown(state)).toEqual([1, 2, 3, 'gap', 500]);
    older.messages = [message(499)];
    await live.loadGap(lobby, lobby.items[3] as GapItem, 'up');
    expect(shown(state)).toEqual([1, 2, 3, 'gap', 499, 500]);
    expect(lobby.items[3]).toEqual({ kind: 'gap', after: 3, before: 499 });
    expect(histories).toEqual([
      { to: '#lobby', from: { after: 1 }, limit: 100 },
      { to: '#lobby', from: { after: 399 }, limit: 100 },
    ]);
  });

  it('of less than a page is asked for as it is, once at a time and only with a connection', async () => {
    const { live, lobby, histories, older, first } = await withGap();
    const small = { kind: 'gap', after: 489, before: 500 } as const;
    const page = Promise.withResolvers<WireMessage[]>();
    older.messages = page.promise;
    const loading = live.loadGap(lobby, small, 'up');
    await live.loadGap(lobby, small, 'down');
    await live.loadEarlier(lobby);
    page.resolve([]);
    await loading;
    expect([live.isConnected, histories]).toEqual([
      true,
      [{ to: '#lobby', from: { after: 489 }, limit: 10 }],
    ]);
    first.lose();
    await settled();
    await live.loadGap(lobby, small, 'up');
    expect([live.isConnected, histories.length]).toEqual([false, 1]);
  });
});

describe('what was read', () => {
  it('is told a second later, the last of it only', async () => {
    const { live, first, receive } = await running();
    await receive(message(1));
    live.markRead();
    await vi.advanceTimersByTimeAsync(999);
    await receive(message(2));
    live.markRead();
    expect(first.called('conversation.mark-read')).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(first.called('conversation.mark-read')).toEqual([{ to: '#lobby', seq: 2 }]);
    live.markRead();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(first.called('conversation.mark-read')).toHaveLength(1);
  });

  it('is told at once when one leaves, and of each conversation', async () => {
    const { live, first, receive, state } = await running();
    await receive(message(1), message(1, { to: '@bob' }));
    live.markRead();
    show(state, '@bob');
    live.markRead();
    await live.tellRead(500);
    expect(first.called('conversation.mark-read')).toEqual([
      { to: '#lobby', seq: 1 },
      { to: '@bob', seq: 1 },
    ]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('and did not get there is told on the next connection', async () => {
    const { live, receive, reopen } = await running(
      line({ 'conversation.mark-read': new ChatError('unavailable', 'the connection broke') }),
    );
    await receive(message(1));
    live.markRead();
    await live.tellRead();
    const second = line();
    await reopen(second);
    expect(second.called('conversation.mark-read')).toEqual([{ to: '#lobby', seq: 1 }]);
    await live.tellRead();
    expect(second.called('conversation.mark-read')).toHaveLength(1);
  });
});

describe('leaving', () => {
  it('ends it, with the time that was still to tell what was read', async () => {
    const { live, leave, ended, receive } = await running();
    await receive(message(1));
    live.markRead();
    leave();
    await expect(ended).resolves.toBeUndefined();
    expect(vi.getTimerCount()).toBe(0);
  });
});
