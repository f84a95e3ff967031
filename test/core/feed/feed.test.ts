import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { ChatError } from '../../../src/core/errors.ts';
import { feedPageRows, maxQueuedBytes } from '../../../src/core/policy.ts';
import type { Bus, Notice } from '../../../src/core/ports/bus.ts';
import {
  type FakePeer,
  loggedIn,
  openChat,
  peer,
  refusal,
  register,
  registration,
  type TestChat,
  turnOver,
} from '../support/chat.ts';

/** 1..n, or from..to. */
function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
}

/** Accounts that nobody logs in to: made without stretching a password. */
async function makeNames(t: TestChat, ...names: string[]): Promise<void> {
  const model = await registration('anybody');
  for (const username of names) await t.call(peer(), 'account.register', { ...model, username });
}

async function sendAll(t: TestChat, sender: FakePeer, to: string, count: number): Promise<void> {
  for (let one = 0; one < count; one++) await t.call(sender, 'message.send', { to, text: `text ${one}` });
}

type Fate = 'told' | 'lost' | 'twice' | 'late';

/** A bus that does to each message notice what the test has in mind; after `reliable` it tells them all. */
class FlakyBus {
  fates: Fate[] = [];
  #late: Notice[] = [];
  #bus: Bus | undefined;

  readonly wrap = (bus: Bus): Bus => {
    this.#bus = bus;
    return { ...bus, publish: (notice) => this.#publish(notice) };
  };

  /** Tells what is still late, and everything from now on. */
  reliable(): void {
    this.fates = [];
    this.#tellLate();
  }

  #tellLate(): void {
    const late = this.#late.toReversed();
    this.#late = [];
    for (const notice of late) this.#bus?.publish(notice);
  }

  #publish(notice: Notice): void {
    const fate = notice.type === 'message' ? (this.fates.shift() ?? 'told') : 'told';
    if (fate === 'lost') return;
    if (fate === 'late') {
      this.#late.push(notice);
      return;
    }
    this.#bus?.publish(notice);
    if (fate === 'twice') this.#bus?.publish(notice);
    this.#tellLate();
  }
}

const fate = fc.constantFrom<Fate>('told', 'told', 'lost', 'twice', 'late');
const reader = fc.nat({ max: 2 });
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('send' as const), count: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('follow' as const), reader, after: fc.nat({ max: 12 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('slow' as const), reader }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('drain' as const), reader }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const) }) },
);

