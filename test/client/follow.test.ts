import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Connection, WireMessage } from '../../src/client/connection.ts';
import { type FollowOptions, type FollowState, follow } from '../../src/client/follow.ts';
import { ChatError, type ErrorCode } from '../../src/core/errors.ts';
import { scriptRandomness } from '../../src/core/random.ts';
import { connectTo, refusal, skip, stopTime, turns, whole } from './support/connected.ts';
import { FakeChat, instantOf } from './support/fake-chat.ts';
import type { Peer } from './support/line-server.ts';

/** A follower that a test reads step by step; what it waits for between two tries is over at once. */
function reader(chat: FakeChat, options: Partial<FollowOptions> = {}) {
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const states: FollowState[] = [];
  const messages = follow({
    open: chat.open,
    targets: ['#lobby'],
    from: { after: 0 },
    signal: stop.signal,
    onState: (state) => {
      states.push(state);
      if (state.kind === 'waiting') skip(state.waitMs);
    },
    ...options,
  });
  /** The next `count` messages as `to:seq`. */
  const take = async (count: number): Promise<string[]> => {
    const taken: string[] = [];
    while (taken.length < count) {
      const next = await messages.next();
      if (next.done) break;
      taken.push(`${next.value.to}:${next.value.seq}`);
    }
    return taken;
  };
  return { messages, take, stop, states };
}

async function started(...counts: number[]): Promise<FakeChat> {
  const chat = await FakeChat.start();
  for (const [index, count] of counts.entries()) fill(chat, index === 0 ? '#lobby' : `#room${index}`, count);
  return chat;
}

function fill(chat: FakeChat, to: string, count: number): void {
  for (let n = 0; n < count; n++) chat.store(to, `text ${n}`);
}

const range = (to: string, first: number, last: number): string[] =>
  Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => `${to}:${first + index}`);

/** Delivers messages until the `count`-th of each connection, then breaks the connection in its place. */
function breakEvery(chat: FakeChat, count: number): void {
  const delivered = new WeakMap<Peer, number>();
  chat.deliver = (message, peer) => {
    const n = (delivered.get(peer) ?? 0) + 1;
    delivered.set(peer, n);
    if (peer.socket.destroyed || peer.socket.writableEnded) return;
    // The reset may overtake what was written: some of it arrives and some does not.
    if (n < count) peer.event('message', message);
    else if (n % 2 === 0) peer.socket.end();
    else peer.socket.resetAndDestroy();
  };
}

