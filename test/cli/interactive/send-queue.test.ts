import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SendQueue } from '../../../src/cli/interactive/send-queue.ts';
import type { Connection } from '../../../src/client/connection.ts';
import { ChatError } from '../../../src/core/errors.ts';

interface Call {
  readonly text: string;
  readonly key: string;
  settle(outcome: { id: string; seq: number; sent_at: string } | ChatError): void;
}

/** A connection that is asked to send, and answers when the test says so. */
function connection() {
  const calls: Call[] = [];
  const call = (_name: string, { text, key }: { text: string; key: string }) =>
    new Promise((resolve, reject) => {
      calls.push({
        text,
        key,
        settle: (outcome) => (outcome instanceof ChatError ? reject(outcome) : resolve(outcome)),
      });
    });
  return { calls, connection: { call } as unknown as Connection };
}

const answer = { id: 'id', seq: 1, sent_at: '2026-11-21T09:00:00.000Z' };
const lost = new ChatError('unavailable', 'the connection broke');
const settled = async () => {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
};

function queue() {
  const stored: string[] = [];
  const refused: string[] = [];
  const made = new SendQueue(
    {
      stored: ({ text }) => stored.push(text),
      refused: ({ text }, { message }) => refused.push(`${text}: ${message}`),
    },
    async (_connection, _to, text) => ({ body: { text }, protection: undefined }),
  );
  return { queue: made, stored, refused };
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe('messages that were typed', () => {
  it('are sent one after the other, in their order', async () => {
    const { queue: sending, stored } = queue();
    const { calls, connection: open } = connection();
    sending.add('#lobby', 'one');
    sending.add('#lobby', 'two');
    expect(sending.size).toBe(2);
    sending.use(open);
    await settled();
    expect(calls.map(({ text }) => text)).toEqual(['one']);
    calls[0]?.settle(answer);
    await settled();
    expect([calls.map(({ text }) => text), stored]).toEqual([['one', 'two'], ['one']]);
    calls[1]?.settle(answer);
    await settled();
    expect([stored, sending.size]).toEqual([['one', 'two'], 0]);
    sending.add('#lobby', 'three');
    await settled();
    expect(calls.map(({ text }) => text)).toEqual(['one', 'two', 'three']);
  });

  it('that a lost connection leaves unanswered are sent again on the next one, under their key', async () => {
    const { queue: sending, stored } = queue();
    const first = connection();
    sending.use(first.connection);
    sending.add('#lobby', 'one');
    await settled();
    sending.use(undefined);
    first.calls[0]?.settle(lost);
    await settled();
    const second = connection();
    sending.use(second.connection);
    await settled();
    expect(second.calls.map(({ text, key }) => [text, key])).toEqual([['one', first.calls[0]?.key]]);
    second.calls[0]?.settle(answer);
    await settled();
    expect(stored).toEqual(['one']);
  });

  it('wait as long as the server says when it is asked too often, and a second when it does not say', async () => {
    const { queue: sending, stored } = queue();
    const { calls, connection: open } = connection();
    sending.use(open);
    sending.add('#lobby', 'one');
    await settled();
    calls[0]?.settle(new ChatError('rate-limited', 'too often', { retryAfterMs: 3_000 }));
    await settled();
    await vi.advanceTimersByTimeAsync(2_999);
    expect(calls).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(calls).toHaveLength(2);
    calls[1]?.settle(lost);
    await settled();
    await vi.advanceTimersByTimeAsync(999);
    expect(calls).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    calls[2]?.settle(answer);
    await settled();
    expect(stored).toEqual(['one']);
  });

  it('that the server refuses are told and hold up no other', async () => {
    const { queue: sending, stored, refused } = queue();
    const { calls, connection: open } = connection();
    sending.use(open);
    sending.add('@nobody', 'one');
    sending.add('#lobby', 'two');
    await settled();
    calls[0]?.settle(new ChatError('not-found', 'there is no such user'));
    await settled();
    calls[1]?.settle(answer);
    await settled();
    expect([refused, stored]).toEqual([['one: there is no such user'], ['two']]);
  });

  it('are not sent once it is closed', async () => {
    const { queue: sending } = queue();
    const { calls, connection: open } = connection();
    sending.use(open);
    sending.close();
    sending.add('#lobby', 'one');
    await settled();
    expect([calls, sending.size]).toEqual([[], 1]);
  });

  it('that cannot be made ready are refused, tried once, and hold up none after them', async () => {
    const refused: string[] = [];
    const tried: string[] = [];
    const sending = new SendQueue(
      { stored: () => {}, refused: ({ text }, { message }) => refused.push(`${text}: ${message}`) },
      async (_connection, to, text) => {
        tried.push(text);
        if (to === '@mallory') throw new TypeError('not a key');
        return { body: { text }, protection: undefined };
      },
    );
    const { calls, connection: open } = connection();
    sending.add('@mallory', 'one');
    sending.add('#lobby', 'two');
    sending.use(open);
    await settled();
    expect(refused).toEqual(['one: it could not be made ready: not a key']);
    expect([tried, calls.map(({ text }) => text)]).toEqual([['one', 'two'], ['two']]);
    calls[0]?.settle(answer);
    await settled();
    expect([sending.size, tried.length]).toEqual([0, 2]);
  });
});