describe('following one conversation', () => {
  it('gives every follower after+1 to the last, each once and in order, whatever the notices and readers do', async () => {
    const flaky = new FlakyBus();
    const t = await openChat({ policy: { messagesPerSecond: 0, loginsPerMinute: 0 }, bus: flaky.wrap });
    await register(t, 'alice', 'bob');
    const alice = await loggedIn(t, 'alice');
    const bob = await loggedIn(t, 'bob');
    const tokens = [alice, bob, alice].map(({ opened }) => ({ session_token: opened.session_token }));
    let rooms = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 3, maxLength: 14 }),
        fc.array(fate, { maxLength: 30 }),
        async (steps, fates) => {
          const room = `#r${rooms++}`;
          await t.call(alice, 'room.create', { room });
          await t.call(bob, 'room.join', { room });
          flaky.fates = [...fates];
          const readers: FakePeer[] = [];
          for (const token of tokens) {
            const connection = peer();
            await t.call(connection, 'login.resume', token);
            readers.push(connection);
          }
          const follows = new Map<FakePeer, { after: number; from: number }>();
          let sent = 0;
          const sends: Array<Promise<unknown>> = [];
          for (const one of steps) {
            const connection = 'reader' in one ? readers[one.reader] : undefined;
            switch (one.do) {
              case 'send':
                for (let index = 0; index < one.count; index++) {
                  sent += 1;
                  sends.push(t.call(index % 2 ? bob : alice, 'message.send', { to: room, text: `${sent}` }));
                }
                break;
              case 'follow': {
                if (!connection) break;
                const after = Math.min(one.after, sent);
                await t.call(connection, 'conversation.follow', { to: room, after });
                follows.set(connection, { after, from: connection.told('message').length });
                break;
              }
              case 'slow':
                if (connection) Object.assign(connection, { isSlow: true, queuedBytes: maxQueuedBytes + 1 });
                break;
              case 'drain':
                connection?.drain();
                break;
              case 'wait':
                await turnOver();
                break;
            }
          }
          await Promise.all(sends);
          flaky.reliable();
          // What was lost last is told by the next message.
          await t.call(alice, 'message.send', { to: room, text: 'the last' });
          for (const connection of readers) {
            connection.isSlow = false;
            connection.drain();
          }
          await vi.waitFor(
            async () => {
              await t.quiet();
              for (const [connection, { after, from }] of follows) {
                expect(connection.seqs(room).slice(from)).toEqual(range(after + 1, sent + 1));
              }
            },
            { timeout: 60_000 },
          );
          // And nothing more after that.
          await t.quiet();
          for (const connection of readers) {
            const { after, from } = follows.get(connection) ?? { after: sent + 1, from: 0 };
            expect(connection.seqs(room).slice(from)).toEqual(range(after + 1, sent + 1));
            expect(connection.endings).toEqual([]);
            connection.leave();
          }
        },
      ),
      { numRuns: 60 },
    );
    expect(t.failures).toEqual([]);
  });

  it('refuses a position that is not there yet, whose stream would leave out what comes before it', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    await sendAll(t, alice, '#lobby', 2);
    const beyond = (field: string) => ({
      code: 'invalid',
      message: '#lobby ends with message 2, before 3: was the server set back to a backup?',
      field,
    });
    const follow = (params: object) => t.send(alice, 'conversation.follow', params);
    expect(await refusal(follow({ to: '#lobby', after: 3 }))).toEqual(beyond('after'));
    expect(await refusal(follow({ cursors: { '#lobby': 3 } }))).toEqual(beyond('cursors.#lobby'));
    await follow({ to: '#lobby', after: 2 });
    await follow({ cursors: { '#lobby': 2, '@left': 9 } });
    await sendAll(t, alice, '#lobby', 1);
    await t.quiet();
    expect(alice.seqs('#lobby')).toEqual([3]);
  });

  it('begins after what the caller says, and says where', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    vi.useFakeTimers({ now: Date.parse('2026-03-01T12:00:00.000Z') });
    const ids: string[] = [];
    for (const text of ['one', 'two', 'three', 'four']) {
      ids.push((await t.call(alice, 'message.send', { to: '#lobby', text })).id);
      vi.advanceTimersByTime(1_000);
    }
    const table: Array<[object, number]> = [
      [{}, 4],
      [{ after: 0 }, 0],
      [{ after: 3 }, 3],
      [{ after_id: ids[1] }, 2],
      [{ since: '2026-03-01T12:00:01.000Z' }, 1],
      [{ since: '2026-03-01T12:00:01.001Z' }, 2],
      [{ since: '2026-03-01T13:00:00.000Z' }, 4],
      [{ last: 0 }, 4],
      [{ last: 1 }, 3],
      [{ last: 1_000_000 }, 0],
    ];
    for (const [from, after] of table) {
      const connection = await loggedIn(t, 'alice');
      expect(await t.send(connection, 'conversation.follow', { to: '#lobby', ...from })).toEqual({
        following: [{ to: '#lobby', after }],
        at: '2026-03-01T12:00:04.000Z',
      });
      await t.quiet();
      expect([from, connection.seqs('#lobby')]).toEqual([from, range(after + 1, 4)]);
      connection.leave();
    }
    vi.useRealTimers();
  });

  it('tells a message with everything that its history tells', async () => {
    const t = await openChat();
    await register(t, 'alice', 'bob');
    const alice = await loggedIn(t, 'alice');
    const bob = await loggedIn(t, 'bob');
    await t.call(bob, 'conversation.follow', { to: '@alice' });
    await t.quiet();
    const text = 'a "quoted"\r\nline \u2028 and \\ é 😀';
    const { id, sent_at } = await t.call(alice, 'message.send', { to: '@bob', text });
    await t.call(alice, 'message.send', { to: '@bob', envelope: 'AAAA' });
    await t.quiet();
    expect(bob.told()).toEqual([
      { type: 'message', to: '@alice', seq: 1, id, sender: 'alice', sent_at, text },
      expect.objectContaining({ to: '@alice', seq: 2, envelope: 'AAAA' }),
    ]);
    const { messages } = await t.call(bob, 'message.history', { to: '@alice' });
    expect(bob.told()).toEqual(messages.map((message) => ({ type: 'message', ...message })));
  });

  it('reads a long history page by page', async () => {
    const t = await openChat({ policy: { messagesPerSecond: 0 } });
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    const count = 2 * feedPageRows;
    await Promise.all(range(1, count).map(() => t.call(alice, 'message.send', { to: '#lobby', text: 'x' })));
    await t.call(alice, 'conversation.follow', { to: '#lobby', after: 0 });
    await t.quiet();
    await t.quiet();
    expect(alice.seqs('#lobby')).toEqual(range(1, count));
    await t.call(alice, 'message.send', { to: '#lobby', text: 'x' });
    await t.quiet();
    expect(alice.seqs('#lobby')).toEqual(range(1, count + 1));
  });

  it('encodes once for all readers of one codec: they get the very same bytes', async () => {
    const t = await openChat();
    await register(t, 'alice', 'bob');
    const alice = await loggedIn(t, 'alice');
    const bob = await loggedIn(t, 'bob');
    for (const connection of [alice, bob]) await t.call(connection, 'conversation.follow', { to: '#lobby' });
    await t.quiet();
    await Promise.all(range(1, 5).map(() => t.call(alice, 'message.send', { to: '#lobby', text: 'x' })));
    await t.quiet();
    expect(alice.seqs('#lobby')).toEqual(range(1, 5));
    // Five messages of one commit are one push.
    expect(alice.pushed).toHaveLength(1);
    expect(bob.pushed).toHaveLength(1);
    expect(bob.pushed[0]).toBe(alice.pushed[0]);
  });

  it('takes what is followed again from where it is said to, once', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    await sendAll(t, alice, '#lobby', 3);
    await t.call(alice, 'conversation.follow', { to: '#lobby', after: 0 });
    await t.call(alice, 'conversation.follow', { to: '#lobby', after: 2 });
    const before = alice.seqs('#lobby').length;
    await t.quiet();
    await sendAll(t, alice, '#lobby', 1);
    await t.quiet();
    expect(alice.seqs('#lobby').slice(before)).toEqual([3, 4]);
  });

  it('ends with unfollow, for one conversation or for all', async () => {
    const t = await openChat();
    await register(t, 'alice', 'bob');
    const alice = await loggedIn(t, 'alice');
    const bob = await loggedIn(t, 'bob');
    await t.call(bob, 'room.create', { room: 'tea' });
    for (const to of ['#lobby', '#tea', '@alice']) await t.call(bob, 'conversation.follow', { to });
    await t.call(bob, 'conversation.unfollow', { to: '#lobby' });
    await sendAll(t, alice, '#lobby', 1);
    await sendAll(t, alice, '@bob', 1);
    await sendAll(t, bob, '#tea', 1);
    await t.quiet();
    expect(bob.told('message').map(({ to }) => to)).toEqual(['@alice', '#tea']);
    await t.call(bob, 'conversation.unfollow', {});
    await sendAll(t, alice, '@bob', 1);
    await t.quiet();
    expect(bob.told('message')).toHaveLength(2);
  });

  it('is refused where events cannot be pushed, and with more than one starting point', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const http = await loggedIn(t, 'alice', { events: null, door: 'http' });
    expect(await refusal(t.call(http, 'conversation.follow', {}))).toEqual({
      code: 'unsupported',
      message: 'this connection cannot be pushed to',
    });
    const alice = await loggedIn(t, 'alice');
    const id = '01890000-0000-7000-8000-000000000000';
    const table: Array<[object, string, string]> = [
      [{ to: '#lobby', after: 1, last: 1 }, 'invalid', 'after'],
      [{ after: 1 }, 'invalid', 'to'],
      [{ after_id: id }, 'invalid', 'to'],
      [{ to: '#lobby', cursors: {} }, 'invalid', 'cursors'],
      [{ to: '#lobby', after_id: id }, 'not-found', 'after_id'],
      [{ to: '#lobby', after: -1 }, 'invalid', 'after'],
      [{ to: '#lobby', since: 'yesterday' }, 'invalid', 'since'],
      [{ to: '#none' }, 'not-found', 'to'],
      [{ to: '@none' }, 'not-found', 'to'],
    ];
    for (const [input, code, field] of table) {
      expect(await refusal(t.send(alice, 'conversation.follow', input))).toMatchObject({ code, field });
    }
  });
});

