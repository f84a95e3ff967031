import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Connection } from '../../src/client/connection.ts';
import { sendMany, sendReliably } from '../../src/client/send.ts';
import { ChatError } from '../../src/core/errors.ts';
import { scriptRandomness } from '../../src/core/random.ts';
import { refusal, skip, stopTime, whole } from './support/connected.ts';
import { FakeChat, instantOf } from './support/fake-chat.ts';
import type { FailureData } from './support/line-server.ts';

const message = { to: '#lobby', text: 'hi', key: 'K', timeoutMs: 30_000 };

/** Waits become as short as they can be: 100 ms, 200 ms … */
function withoutChance(): void {
  onTestFinished(scriptRandomness((length) => new Uint8Array(length)));
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Hears of retries, and lets each wait be over at once. */
function skippingRetries() {
  return vi.fn((_cause: ChatError, waitMs: number) => skip(waitMs));
}

async function* lines(count: number): AsyncGenerator<{ text: string; key: string }> {
  for (let n = 1; n <= count; n++) yield { text: `line ${n}`, key: `K.${n}` };
}
const texts = (count: number): string[] => Array.from({ length: count }, (_, index) => `line ${index + 1}`);

describe('sending one message', () => {
  it('answers where it was stored, and leaves no connection behind', async () => {
    const chat = await FakeChat.start();
    const stored = await sendReliably({ ...message, open: chat.open });
    expect(stored).toEqual({ id: 'id-lobby-1', seq: 1, sent_at: instantOf(1) });
    expect(chat.params('message.send')).toEqual([{ to: '#lobby', text: 'hi', key: 'K' }]);
    await (await chat.server.peer()).closed;
  });

  it('whose answer was lost asks again under the same key, and is stored once', async () => {
    stopTime();
    withoutChance();
    const chat = await FakeChat.start();
    let losses = 2;
    chat.afterCall = (request, peer) => {
      if (request.method !== 'message.send' || losses === 0) return true;
      losses -= 1;
      peer.socket.destroy();
      return false;
    };
    const onRetry = skippingRetries();
    const stored = await sendReliably({ ...message, open: chat.open, onRetry });
    expect(stored.seq).toBe(1);
    expect(chat.texts('#lobby')).toEqual(['hi']);
    expect(chat.params('message.send').map(({ key }) => key)).toEqual(['K', 'K', 'K']);
    expect(onRetry.mock.calls.map(([cause, waitMs]) => [cause.code, waitMs])).toEqual([
      ['unavailable', 100],
      ['unavailable', 200],
    ]);
  });

  it('waits on the same connection as long as a rate limit asks', async () => {
    stopTime();
    withoutChance();
    const chat = await FakeChat.start();
    let refusals = 1;
    chat.onCall = ({ method }) =>
      method === 'message.send' && refusals-- > 0 ? { code: 'rate-limited', retry_after_ms: 7_000 } : 'serve';
    const onRetry = skippingRetries();
    const begun = Date.now();
    await sendReliably({ ...message, open: chat.open, onRetry });
    expect(Date.now() - begun).toBe(7_000);
    expect(onRetry.mock.calls.map(([cause, waitMs]) => [cause.code, waitMs])).toEqual([
      ['rate-limited', 7_000],
    ]);
    expect(chat.server.connections).toBe(1);
  });

  it('gives up at once when a rate limit asks for more time than there is', async () => {
    const chat = await FakeChat.start();
    chat.onCall = ({ method }) =>
      method === 'message.send' ? { code: 'rate-limited', message: 'slow', retry_after_ms: 60_000 } : 'serve';
    expect(whole(await refusal(sendReliably({ ...message, open: chat.open })))).toEqual({
      code: 'rate-limited',
      text: 'slow',
      retryAfterMs: 60_000,
    });
  });

  it('that cannot be sent throws the last cause when the time has run out', async () => {
    stopTime();
    withoutChance();
    let tries = 0;
    const open = async (): Promise<never> => {
      tries += 1;
      throw new ChatError('unavailable', `try ${tries}`);
    };
    const begun = Date.now();
    const error = await refusal(sendReliably({ ...message, open, onRetry: skippingRetries() }));
    expect(whole(error)).toEqual({ code: 'unavailable', text: `try ${tries}` });
    expect(Date.now() - begun).toBeGreaterThan(29_900);
    expect(Date.now() - begun).toBeLessThanOrEqual(30_000);
    expect(tries).toBeGreaterThan(10);
  });

  it('gives up a server that does not answer after ten seconds, and takes a new connection', async () => {
    stopTime();
    withoutChance();
    const chat = await FakeChat.start();
    let silences = 1;
    chat.onCall = ({ method }) => {
      if (method !== 'message.send' || silences-- <= 0) return 'serve';
      skip(10_000);
      return 'ignore';
    };
    const onRetry = skippingRetries();
    const stored = await sendReliably({ ...message, open: chat.open, onRetry });
    expect([stored.seq, chat.server.connections]).toEqual([1, 2]);
    expect(onRetry.mock.calls.map(([cause]) => whole(cause))).toEqual([
      {
        code: 'unavailable',
        text: 'the server acknowledged nothing within 10000 ms',
      },
    ]);
  });

  it('throws unavailable when the only try is not answered in time', async () => {
    stopTime();
    const chat = await FakeChat.start();
    chat.onCall = ({ method }) => {
      if (method !== 'message.send') return 'serve';
      skip(2_000);
      return 'ignore';
    };
    expect(whole(await refusal(sendReliably({ ...message, open: chat.open, timeoutMs: 2_000 })))).toEqual({
      code: 'unavailable',
      text: 'the server acknowledged nothing within 2000 ms',
    });
  });

  it('does not wait for ever for a connection', async () => {
    stopTime();
    const open = (): Promise<never> => {
      skip(30_000);
      return new Promise(() => {});
    };
    const error = await refusal(sendReliably({ ...message, open }));
    expect(whole(error)).toEqual({ code: 'unavailable', text: 'no connection within 30000 ms' });
  });

  it('tells what the server said last, not that the time ran out while connecting once more', async () => {
    stopTime();
    withoutChance();
    const chat = await FakeChat.start();
    chat.onCall = ({ method }) =>
      method === 'message.send' ? { code: 'unavailable', message: 'the disk is full' } : 'serve';
    let tries = 0;
    const open = (): Promise<Connection> => {
      if (++tries === 1) return chat.open();
      skip(30_000);
      return new Promise(() => {});
    };
    const error = await refusal(sendReliably({ ...message, open, onRetry: skippingRetries() }));
    expect(whole(error)).toEqual({ code: 'unavailable', text: 'the disk is full' });
    expect(tries).toBe(2);
  });

  it.each<FailureData>([
    { code: 'invalid', message: 'text: no', field: 'text' },
    { code: 'forbidden', message: 'not in that room' },
    { code: 'not-found', message: 'no such room' },
    { code: 'too-large', message: 'too long' },
    { code: 'internal', message: 'a bug', error_id: 'e1' },
  ])('that the server refuses as $code is not tried again', async (failure) => {
    const chat = await FakeChat.start();
    chat.onCall = ({ method }) => (method === 'message.send' ? failure : 'serve');
    const error = await refusal(sendReliably({ ...message, open: chat.open }));
    expect([error.code, error.message]).toEqual([failure.code, failure.message]);
    expect(chat.params('message.send')).toHaveLength(1);
  });

  it('does not try again when there is no logging in', async () => {
    const open = vi.fn(async () => {
      throw new ChatError('unauthenticated', 'log in first');
    });
    expect((await refusal(sendReliably({ ...message, open }))).code).toBe('unauthenticated');
    expect(open).toHaveBeenCalledTimes(1);
  });

  it('asks once more for a connection when its session ended: it may have been renewed', async () => {
    const chat = await FakeChat.start();
    let ends = 1;
    chat.onCall = ({ method }, peer) => {
      if (method !== 'message.send' || ends-- <= 0) return 'serve';
      peer.event('session-ended', { reason: 'replaced' });
      return 'ignore';
    };
    expect((await sendReliably({ ...message, open: chat.open })).seq).toBe(1);
    ends = Number.POSITIVE_INFINITY;
    expect((await refusal(sendReliably({ ...message, open: chat.open }))).code).toBe('unauthenticated');
    expect(chat.server.connections).toBe(4);
  });

  it('stops when told to, while it waits, and says that the outcome is open', async () => {
    stopTime();
    const stop = new AbortController();
    const open = async (): Promise<never> => {
      throw new ChatError('unavailable', 'gone');
    };
    const onRetry = vi.fn(() => stop.abort());
    const error = await refusal(sendReliably({ ...message, open, signal: stop.signal, onRetry }));
    expect(error.message).toBe('sending was stopped; what is not acknowledged may be stored or not');
    expect((await refusal(sendReliably({ ...message, open, signal: stop.signal }))).message).toBe(
      error.message,
    );
  });
});

describe('sending many lines', () => {
  const many = { to: '#lobby', timeoutMs: 30_000 };

  it('stores them in order over one connection, and tells of each in order', async () => {
    const chat = await FakeChat.start();
    const acks: number[] = [];
    const answer = await sendMany({
      ...many,
      open: chat.open,
      lines: lines(1_000),
      onAck: (n, { seq }) => void acks.push(n === seq ? n : -1),
    });
    expect(answer).toEqual({ sent: 1_000 });
    expect(chat.texts('#lobby')).toEqual(texts(1_000));
    expect(acks).toEqual(texts(1_000).map((_, index) => index + 1));
    expect(chat.server.connections).toBe(1);
  });

  it('seals them one after the other, however long each takes, and sends them in their order', async () => {
    const chat = await FakeChat.start();
    let underway = 0;
    const seal = async (_connection: Connection, text: string) => {
      underway += 1;
      expect(underway).toBe(1);
      for (let turn = Number(text.slice(5)) % 4; turn > 0; turn -= 1) await nextTurn();
      underway -= 1;
      return { text: `sealed ${text}` };
    };
    expect(await sendMany({ ...many, open: chat.open, lines: lines(20), seal })).toEqual({ sent: 20 });
    expect(chat.texts('#lobby')).toEqual(texts(20).map((text) => `sealed ${text}`));
    expect(chat.server.connections).toBe(1);
  });

  it('keeps their order when one cannot be sealed now: nothing after it goes before it', async () => {
    stopTime();
    withoutChance();
    const chat = await FakeChat.start();
    let failures = 1;
    const seal = async (_connection: Connection, text: string) => {
      if (text === 'line 3' && failures-- > 0) throw new ChatError('unavailable', 'no keys now');
      return { text };
    };
    const onRetry = skippingRetries();
    await sendMany({ ...many, open: chat.open, lines: lines(8), seal, onRetry });
    expect(chat.texts('#lobby')).toEqual(texts(8));
    expect(onRetry.mock.calls.map(([{ message: why }]) => why)).toEqual(['no keys now']);
  });

  it('ends with what forbids to seal one, and sends nothing after it', async () => {
    const chat = await FakeChat.start();
    const seal = async (_connection: Connection, text: string) => {
      if (text === 'line 3') throw new ChatError('untrusted', 'other keys');
      return { text };
    };
    const error = await refusal(sendMany({ ...many, open: chat.open, lines: lines(8), seal }));
    expect(whole(error)).toEqual({ code: 'untrusted', text: 'other keys' });
    expect(chat.texts('#lobby')).toEqual(texts(2));
  });

  it('gives a connection back instead of closing it, so that others can send over it', async () => {
    const chat = await FakeChat.start();
    let idle: Connection | undefined;
    const open = async () => idle ?? (await chat.open());
    const release = (connection: Connection) => {
      idle = connection;
    };
    for (let count = 0; count < 3; count++) await sendMany({ ...many, open, release, lines: lines(2) });
    expect(chat.server.connections).toBe(1);
    // What the server refuses is no reason to close it either.
    chat.onCall = ({ method }) =>
      method === 'message.send' ? { code: 'forbidden', message: 'no' } : 'serve';
    expect((await refusal(sendMany({ ...many, open, release, lines: lines(1) }))).code).toBe('forbidden');
    chat.onCall = () => 'serve';
    await sendMany({ ...many, open, release, lines: lines(1) });
    expect(chat.server.connections).toBe(1);
    await idle?.close();
  });

  it('closes a connection on which something is under way, whoever would take it back', async () => {
    const chat = await FakeChat.start();
    const stop = new AbortController();
    chat.onCall = ({ method }) => {
      if (method !== 'message.send') return 'serve';
      stop.abort();
      return 'ignore';
    };
    const release = vi.fn();
    const sending = sendMany({ ...many, open: chat.open, release, lines: lines(1), signal: stop.signal });
    expect((await refusal(sending)).code).toBe('unavailable');
    await (await chat.server.peer()).closed;
    expect(release).not.toHaveBeenCalled();
  });

  it('of which there are none opens no connection', async () => {
    const chat = await FakeChat.start();
    expect(await sendMany({ ...many, open: chat.open, lines: lines(0) })).toEqual({ sent: 0 });
    expect(chat.server.connections).toBe(0);
  });

  it('never has more under way than the window, and asks for no more lines than that', async () => {
    const chat = await FakeChat.start();
    const held: Array<() => void> = [];
    chat.onCall = (request, peer) => {
      if (request.method !== 'message.send') return 'serve';
      held.push(() => peer.result(request, chat.store('#lobby', String(request.params.text))));
      return 'ignore';
    };
    let asked = 0;
    const counted = async function* () {
      for await (const line of lines(20)) {
        asked += 1;
        yield line;
      }
    };
    const sent = sendMany({ ...many, open: chat.open, lines: counted(), window: 4 });
    for (let n = 0; n < 20; n++) {
      await vi.waitFor(() => expect(held.length).toBe(Math.min(4, 20 - n)), { interval: 1, timeout: 60_000 });
      expect(asked).toBeLessThanOrEqual(n + 5);
      held.shift()?.();
    }
    expect(await sent).toEqual({ sent: 20 });
  });

  it.each([1, 2, 50, 256, 300])(
    'after a drop at call %i, before and after storing, sends the rest again under their keys: each once, in order',
    async (at) => {
      stopTime();
      for (const isStored of [false, true]) {
        const chat = await FakeChat.start();
        let sends = 0;
        const drop = (method: string): boolean => method === 'message.send' && sends === at;
        chat.onCall = ({ method }, peer) => {
          if (method === 'message.send') sends += 1;
          if (isStored || !drop(method)) return 'serve';
          peer.socket.destroy();
          return 'ignore';
        };
        chat.afterCall = ({ method }, peer) => {
          if (!isStored || !drop(method)) return true;
          peer.socket.destroy();
          return false;
        };
        expect(
          await sendMany({ ...many, open: chat.open, lines: lines(400), onRetry: skippingRetries() }),
        ).toEqual({ sent: 400 });
        expect(chat.texts('#lobby')).toEqual(texts(400));
        expect(chat.server.connections).toBe(2);
      }
    },
  );

  it('goes through a rate limit without losing a line or its place', async () => {
    stopTime();
    withoutChance();
    const chat = await FakeChat.start();
    // A burst of 100, then 5 at a time, and nothing in between.
    let tokens = 100;
    let closedUntil = 0;
    chat.onCall = ({ method }) => {
      if (method !== 'message.send') return 'serve';
      if (Date.now() >= closedUntil && tokens === 0) tokens = 5;
      if (tokens > 0) {
        tokens -= 1;
        if (tokens === 0) closedUntil = Date.now() + 150;
        return 'serve';
      }
      return { code: 'rate-limited', retry_after_ms: 150 };
    };
    expect(
      await sendMany({ ...many, open: chat.open, lines: lines(200), onRetry: skippingRetries() }),
    ).toEqual({ sent: 200 });
    expect(chat.texts('#lobby')).toEqual(texts(200));
    expect(chat.server.connections).toBe(1);
  });

  it('that are refused stop there: what came before is stored and told of', async () => {
    const chat = await FakeChat.start();
    chat.onCall = ({ params }) =>
      params.text === 'line 7' ? { code: 'too-large', message: 'too long' } : 'serve';
    const acks: number[] = [];
    const sending = sendMany({
      ...many,
      open: chat.open,
      lines: lines(1_000),
      window: 3,
      onAck: (n) => void acks.push(n),
    });
    expect(whole(await refusal(sending))).toEqual({ code: 'too-large', text: 'too long' });
    expect(acks).toEqual([1, 2, 3, 4, 5, 6]);
    expect(chat.texts('#lobby')).not.toContain('line 10');
  });

  it('runs out of time only when nothing is acknowledged for so long', async () => {
    stopTime();
    const chat = await FakeChat.start();
    let acked = Promise.withResolvers<void>();
    const slow = async function* () {
      for await (const line of lines(4)) {
        yield line;
        await acked.promise;
        acked = Promise.withResolvers();
        vi.advanceTimersByTime(29_999);
      }
    };
    const onAck = (): void => acked.resolve();
    expect(await sendMany({ ...many, open: chat.open, lines: slow(), window: 1, onAck })).toEqual({
      sent: 4,
    });
    chat.onCall = ({ method, params }) => {
      if (method !== 'message.send') return 'serve';
      if (params.text === 'line 1') skip(10_000);
      return 'ignore';
    };
    const begun = Date.now();
    const onRetry = skippingRetries();
    const error = await refusal(sendMany({ ...many, open: chat.open, lines: lines(5), onRetry }));
    expect(whole(error)).toEqual({
      code: 'unavailable',
      text: 'the server acknowledged nothing within 10000 ms',
    });
    expect(Date.now() - begun).toBeGreaterThanOrEqual(30_000);
    expect(Date.now() - begun).toBeLessThanOrEqual(40_000);
  });

  it('whose source fails throws that, and whose listener fails throws that', async () => {
    const chat = await FakeChat.start();
    const broken = async function* () {
      yield* lines(1);
      throw new RangeError('the file is gone');
    };
    await expect(sendMany({ ...many, open: chat.open, lines: broken() })).rejects.toThrow('the file is gone');
    const onAck = (): never => {
      throw new RangeError('the pipe is gone');
    };
    await expect(sendMany({ ...many, open: chat.open, lines: lines(2), onAck })).rejects.toThrow(
      'the pipe is gone',
    );
  });

  it('whose acknowledgement is not one is unavailable, and is asked for again', async () => {
    stopTime();
    const chat = await FakeChat.start();
    let lies = 1;
    chat.onCall = (request, peer) => {
      if (request.method !== 'message.send' || lies-- <= 0) return 'serve';
      peer.result(request, { id: 'x', seq: 'first', sent_at: instantOf(1) });
      return 'ignore';
    };
    expect(
      await sendMany({ ...many, open: chat.open, lines: lines(2), window: 1, onRetry: skippingRetries() }),
    ).toEqual({ sent: 2 });
    expect(chat.texts('#lobby')).toEqual(texts(2));
  });
});
