import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RoomName } from '../../src/core/model/conversation-name.ts';
import type { MessageId } from '../../src/core/model/ids.ts';
import { parseUsername } from '../../src/core/model/username.ts';
import { feedPageRows, readMarkIntervalMs } from '../../src/core/policy.ts';
import type { Store } from '../../src/core/ports/store.ts';
import { uuidV7 } from '../../src/core/random.ts';
import {
  FakePeer,
  loggedIn,
  logInFirst,
  openChat,
  peer,
  refusal,
  register,
  type TestChat,
} from './support/chat.ts';

const start = Date.parse('2026-03-01T12:00:00.000Z');

beforeEach(() => {
  vi.useFakeTimers({ now: start });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A chat in which alice and bob have accounts, and bob talks. */
async function open(parts: Parameters<typeof openChat>[0] = {}) {
  const t = await openChat(parts);
  await register(t, 'alice', 'bob');
  const bob = await loggedIn(t, 'bob');
  /** Says something a second after what was said before. */
  const say = async (to: string, text: string, from: FakePeer = bob) => {
    vi.setSystemTime(Date.now() + 1_000);
    await t.call(from, 'message.send', { to, text });
  };
  return { t, bob, say };
}

/** What a connection was told, as `to text`. */
function texts(connection: FakePeer): string[] {
  return connection.told('message').map(({ to, text }) => `${to} ${text}`);
}

async function readSeq(t: TestChat, username: string, to: string): Promise<number | undefined> {
  const account = await t.store.account(parseUsername(username));
  const views = account ? await t.store.conversations({ userId: account.id }) : [];
  return views.find(({ ref }) => (ref.kind === 'room' ? `#${ref.room}` : `@${ref.peer}`) === to)?.readSeq;
}

describe('conversation.catch-up', () => {
  it('tells what was missed of the lobby and of private conversations, oldest first over all, then goes on live', async () => {
    const { t, say } = await open();
    await say('#lobby', 'one');
    await say('@alice', 'two');
    await say('#lobby', 'three');
    await say('@alice', 'four');
    const alice = await loggedIn(t, 'alice');
    const answer = await t.call(alice, 'conversation.catch-up', {});
    expect(answer).toEqual({
      missed: 4,
      following: [
        { to: '#lobby', after: 2 },
        { to: '@bob', after: 2 },
      ],
      at: new Date(Date.now()).toISOString(),
    });
    expect(texts(alice)).toEqual(['#lobby one', '@bob two', '#lobby three', '@bob four']);
    await say('@alice', 'five');
    await say('#lobby', 'six');
    await t.quiet();
    expect(texts(alice).slice(4)).toEqual(['@bob five', '#lobby six']);
  });

  it('tells a new account nothing of what was said before it', async () => {
    const { t, say } = await open();
    await say('#lobby', 'before');
    await register(t, 'carol');
    const carol = await loggedIn(t, 'carol');
    expect(await t.call(carol, 'conversation.catch-up', {})).toMatchObject({ missed: 0 });
    expect(texts(carol)).toEqual([]);
  });

  it.each([
    [0, []],
    [1, ['#lobby 105']],
    [100, Array.from({ length: 100 }, (_, index) => `#lobby ${index + 6}`)],
    [106, Array.from({ length: 105 }, (_, index) => `#lobby ${index + 1}`)],
  ])('tells at most the last %i of the lobby, and all that is private', async (last, expected) => {
    const { t, say } = await open();
    for (let number = 1; number <= 105; number++) await say('#lobby', String(number));
    for (let number = 1; number <= 205; number++) await say('@alice', String(number));
    const alice = await loggedIn(t, 'alice');
    expect(await t.call(alice, 'conversation.catch-up', { last })).toMatchObject({
      missed: expected.length + 205,
    });
    expect(texts(alice).filter((text) => text.startsWith('#'))).toEqual(expected);
    expect(texts(alice).filter((text) => text.startsWith('@'))).toEqual(
      Array.from({ length: 205 }, (_, index) => `@bob ${index + 1}`),
    );
  });

  it('keeps the order of each conversation when a clock was set back', async () => {
    const { t, say } = await open();
    await say('@alice', 'one');
    vi.setSystemTime(start - 60_000);
    await say('@alice', 'two');
    await say('#lobby', 'three');
    const alice = await loggedIn(t, 'alice');
    await t.call(alice, 'conversation.catch-up', {});
    expect(texts(alice)).toEqual(['#lobby three', '@bob one', '@bob two']);
  });

  it('leaves out other rooms, missed and live, those joined later too', async () => {
    const { t, bob, say } = await open();
    await t.call(bob, 'room.create', { room: 'dev' });
    const alice = await loggedIn(t, 'alice');
    await t.call(alice, 'room.join', { room: 'dev' });
    await say('#dev', 'missed');
    await t.call(alice, 'conversation.catch-up', {});
    await t.call(bob, 'room.create', { room: 'ops' });
    await t.call(alice, 'room.join', { room: 'ops' });
    await say('#dev', 'live');
    await say('#ops', 'live');
    await say('#lobby', 'public');
    await t.quiet();
    expect(texts(alice)).toEqual(['#lobby public']);
    expect(await readSeq(t, 'alice', '#dev')).toBe(0);
  });

  it('goes on with a private conversation that begins later, or while the list is read', async () => {
    let whileListing: (() => Promise<void>) | undefined;
    const { t, say } = await open({
      store: (store): Store => ({
        ...store,
        async conversations(query) {
          const views = await store.conversations(query);
          const run = whileListing;
          whileListing = undefined;
          await run?.();
          return views;
        },
      }),
    });
    await register(t, 'carol');
    const carol = await loggedIn(t, 'carol');
    const alice = await loggedIn(t, 'alice');
    whileListing = () => say('@alice', 'meanwhile');
    await t.call(alice, 'conversation.catch-up', {});
    await say('@alice', 'later', carol);
    await t.quiet();
    expect(texts(alice).toSorted()).toEqual(['@bob meanwhile', '@carol later']);
  });

  it('misses nothing and repeats nothing that is said while it reads', async () => {
    const { t, bob, say } = await open();
    for (let number = 1; number <= feedPageRows + 20; number++) await say('@alice', String(number));
    const alice = await loggedIn(t, 'alice');
    const done = t.call(alice, 'conversation.catch-up', {});
    for (let number = feedPageRows + 21; number <= feedPageRows + 60; number++) {
      await t.call(bob, 'message.send', { to: '@alice', text: String(number) });
    }
    await done;
    await t.quiet();
    expect(texts(alice)).toEqual(
      Array.from({ length: feedPageRows + 60 }, (_, index) => `@bob ${index + 1}`),
    );
  });

  it('waits for a slow connection, so that little waits in memory', async () => {
    const { t, say } = await open();
    const text = 'x'.repeat(10_000);
    for (let number = 1; number <= 3 * feedPageRows; number++) await say('@alice', text);
    const alice = await loggedIn(t, 'alice');
    alice.isSlow = true;
    const done = t.call(alice, 'conversation.catch-up', {});
    let isDone = false;
    void done.then(() => {
      isDone = true;
    });
    while (!isDone) {
      await t.quiet();
      alice.drain();
    }
    expect(await done).toMatchObject({ missed: 3 * feedPageRows });
    expect(alice.mostQueued).toBeLessThan(1.1 * feedPageRows * text.length);
  });

  it('says whose message to whom: both ends of a private one, and oneself', async () => {
    const { t, say } = await open();
    const alice = await loggedIn(t, 'alice');
    await say('@bob', 'to bob', alice);
    await say('@alice', 'to alice');
    await say('@alice', 'to myself', alice);
    const recipients: unknown[] = [];
    const listening = new FakePeer({
      events: {
        name: 'recipients',
        encode(events) {
          for (const event of events) {
            if (event.type === 'message') recipients.push([event.to, event.sender, event.recipient]);
          }
          return new Uint8Array(1);
        },
      },
    });
    await t.call(listening, 'login.resume', { session_token: alice.opened.session_token });
    await t.call(listening, 'conversation.catch-up', {});
    await say('#lobby', 'to all');
    await t.quiet();
    await say('@alice', 'live');
    await t.quiet();
    expect(recipients).toEqual([
      ['@bob', 'alice', 'bob'],
      ['@bob', 'bob', 'alice'],
      ['@alice', 'alice', 'alice'],
      ['#lobby', 'bob', undefined],
      ['@bob', 'bob', 'alice'],
    ]);
  });

  it('needs a session and a connection that can be pushed to', async () => {
    const { t } = await open();
    expect(await refusal(t.call(peer(), 'conversation.catch-up', {}))).toEqual(logInFirst);
    const deaf = await loggedIn(t, 'alice', { events: null });
    expect(await refusal(t.call(deaf, 'conversation.catch-up', {}))).toEqual({
      code: 'unsupported',
      message: 'this connection cannot be pushed to',
    });
    for (const last of [-1, 1_001, 1.5]) {
      expect(await refusal(t.call(deaf, 'conversation.catch-up', { last }))).toMatchObject({
        code: 'invalid',
        field: 'last',
      });
    }
  });

  it('ends with the session: one that is revoked meanwhile is told no more', async () => {
    const { t, say } = await open();
    for (let number = 1; number <= 2 * feedPageRows; number++) await say('@alice', String(number));
    const alice = await loggedIn(t, 'alice');
    const other = await loggedIn(t, 'alice');
    alice.isSlow = true;
    const done = refusal(t.call(alice, 'conversation.catch-up', {}));
    await t.quiet();
    await t.call(other, 'session.revoke', { id: alice.opened.session_id });
    expect(await done).toMatchObject({ code: 'unauthenticated' });
    expect(texts(alice)).toHaveLength(feedPageRows);
  });
});

describe('what a connection that catches up has taken', () => {
  it('counts as read when it goes, so that the next login is told the rest alone', async () => {
    const { t, say } = await open();
    await say('#lobby', 'one');
    await say('@alice', 'two');
    const first = await loggedIn(t, 'alice');
    await t.call(first, 'conversation.catch-up', {});
    await say('#lobby', 'three');
    await t.quiet();
    first.leave();
    await t.quiet();
    expect([await readSeq(t, 'alice', '#lobby'), await readSeq(t, 'alice', '@bob')]).toEqual([2, 1]);
    await say('#lobby', 'four');
    const second = await loggedIn(t, 'alice');
    await t.call(second, 'conversation.catch-up', {});
    expect(texts(second)).toEqual(['#lobby four']);
  });

  it('counts as read every 30 s while it stays', async () => {
    const { t, say } = await open();
    await say('#lobby', 'one');
    const alice = await loggedIn(t, 'alice');
    await t.call(alice, 'conversation.catch-up', {});
    await t.quiet();
    expect(await readSeq(t, 'alice', '#lobby')).toBe(0);
    vi.advanceTimersByTime(readMarkIntervalMs);
    await t.quiet();
    expect(await readSeq(t, 'alice', '#lobby')).toBe(1);
  });

  it('is not counted beyond what it took: what still waited when it went is told again', async () => {
    const { t, say } = await open();
    const alice = await loggedIn(t, 'alice');
    await t.call(alice, 'conversation.catch-up', {});
    await say('#lobby', 'one');
    await t.quiet();
    alice.isSlow = true;
    await say('#lobby', 'two');
    await say('#lobby', 'three');
    await t.quiet();
    expect(texts(alice)).toHaveLength(3);
    alice.leave();
    await t.quiet();
    expect(await readSeq(t, 'alice', '#lobby')).toBe(1);
  });

  it('is counted when a slow connection has taken it after all', async () => {
    const { t, say } = await open();
    const alice = await loggedIn(t, 'alice');
    await t.call(alice, 'conversation.catch-up', {});
    alice.isSlow = true;
    await say('#lobby', 'one');
    await say('#lobby', 'two');
    await t.quiet();
    alice.drain();
    await t.quiet();
    alice.leave();
    await t.quiet();
    expect(await readSeq(t, 'alice', '#lobby')).toBe(2);
  });

  it('is counted when a connection that closes in order takes its last words while it goes', async () => {
    const { t, say } = await open();
    const alice = await loggedIn(t, 'alice');
    await t.call(alice, 'conversation.catch-up', {});
    alice.isSlow = true;
    await say('#lobby', 'one');
    await t.quiet();
    // What unfollowing at the end does; the rest is the connection's.
    await t.call(alice, 'session.end', {});
    await t.quiet();
    expect(await readSeq(t, 'alice', '#lobby')).toBe(0);
    alice.drain();
    await t.quiet();
    expect(await readSeq(t, 'alice', '#lobby')).toBe(1);
  });

  it('is written once, not for each message, and not when nothing came', async () => {
    const marks: unknown[] = [];
    const { t, say } = await open({
      store: (store): Store => ({
        ...store,
        markRead(mark) {
          marks.push(mark.seq);
          return store.markRead(mark);
        },
      }),
    });
    const alice = await loggedIn(t, 'alice');
    await t.call(alice, 'conversation.catch-up', {});
    for (let number = 1; number <= 20; number++) await say('#lobby', String(number));
    await t.quiet();
    vi.advanceTimersByTime(3 * readMarkIntervalMs);
    alice.leave();
    await t.quiet();
    expect(marks).toEqual([20]);
  });

  it('a marker that cannot be written is reported and harms nobody', async () => {
    let isBroken = false;
    const { t, say } = await open({
      store: (store): Store => ({
        ...store,
        markRead: (mark) => (isBroken ? Promise.reject(new Error('the disk is full')) : store.markRead(mark)),
      }),
    });
    const alice = await loggedIn(t, 'alice');
    await t.call(alice, 'conversation.catch-up', {});
    await say('#lobby', 'one');
    await t.quiet();
    isBroken = true;
    alice.leave();
    await t.quiet();
    expect(t.failures.map(({ error }) => (error as Error).message)).toEqual(['the disk is full']);
  });

  it('does not count for one who follows otherwise', async () => {
    const { t, say } = await open();
    const alice = await loggedIn(t, 'alice');
    await t.call(alice, 'conversation.follow', {});
    await say('#lobby', 'one');
    await t.quiet();
    alice.leave();
    await t.quiet();
    expect(await readSeq(t, 'alice', '#lobby')).toBe(0);
  });
});

describe('a catch-up over many conversations', () => {
  it('merges them by time, page by page', async () => {
    const { t } = await open();
    const names = Array.from({ length: 30 }, (_, index) => `user${index}`);
    const verifier = (await t.store.credential(parseUsername('bob')))?.verifier;
    if (!verifier) throw new Error('bob has an account');
    const expected: string[] = [];
    for (const name of names) {
      const id = uuidV7() as never;
      const username = parseUsername(name);
      await t.store.createAccount({
        account: {
          id,
          username,
          email: null,
          emailVerifiedAt: null,
          privacy: 'open',
          isAdmin: false,
          disabledAt: null,
          hasSecondFactor: false,
          createdAt: start,
        },
        verifier,
      });
    }
    for (let round = 0; round < 7; round++) {
      for (const [index, name] of names.entries()) {
        const username = parseUsername(name);
        const account = await t.store.account(username);
        if (!account) throw new Error('it was just made');
        // Each conversation at another pace.
        const sentAt = start + round * (index + 1) * 1_000 + index;
        expected.push(`${String(sentAt)} @${name} ${round}`);
        await t.store.appendMessage({
          id: uuidV7() as MessageId,
          senderId: account.id,
          sender: username,
          to: { kind: 'direct', peer: parseUsername('alice') },
          key: undefined,
          sentAt,
          body: { text: String(round) },
        });
      }
    }
    const alice = await loggedIn(t, 'alice');
    expect(await t.call(alice, 'conversation.catch-up', {})).toMatchObject({ missed: 210 });
    const sorted = expected.toSorted((one, other) => Number.parseInt(one, 10) - Number.parseInt(other, 10));
    expect(texts(alice)).toEqual(sorted.map((line) => line.slice(line.indexOf(' ') + 1)));
  });

  it('reads nothing of a conversation in which nothing was missed', async () => {
    const asked: number[] = [];
    const { t, say } = await open({
      store: (store): Store => ({
        ...store,
        messages(query) {
          asked.push(query.limit);
          return store.messages(query);
        },
      }),
    });
    await t.store.createRoom({
      room: 'dev' as RoomName,
      by: (await t.store.account(parseUsername('bob')))?.id ?? ('' as never),
      now: start,
    });
    await say('@alice', 'one');
    const alice = await loggedIn(t, 'alice');
    asked.length = 0;
    await t.call(alice, 'conversation.catch-up', {});
    // One page and the end of the private conversation; the rest is the live stream's own look.
    expect(asked.slice(0, 2)).toEqual([feedPageRows, feedPageRows]);
    await t.quiet();
    expect(asked).toHaveLength(4);
  });
});