describe('following everything', () => {
  it('begins each conversation after its cursor, or else with what is new', async () => {
    const t = await openChat();
    await register(t, 'alice', 'bob');
    const alice = await loggedIn(t, 'alice');
    const bob = await loggedIn(t, 'bob');
    await t.call(bob, 'room.create', { room: 'tea' });
    await sendAll(t, alice, '#lobby', 3);
    await sendAll(t, alice, '@bob', 2);
    await sendAll(t, bob, '#tea', 1);
    const { following } = await t.call(bob, 'conversation.follow', { cursors: { '#lobby': 1, '#none': 5 } });
    expect(following).toEqual([
      { to: '#lobby', after: 1 },
      { to: '#tea', after: 1 },
      { to: '@alice', after: 2 },
    ]);
    await t.quiet();
    expect(bob.told('message').map(({ to, seq }) => `${to} ${seq}`)).toEqual(['#lobby 2', '#lobby 3']);
    const again = await loggedIn(t, 'bob');
    await t.call(again, 'conversation.follow', { last: 1 });
    await t.quiet();
    expect(
      again
        .told('message')
        .map(({ to, seq }) => `${to} ${seq}`)
        .toSorted(),
    ).toEqual(['#lobby 3', '#tea 1', '@alice 2']);
  });

  it('sees direct conversations and rooms that begin later from their first message, each once', async () => {
    const t = await openChat();
    await register(t, 'alice', 'bob');
    const alice = await loggedIn(t, 'alice');
    const bob = await loggedIn(t, 'bob');
    await t.call(alice, 'room.create', { room: 'tea' });
    await sendAll(t, alice, '#tea', 2);
    await t.call(bob, 'conversation.follow', {});
    await sendAll(t, alice, '@bob', 2);
    await t.call(bob, 'room.join', { room: 'tea' });
    await sendAll(t, alice, '#tea', 2);
    await t.call(bob, 'room.create', { room: 'own' });
    await sendAll(t, bob, '#own', 1);
    await sendAll(t, bob, '@bob', 1);
    await t.quiet();
    expect(bob.seqs('@alice')).toEqual([1, 2]);
    expect(bob.seqs('#tea')).toEqual([3, 4]);
    expect(bob.seqs('#own')).toEqual([1]);
    expect(bob.seqs('@bob')).toEqual([1]);
    expect(bob.told('message')).toHaveLength(6);
  });

  it('misses nothing of a conversation whose first notices are lost, doubled or late', async () => {
    const flaky = new FlakyBus();
    const t = await openChat({ bus: flaky.wrap, policy: { messagesPerSecond: 0 } });
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    const reading = await loggedIn(t, 'alice');
    await t.call(reading, 'conversation.follow', {});
    const table: Fate[][] = [
      ['told'],
      ['lost', 'told'],
      ['late', 'told'],
      ['late', 'late', 'told'],
      ['twice', 'lost', 'late', 'told'],
    ];
    await makeNames(t, ...table.map((_, index) => `u${index}`));
    for (const [index, fates] of table.entries()) {
      flaky.fates = [...fates];
      await sendAll(t, alice, `@u${index}`, fates.length + 1);
    }
    await t.quiet();
    for (const [index, fates] of table.entries()) {
      expect([fates, reading.seqs(`@u${index}`)]).toEqual([fates, range(1, fates.length + 1)]);
    }
  });

  it('sees what begins while it is being asked for exactly once', async () => {
    const t = await openChat({ policy: { messagesPerSecond: 0 } });
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    await makeNames(t, ...range(0, 23).map((index) => `u${index}`));
    for (const index of range(0, 23)) {
      const reading = peer();
      await t.call(reading, 'login.resume', { session_token: alice.opened.session_token });
      const following = t.call(reading, 'conversation.follow', index % 2 ? { last: 0 } : {});
      for (let turns = 0; turns < Math.floor(index / 4); turns++) await turnOver();
      const sends = [1, 2, 3].map(() => t.call(alice, 'message.send', { to: `@u${index}`, text: 'x' }));
      await Promise.all([following, ...sends]);
      await t.quiet();
      const start = (await following).following.find(({ to }) => to === `@u${index}`)?.after ?? 0;
      expect([index, start, reading.seqs(`@u${index}`)]).toEqual([index, start, range(start + 1, 3)]);
      reading.leave();
    }
  });

  it('goes on as it was when it is asked for again in vain, with what began meanwhile', async () => {
    let onList: (() => Promise<void>) | undefined;
    const t = await openChat({
      store: (store) => ({
        ...store,
        async conversations(query) {
          const found = await store.conversations(query);
          await onList?.();
          return found;
        },
      }),
    });
    await register(t, 'alice', 'bob');
    const alice = await loggedIn(t, 'alice');
    const bob = await loggedIn(t, 'bob');
    await makeNames(t, 'carol');
    await t.call(alice, 'conversation.follow', {});
    onList = async () => {
      await t.call(bob, 'message.send', { to: '@alice', text: 'one' });
      throw new ChatError('unavailable', 'not now');
    };
    expect(await refusal(t.call(alice, 'conversation.follow', { last: 1 }))).toMatchObject({
      code: 'unavailable',
    });
    onList = undefined;
    await t.quiet();
    expect(alice.seqs('@bob')).toEqual([1]);
    await t.call(bob, 'message.send', { to: '@alice', text: 'two' });
    await t.call(alice, 'message.send', { to: '@carol', text: 'hello' });
    await t.quiet();
    expect([alice.seqs('@bob'), alice.seqs('@carol')]).toEqual([[1, 2], [1]]);
  });

  it('that was asked for in vain follows nothing', async () => {
    let isBroken = true;
    const t = await openChat({
      store: (store) => ({
        ...store,
        conversations: (query) =>
          isBroken ? Promise.reject(new ChatError('unavailable', 'not now')) : store.conversations(query),
      }),
    });
    await register(t, 'alice', 'bob');
    const alice = await loggedIn(t, 'alice');
    const bob = await loggedIn(t, 'bob');
    expect((await refusal(t.call(alice, 'conversation.follow', {}))).code).toBe('unavailable');
    await t.call(bob, 'message.send', { to: '@alice', text: 'one' });
    await t.quiet();
    expect(alice.told('message')).toEqual([]);
    isBroken = false;
    await t.call(alice, 'conversation.follow', { last: 9 });
    await t.quiet();
    expect(alice.seqs('@bob')).toEqual([1]);
  });

  it('misses nothing that is said in a room while somebody joins it', async () => {
    const t = await openChat({
      policy: { messagesPerSecond: 0 },
      store: (store) => ({
        ...store,
        async joinRoom(join) {
          const outcome = await store.joinRoom(join);
          // Somebody speaks between the entry and the moment it is told.
          await t.call(alice, 'message.send', { to: '#tea', text: 'welcome' });
          return outcome;
        },
      }),
    });
    await register(t, 'alice', 'bob');
    const alice = await loggedIn(t, 'alice');
    const bob = await loggedIn(t, 'bob');
    await t.call(alice, 'room.create', { room: 'tea' });
    await sendAll(t, alice, '#tea', 2);
    await t.call(bob, 'conversation.follow', {});
    await t.call(bob, 'room.join', { room: 'tea' });
    await sendAll(t, alice, '#tea', 1);
    await t.quiet();
    expect(bob.seqs('#tea')).toEqual([3, 4]);
  });

  it('keeps away from a direct conversation that was unfollowed, until it is followed again', async () => {
    const t = await openChat();
    await register(t, 'alice', 'bob');
    const alice = await loggedIn(t, 'alice');
    const bob = await loggedIn(t, 'bob');
    await sendAll(t, alice, '@bob', 1);
    await t.call(bob, 'conversation.follow', {});
    await t.call(bob, 'conversation.unfollow', { to: '@alice' });
    await sendAll(t, alice, '@bob', 1);
    await t.quiet();
    expect(bob.seqs('@alice')).toEqual([]);
    await t.call(bob, 'conversation.follow', { to: '@alice' });
    await sendAll(t, alice, '@bob', 1);
    await t.quiet();
    expect(bob.seqs('@alice')).toEqual([3]);
  });

  it('15.3.6: takes a cursor of any name', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    const cursors = JSON.parse('{"__proto__": 7, "constructor": 8, "#lobby": 0}') as Record<string, number>;
    expect(await t.call(alice, 'conversation.follow', { cursors })).toMatchObject({
      following: [{ to: '#lobby', after: 0 }],
    });
    expect(({} as Record<string, unknown>)['7']).toBeUndefined();
  });
});