describe('following', () => {
  it('gives what is stored, then what comes, whole and in order', async () => {
    const chat = await started(3);
    const { messages, take, states } = reader(chat);
    expect((await messages.next()).value).toEqual({
      to: '#lobby',
      seq: 1,
      id: 'id-lobby-1',
      sender: 'bob',
      sent_at: instantOf(1),
      text: 'text 0',
    });
    expect(await take(2)).toEqual(range('#lobby', 2, 3));
    fill(chat, '#lobby', 2);
    expect(await take(2)).toEqual(range('#lobby', 4, 5));
    expect(states).toEqual([{ kind: 'following' }]);
  });

  it.each<[FollowOptions['from'], object, string[]]>([
    [{ after: 2 }, { after: 2 }, range('#lobby', 3, 6)],
    [{ last: 1 }, { last: 1 }, range('#lobby', 5, 6)],
    [{ since: instantOf(4) }, { since: instantOf(4) }, range('#lobby', 4, 6)],
    [{ after_id: 'id-lobby-1' }, { after_id: 'id-lobby-1' }, range('#lobby', 2, 6)],
    [{ now: true }, {}, range('#lobby', 6, 6)],
  ])('begins from %j, and goes on from there', async (from, params, expected) => {
    const chat = await started(5);
    const { take, states } = reader(chat, { from });
    const taking = take(expected.length);
    await vi.waitFor(() => expect(states).toHaveLength(1), { interval: 1, timeout: 60_000 });
    fill(chat, '#lobby', 1);
    expect(await taking).toEqual(expected);
    expect(chat.params('conversation.follow')).toEqual([{ to: '#lobby', ...params }]);
  });

  it('of several conversations gives each in its own order, and nothing of others', async () => {
    const chat = await started(3, 2, 4);
    chat.deliver = (message, peer) => {
      peer.event('message', { ...message, to: '#elsewhere' });
      peer.event('message', message);
    };
    const { take } = reader(chat, { targets: ['#Room1', '#lobby', '#room1'] });
    const taken = await take(5);
    expect(taken.filter((one) => one.startsWith('#lobby'))).toEqual(range('#lobby', 1, 3));
    expect(taken.filter((one) => one.startsWith('#room1'))).toEqual(range('#room1', 1, 2));
    expect(chat.params('conversation.follow').map(({ to }) => to)).toEqual(['#room1', '#lobby']);
  });

  it('of everything begins with all that is there and takes in what begins later', async () => {
    const chat = await started(2, 1);
    const { take } = reader(chat, { targets: [], from: { last: 1 } });
    expect(await take(2)).toEqual(['#lobby:2', '#room1:1']);
    fill(chat, '@carol', 2);
    fill(chat, '#room1', 1);
    expect(await take(3)).toEqual(['@carol:1', '@carol:2', '#room1:2']);
    expect(chat.params('conversation.follow')).toEqual([{ last: 1 }]);
  });

  it('of a room that was joined later begins with what comes then', async () => {
    const chat = await started(1);
    const { take } = reader(chat, { targets: [], from: { last: 1 } });
    expect(await take(1)).toEqual(['#lobby:1']);
    const { deliver } = chat;
    chat.deliver = () => {};
    fill(chat, '#joined', 9);
    chat.deliver = deliver;
    fill(chat, '#joined', 2);
    expect(await take(2)).toEqual(range('#joined', 10, 11));
  });

  it('takes events that overtake the answer that says where they begin', async () => {
    const chat = await started(0);
    chat.onCall = (request, peer) => {
      if (request.method !== 'conversation.follow') return 'serve';
      for (const message of [4, 5].map((seq) => ({ ...stored(seq), seq }))) peer.event('message', message);
      peer.result(request, { following: [{ to: '#lobby', after: 4 }], at: instantOf(0) });
      return 'ignore';
    };
    expect(await reader(chat, { from: { last: 0 } }).take(1)).toEqual(['#lobby:5']);
  });

  it('drops what it has given already', async () => {
    const chat = await started(3);
    chat.deliver = (message, peer) => {
      peer.event('message', message);
      peer.event('message', message);
      const [first] = chat.log.get('#lobby') ?? [];
      if (first) peer.event('message', first);
    };
    const { take, messages } = reader(chat);
    expect(await take(3)).toEqual(range('#lobby', 1, 3));
    fill(chat, '#lobby', 1);
    expect(await take(1)).toEqual(['#lobby:4']);
    await messages.return();
  });

  const stored = (seq: number): WireMessage => ({
    to: '#lobby',
    seq,
    id: `id-${seq}`,
    sender: 'bob',
    sent_at: instantOf(seq),
    text: 'x',
  });
});