describe('the end of a stream', () => {
  it('comes when its reader leaves the room, on all of its connections and on nobody else', async () => {
    const t = await openChat();
    await register(t, 'alice', 'bob');
    const alice = await loggedIn(t, 'alice');
    const bob = await loggedIn(t, 'bob');
    const phone = await loggedIn(t, 'bob');
    await t.call(alice, 'room.create', { room: 'tea' });
    await t.call(bob, 'room.join', { room: 'tea' });
    for (const connection of [alice, bob, phone]) await t.call(connection, 'conversation.follow', {});
    await sendAll(t, alice, '#tea', 1);
    await t.call(phone, 'room.leave', { room: 'tea' });
    await sendAll(t, alice, '#tea', 1);
    await t.quiet();
    expect([alice, bob, phone].map((connection) => connection.seqs('#tea'))).toEqual([[1, 2], [1], [1]]);
    await t.call(phone, 'room.join', { room: 'tea' });
    await sendAll(t, alice, '#tea', 1);
    await t.quiet();
    expect([alice, bob, phone].map((connection) => connection.seqs('#tea'))).toEqual([
      [1, 2, 3],
      [1, 3],
      [1, 3],
    ]);
  });

  it('is not outrun by a follow that was under way when its reader left the room', async () => {
    let meanwhile: (() => Promise<unknown>) | undefined;
    const t = await openChat({
      store: (store) => ({
        ...store,
        async startingSeq(query) {
          const seq = await store.startingSeq(query);
          await meanwhile?.();
          meanwhile = undefined;
          return seq;
        },
      }),
    });
    await register(t, 'alice', 'bob');
    const alice = await loggedIn(t, 'alice');
    await t.call(alice, 'room.create', { room: 'tea' });
    for (const input of [{ to: '#tea', last: 1 }, { last: 1 }]) {
      const bob = await loggedIn(t, 'bob');
      const phone = await loggedIn(t, 'bob');
      await t.call(bob, 'room.join', { room: 'tea' });
      await sendAll(t, alice, '#tea', 1);
      meanwhile = () => t.call(phone, 'room.leave', { room: 'tea' });
      const outcome = t.call(bob, 'conversation.follow', input);
      if ('to' in input) {
        expect(await refusal(outcome)).toEqual({
          code: 'forbidden',
          message: 'you are not in #tea: join it first',
          field: 'to',
        });
      } else expect((await outcome).following).toEqual([{ to: '#lobby', after: 0 }]);
      await sendAll(t, alice, '#tea', 1);
      await t.quiet();
      expect([input, bob.seqs('#tea')]).toEqual([input, []]);
    }
  });

  it('comes with the session: a connection that is logged out is told nothing more', async () => {
    const t = await openChat();
    await register(t, 'alice', 'bob');
    const alice = await loggedIn(t, 'alice');
    const bob = await loggedIn(t, 'bob');
    await t.call(bob, 'conversation.follow', {});
    await t.call(bob, 'session.end', {});
    await sendAll(t, alice, '#lobby', 1);
    await sendAll(t, alice, '@bob', 1);
    await t.quiet();
    expect(bob.told()).toEqual([]);
  });

  it('comes as unavailable when the store fails: a stream with a hole is worse than none', async () => {
    let isBroken = false;
    const t = await openChat({
      store: (store) => ({
        ...store,
        messages: (query) =>
          isBroken
            ? Promise.reject(new ChatError('unavailable', 'the store has failed'))
            : store.messages(query),
      }),
    });
    await register(t, 'alice', 'bob');
    const alice = await loggedIn(t, 'alice');
    const bob = await loggedIn(t, 'bob');
    await t.call(alice, 'conversation.follow', { to: '#lobby' });
    await t.quiet();
    isBroken = true;
    await t.call(bob, 'conversation.follow', { to: '#lobby', after: 0 });
    await t.quiet();
    expect(bob.endings).toEqual(['unavailable']);
    expect(t.failures).toEqual([
      { error: new ChatError('unavailable', 'the store has failed'), errorId: undefined },
    ]);
    // Who needs nothing of the store goes on.
    await sendAll(t, alice, '#lobby', 1);
    await t.quiet();
    expect(alice.seqs('#lobby')).toEqual([1]);
    expect(alice.endings).toEqual([]);
  });
});

describe('a slow reader', () => {
  it('is told that it lags above 1 MiB, is fed from the store, and told when it has caught up', async () => {
    const t = await openChat({ policy: { messagesPerSecond: 0 } });
    await register(t, 'alice', 'bob');
    const alice = await loggedIn(t, 'alice');
    const bob = await loggedIn(t, 'bob');
    for (const connection of [alice, bob]) await t.call(connection, 'conversation.follow', { to: '#lobby' });
    await t.quiet();
    bob.isSlow = true;
    const text = 'x'.repeat(16_384);
    for (let one = 0; one < 100; one++) await t.call(alice, 'message.send', { to: '#lobby', text });
    await t.quiet();
    // One message more than fits, and no more: memory for one reader is bounded.
    const given = bob.seqs('#lobby').length;
    expect(bob.told().map(({ type }) => type)).toEqual([...range(1, given).map(() => 'message'), 'lagging']);
    expect(bob.told('lagging')).toEqual([{ type: 'lagging', to: '#lobby' }]);
    expect(bob.mostQueued).toBeGreaterThan(maxQueuedBytes);
    expect(bob.mostQueued).toBeLessThan(maxQueuedBytes + 20_000);
    expect(alice.seqs('#lobby')).toEqual(range(1, 100));
    bob.isSlow = false;
    bob.drain();
    await t.quiet();
    expect(bob.seqs('#lobby')).toEqual(range(1, 100));
    expect(bob.told().at(-1)).toEqual({ type: 'caught-up', to: '#lobby', seq: 100 });
    await sendAll(t, alice, '#lobby', 1);
    await t.quiet();
    expect(bob.told().at(-1)).toMatchObject({ type: 'message', seq: 101 });
    expect(bob.told('caught-up')).toHaveLength(1);
  });

  it('of many conversations at once is given no more than may wait, and then everything', async () => {
    const t = await openChat({ policy: { messagesPerSecond: 0 } });
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    const reading = await loggedIn(t, 'alice');
    const text = 'x'.repeat(16_000);
    const rooms = range(1, 20).map((index) => `#r${index}`);
    for (const room of rooms) {
      await t.call(alice, 'room.create', { room });
      for (let one = 0; one < 9; one++) await t.call(alice, 'message.send', { to: room, text });
    }
    reading.isSlow = true;
    await t.call(reading, 'conversation.follow', { last: 100 });
    await t.quiet();
    expect(reading.mostQueued).toBeGreaterThan(maxQueuedBytes / 2);
    expect(reading.mostQueued).toBeLessThan(maxQueuedBytes + 20_000);
    // What is said meanwhile waits in the store, and each conversation has its turn: none is through before the others begin.
    for (const room of rooms) await t.call(alice, 'message.send', { to: room, text });
    await t.quiet();
    expect(reading.mostQueued).toBeLessThan(maxQueuedBytes + 20_000);
    reading.drain();
    await t.quiet();
    reading.drain();
    await t.quiet();
    expect(rooms.filter((room) => reading.seqs(room).length > 0)).toHaveLength(20);
    for (let one = 0; one < 20; one++) {
      reading.drain();
      await t.quiet();
    }
    expect(reading.mostQueued).toBeLessThan(maxQueuedBytes + 20_000);
    for (const room of rooms) expect([room, reading.seqs(room)]).toEqual([room, range(1, 10)]);
  });

  it('of many live conversations is given one message more than fits, not one of each', async () => {
    const t = await openChat({ policy: { messagesPerSecond: 0 } });
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    const reading = await loggedIn(t, 'alice');
    const rooms = range(1, 5).map((index) => `#r${index}`);
    for (const room of rooms) await t.call(alice, 'room.create', { room });
    await t.call(reading, 'conversation.follow', {});
    await t.quiet();
    const text = 'x'.repeat(16_000);
    Object.assign(reading, { isSlow: true, queuedBytes: maxQueuedBytes });
    for (const room of rooms) await t.call(alice, 'message.send', { to: room, text });
    await t.quiet();
    expect(reading.mostQueued).toBeLessThan(maxQueuedBytes + 20_000);
    expect(reading.told('message')).toHaveLength(1);
    expect(reading.told('lagging')).toHaveLength(5);
    reading.isSlow = false;
    reading.drain();
    await t.quiet();
    for (const room of rooms) expect(reading.seqs(room)).toEqual([1]);
    expect(reading.told('caught-up')).toHaveLength(5);
  });

  it('that leaves while many conversations wait for their turn is forgotten', async () => {
    const t = await openChat({ policy: { messagesPerSecond: 0 } });
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    const reading = await loggedIn(t, 'alice');
    for (const index of range(1, 20)) await t.call(alice, 'room.create', { room: `r${index}` });
    for (const index of range(1, 20)) await t.call(alice, 'message.send', { to: `#r${index}`, text: 'x' });
    Object.assign(reading, { isSlow: true, queuedBytes: 1 });
    await t.call(reading, 'conversation.follow', { last: 100 });
    await t.quiet();
    reading.leave();
    await t.quiet();
    expect(reading.told()).toEqual([]);
    expect(t.failures).toEqual([]);
  });

  it('at exactly 1 MiB does not lag yet', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    const bob = await loggedIn(t, 'alice');
    await t.call(bob, 'conversation.follow', { to: '#lobby' });
    await t.quiet();
    await sendAll(t, alice, '#lobby', 1);
    await t.quiet();
    const size = bob.pushed[0]?.length ?? 0;
    for (const [queued, lags] of [
      [maxQueuedBytes - size, false],
      [maxQueuedBytes - size + 1, true],
    ] as const) {
      Object.assign(bob, { isSlow: true, queuedBytes: queued });
      await t.call(alice, 'message.send', { to: '#lobby', text: 'text 0' });
      await t.quiet();
      expect([queued, bob.told('lagging').length > 0]).toEqual([queued, lags]);
    }
  });

  it('that leaves while it lags is forgotten', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    const bob = await loggedIn(t, 'alice');
    await t.call(bob, 'conversation.follow', { to: '#lobby' });
    await t.quiet();
    Object.assign(bob, { isSlow: true, queuedBytes: maxQueuedBytes });
    await sendAll(t, alice, '#lobby', 2);
    await t.quiet();
    expect(bob.told().map(({ type }) => type)).toEqual(['message', 'lagging']);
    bob.leave();
    await sendAll(t, alice, '#lobby', 1);
    await t.quiet();
    expect(bob.told()).toHaveLength(2);
    expect(t.failures).toEqual([]);
  });
});