describe('a follower that knows where it was', () => {
  it('goes on there, begins the others as told, and says after what they begin', async () => {
    const chat = await started(4, 4);
    const starts: object[] = [];
    const { take } = reader(chat, {
      targets: ['#lobby', '#room1'],
      from: { last: 1 },
      cursors: new Map([['#lobby', 2]]),
      onStarts: (begun) => starts.push(Object.fromEntries(begun)),
    });
    expect((await take(3)).toSorted()).toEqual([...range('#lobby', 3, 4), '#room1:4']);
    expect(chat.params('conversation.follow')).toEqual([
      { to: '#lobby', after: 2 },
      { to: '#room1', last: 1 },
    ]);
    expect(starts).toEqual([{ '#room1': 3 }]);
  });

  it('of everything too, and says so when nothing begins', async () => {
    const chat = await started(3, 2);
    const starts: object[] = [];
    const onStarts = (begun: ReadonlyMap<string, number>) => starts.push(Object.fromEntries(begun));
    const cursors = new Map([['#lobby', 2]]);
    const everything = { targets: [], from: { last: 0 }, onStarts };
    expect(await reader(chat, { ...everything, cursors }).take(1)).toEqual(['#lobby:3']);
    cursors.set('#room1', 1);
    expect((await reader(chat, { ...everything, cursors }).take(2)).toSorted()).toEqual([
      '#lobby:3',
      '#room1:2',
    ]);
    expect(chat.params('conversation.follow')).toEqual([
      { cursors: { '#lobby': 2 }, last: 0 },
      { cursors: { '#lobby': 2, '#room1': 1 }, last: 0 },
    ]);
    expect(starts).toEqual([{ '#room1': 2 }, {}]);
    expect(cursors).toEqual(
      new Map([
        ['#lobby', 2],
        ['#room1', 1],
      ]),
    );
  });

  const joinLater = (chat: FakeChat, before: number, after: number) => {
    const { deliver } = chat;
    chat.deliver = () => {};
    fill(chat, '#joined', before);
    chat.deliver = deliver;
    fill(chat, '#joined', after);
  };

  it('and wants what is joined later whole gets it from its first message', async () => {
    const chat = await started(1);
    const { take } = reader(chat, { targets: [], from: { last: 1 }, wholeLater: true });
    expect(await take(1)).toEqual(['#lobby:1']);
    joinLater(chat, 9, 3);
    expect(await take(12)).toEqual(range('#joined', 1, 12));
    fill(chat, '#joined', 1);
    fill(chat, '@carol', 2);
    expect(await take(3)).toEqual(['#joined:13', '@carol:1', '@carol:2']);
    expect(chat.params('conversation.follow')).toEqual([{ last: 1 }, { to: '#joined', after: 0 }]);
  });

  it('finds a gap in what it asked for from the beginning', async () => {
    stopTime();
    const chat = await started(1);
    const { take, states } = reader(chat, { targets: [], from: { last: 1 }, wholeLater: true });
    await take(1);
    joinLater(chat, 4, 1);
    const { deliver } = chat;
    let skips = 1;
    chat.deliver = (message, peer) => {
      if (message.seq !== 2 || skips-- <= 0) deliver(message, peer);
    };
    expect(await take(5)).toEqual(range('#joined', 1, 5));
    expect(states).toContainEqual({
      kind: 'waiting',
      waitMs: expect.any(Number),
      cause: expect.objectContaining({
        message: expect.stringMatching(/^the server skipped message 2 of #joined/),
      }),
    });
  });

  it('and wants what comes later whole asks for it from its beginning after a lost connection too', async () => {
    stopTime();
    const chat = await started(1);
    const { take } = reader(chat, { targets: [], from: { last: 1 }, wholeLater: true });
    expect(await take(1)).toEqual(['#lobby:1']);
    const peer = await chat.server.peer();
    peer.socket.destroy();
    await peer.closed;
    joinLater(chat, 2, 1);
    expect(await take(3)).toEqual(range('#joined', 1, 3));
    expect(chat.params('conversation.follow').at(-1)).toEqual({
      cursors: { '#lobby': 1 },
      since: '1970-01-01T00:00:00.000Z',
    });
  });

  it.each<ErrorCode>(['forbidden', 'not-found'])(
    'does without what was joined and left again at once (%s)',
    async (code) => {
      const chat = await started(1);
      const { take } = reader(chat, { targets: [], from: { last: 1 }, wholeLater: true });
      await take(1);
      chat.onCall = ({ params }) => (params.to === '#joined' ? { code, message: 'no' } : 'serve');
      joinLater(chat, 3, 1);
      fill(chat, '#lobby', 1);
      expect(await take(1)).toEqual(['#lobby:2']);
    },
  );

  it('ends with any other error of asking from the beginning', async () => {
    const chat = await started(1);
    const { take } = reader(chat, { targets: [], from: { last: 1 }, wholeLater: true });
    await take(1);
    chat.onCall = ({ params }) => (params.to === '#joined' ? { code: 'internal', message: 'no' } : 'serve');
    joinLater(chat, 3, 1);
    expect(whole(await refusal(take(1)))).toEqual({ code: 'internal', text: 'no' });
  });
});

describe('a follower whose connection is lost', () => {
  it.each([1, 2, 3, 4, 7, 20])(
    'again and again, with at most %i messages at a time, has no gap and no repeat',
    async (count) => {
      stopTime();
      const chat = await started(40);
      // A connection that gives nothing at all would never end: one message gets through.
      breakEvery(chat, count + 1);
      const { take, states } = reader(chat);
      const taking = take(45);
      await vi.waitFor(() => expect(states).toContainEqual({ kind: 'following' }), {
        interval: 1,
        timeout: 60_000,
      });
      fill(chat, '#lobby', 5);
      expect(await taking).toEqual(range('#lobby', 1, 45));
    },
  );

  it('goes on after its last message, and does not ask for what it had', async () => {
    stopTime();
    onTestFinished(scriptRandomness((length) => new Uint8Array(length)));
    const chat = await started(3);
    const { take, states } = reader(chat, { from: { last: 2 } });
    expect(await take(2)).toEqual(range('#lobby', 2, 3));
    const peer = await chat.server.peer();
    peer.socket.end();
    await peer.closed;
    fill(chat, '#lobby', 1);
    expect(await take(1)).toEqual(['#lobby:4']);
    expect(chat.params('conversation.follow')).toEqual([
      { to: '#lobby', last: 2 },
      { to: '#lobby', after: 3 },
    ]);
    await vi.waitFor(() => expect(states).toHaveLength(3), { interval: 1, timeout: 60_000 });
    expect(states).toEqual([
      { kind: 'following' },
      { kind: 'waiting', waitMs: 100, cause: expect.objectContaining({ code: 'unavailable' }) },
      { kind: 'following' },
    ]);
  });

  it('begins anew where it was to begin when it never got as far as an answer', async () => {
    stopTime();
    const chat = await started(3);
    let losses = 2;
    chat.afterCall = (request, peer) => {
      if (request.method !== 'conversation.follow' || losses === 0) return true;
      losses -= 1;
      peer.socket.destroy();
      return false;
    };
    expect(await reader(chat, { from: { last: 2 } }).take(2)).toEqual(range('#lobby', 2, 3));
    expect(chat.params('conversation.follow')).toEqual(Array(3).fill({ to: '#lobby', last: 2 }));
  });

  it('of everything names its cursors, and takes whole what began while it was away', async () => {
    stopTime();
    const chat = await started(2, 1);
    const { take } = reader(chat, { targets: [], from: { now: true } });
    const first = take(1);
    await vi.waitFor(() => expect(chat.params('conversation.follow')).toHaveLength(1), {
      interval: 1,
      timeout: 60_000,
    });
    fill(chat, '#lobby', 1);
    expect(await first).toEqual(['#lobby:3']);
    const peer = await chat.server.peer();
    peer.socket.destroy();
    await peer.closed;
    chat.log.set(
      '@carol',
      [1, 2].map((seq) => ({ ...chat.store('#x', 'x'), to: '@carol', seq, sent_at: instantOf(86_000) })),
    );
    chat.log.delete('#x');
    expect(await take(2)).toEqual(range('@carol', 1, 2));
    // A minute before the list was made, for a message that was on its way then.
    expect(chat.params('conversation.follow')).toEqual([
      {},
      { cursors: { '#lobby': 3, '#room1': 1 }, since: '2026-01-02T11:59:00.000Z' },
    ]);
  });

  it('waits longer from failure to failure, and starts afresh after a message', async () => {
    stopTime();
    onTestFinished(scriptRandomness((length) => new Uint8Array(length)));
    const chat = await started(1);
    let failures = 3;
    const open = async (): Promise<Connection> => {
      if (failures-- > 0) throw new ChatError('unavailable', 'gone');
      return await chat.open();
    };
    const { take, states } = reader(chat, { open });
    await take(1);
    failures = 1;
    const peer = await chat.server.peer();
    peer.socket.destroy();
    await peer.closed;
    fill(chat, '#lobby', 1);
    expect(await take(1)).toEqual(['#lobby:2']);
    expect(states.flatMap((state) => (state.kind === 'waiting' ? [state.waitMs] : []))).toEqual([
      100, 200, 400, 100, 200,
    ]);
  });

  it.each<ErrorCode>(['unavailable', 'rate-limited', 'timeout'])(
    'by %s, at any call, tries again',
    async (code) => {
      stopTime();
      const chat = await started(1);
      const failing = new Set(['login.resume', 'conversation.follow']);
      chat.onCall = ({ method }) => (failing.delete(method) ? { code, retry_after_ms: 3_000 } : 'serve');
      const { take, states } = reader(chat);
      expect(await take(1)).toEqual(['#lobby:1']);
      const waits = states.filter((state) => state.kind === 'waiting');
      expect(waits.map(({ cause, waitMs }) => [cause.code, waitMs])).toEqual(Array(2).fill([code, 3_000]));
    },
  );

  it.each<ErrorCode>([
    'unauthenticated',
    'forbidden',
    'not-found',
    'invalid',
    'untrusted',
    'internal',
    'unsupported',
  ])('by %s while it connects ends with that', async (code) => {
    const chat = await started(1);
    chat.onCall = ({ method }) => (method === 'login.resume' ? { code, message: 'no' } : 'serve');
    expect(whole(await refusal(reader(chat).take(1)))).toEqual({ code, text: 'no' });
  });

  it.each<ErrorCode>(['forbidden', 'not-found', 'invalid', 'internal'])(
    'because following is refused as %s ends with that, after what came before',
    async (code) => {
      const chat = await started(2, 1);
      chat.onCall = ({ params }) => (params.to === '#room1' ? { code, message: 'no' } : 'serve');
      const { take } = reader(chat, { targets: ['#lobby', '#room1'] });
      expect(whole(await refusal(take(3)))).toEqual({ code, text: 'no' });
      await (await chat.server.peer()).closed;
    },
  );

  it('because its session ended connects once more: it may have been renewed', async () => {
    stopTime();
    const chat = await started(1);
    const ends: (string | undefined)[] = [];
    const { take, states } = reader(chat, {
      open: (sessionEnd) => {
        ends.push(sessionEnd?.message.replace(/^.*: the/, 'the'));
        return chat.open();
      },
    });
    expect(await take(1)).toEqual(['#lobby:1']);
    (await chat.server.peer()).event('session-ended', { reason: 'replaced' });
    const second = take(1);
    const peer = await chat.server.peer();
    await vi.waitFor(() => expect(states).toHaveLength(2), { interval: 1, timeout: 60_000 });
    peer.event('session-ended', { reason: 'revoked' });
    expect((await refusal(second)).code).toBe('unauthenticated');
    expect(chat.server.connections).toBe(2);
    expect(ends).toEqual([undefined, 'the session has ended: another login took its place']);
  });
});

describe('a server that skips a message', () => {
  it('is asked for it on a new connection', async () => {
    stopTime();
    const chat = await started(5);
    const { deliver } = chat;
    let skips = 2;
    chat.deliver = (message, peer) => {
      if (message.seq === 3 && skips > 0) skips -= 1;
      else deliver(message, peer);
    };
    const { take } = reader(chat);
    expect(await take(5)).toEqual(range('#lobby', 1, 5));
    expect(chat.params('conversation.follow').map(({ after }) => after)).toEqual([0, 2, 2]);
  });

  it('for ever is reported after five tries, never passed over', async () => {
    stopTime();
    const chat = await started(5);
    const { deliver } = chat;
    chat.deliver = (message, peer) => {
      if (message.seq !== 3) deliver(message, peer);
    };
    const { take, states } = reader(chat);
    expect(await take(2)).toEqual(range('#lobby', 1, 2));
    expect(whole(await refusal(take(1)))).toEqual({
      code: 'internal',
      text: 'the server skipped message 3 of #lobby, and has done so 5 times',
    });
    expect(states.flatMap((state) => (state.kind === 'waiting' ? [state.cause.message] : []))).toEqual(
      Array(4).fill('the server skipped message 3 of #lobby: asking for it again'),
    );
  });
});

describe('a follower that is told to stop', () => {
  it('before it begins opens nothing', async () => {
    const chat = await started(1);
    expect(await reader(chat, { signal: AbortSignal.abort() }).take(1)).toEqual([]);
    expect(chat.server.connections).toBe(0);
  });

  it('while it waits for a message ends quietly and hangs up', async () => {
    const chat = await started(1);
    const { take, stop } = reader(chat);
    expect(await take(1)).toEqual(['#lobby:1']);
    const waiting = take(1);
    await turns();
    stop.abort();
    expect(await waiting).toEqual([]);
    await (await chat.server.peer()).closed;
  });

  it('while messages wait for it gives no more of them', async () => {
    const chat = await started(5);
    const { take, stop } = reader(chat);
    expect(await take(1)).toEqual(['#lobby:1']);
    stop.abort();
    expect(await take(1)).toEqual([]);
  });

  it('while it connects ends at once, and hangs up what comes later', async () => {
    const chat = await started(1);
    const gate = Promise.withResolvers<void>();
    const open = async (): Promise<Connection> => {
      await gate.promise;
      return await connectTo(chat.server);
    };
    const { take, stop } = reader(chat, { open });
    const taking = take(1);
    await turns();
    stop.abort();
    expect(await taking).toEqual([]);
    gate.resolve();
    await (await chat.server.peer()).closed;
  });

  it('while it waits for its next try ends at once', async () => {
    stopTime();
    const chat = await started(1);
    const open = async (): Promise<Connection> => {
      throw new ChatError('unavailable', 'gone');
    };
    const { take, stop } = reader(chat, { open, onState: () => stop.abort() });
    expect(await take(1)).toEqual([]);
  });

  it('by leaving its loop hangs up', async () => {
    const chat = await started(2);
    for await (const { seq } of reader(chat).messages) {
      expect(seq).toBe(1);
      break;
    }
    await (await chat.server.peer()).closed;
  });
});

describe('a follower that is asked for what cannot be', () => {
  it.each<[string, Partial<FollowOptions>, string]>([
    ['a name that is none', { targets: ['lobby'] }, 'to'],
    ['a room that cannot be', { targets: ['#no room'] }, 'to'],
    ['a position in everything', { targets: [], from: { after: 3 } }, 'from'],
    ['a message in everything', { targets: [], from: { after_id: 'x' } }, 'from'],
  ])('(%s) refuses before it connects', async (_, options, field) => {
    const chat = await started(1);
    const error = await refusal(reader(chat, options).take(1));
    expect([error.code, error.details]).toEqual(['invalid', { field }]);
    expect(chat.server.connections).toBe(0);
  });
});

describe('a follower that reads slowly', () => {
  const big = 'x'.repeat(16_000);

  it('leaves the rest in the socket and in the server, and misses nothing', async () => {
    const chat = await FakeChat.start();
    const count = 2_000;
    for (let n = 0; n < count; n++) chat.store('#lobby', big);
    const { take } = reader(chat);
    expect(await take(1)).toEqual(['#lobby:1']);
    const { socket } = await chat.server.peer();
    await turns(200);
    // Of 32 MB, what neither the follower nor the kernel's buffers took.
    expect(socket.writableLength).toBeGreaterThan(8_000_000);
    expect(await take(count - 1)).toEqual(range('#lobby', 2, count));
    expect(socket.writableLength).toBe(0);
  });

  it('is not stuck when the answer about one conversation stands behind the messages of another', async () => {
    const chat = await FakeChat.start();
    for (let n = 0; n < 200; n++) chat.store('#lobby', big);
    fill(chat, '#room1', 3);
    const { take } = reader(chat, { targets: ['#lobby', '#room1'] });
    expect(await take(203)).toEqual([...range('#lobby', 1, 200), ...range('#room1', 1, 3)]);
  });
});
