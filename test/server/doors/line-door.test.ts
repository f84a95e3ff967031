import { afterEach, describe, expect, it, vi } from 'vitest';
import { ChatError } from '../../../src/core/errors.ts';
import type { Session } from '../../../src/core/model/session.ts';
import { connectClear, connectSecure, type TestClient } from '../support/client.ts';
import { listening } from '../support/listening.ts';
import { turn, until } from '../support/until.ts';

afterEach(() => void vi.useRealTimers());

const call = (id: number, method = 'echo', params: unknown = {}): string =>
  `${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`;
const result = (id: number, value: unknown = {}): unknown => ({ jsonrpc: '2.0', id, result: value });
const failed = (code: number, message: string, data: object, id: number | null = null): unknown => ({
  jsonrpc: '2.0',
  id,
  error: { code, message, data },
});
const ids = (client: TestClient): unknown[] => client.frames.map((frame) => (frame as { id: unknown }).id);
const session = { username: 'alice' } as Session;

describe('the line door reads', () => {
  it('calls and answers them under their ids', async () => {
    const { port } = await listening();
    const client = await connectClear(port);
    client.call(1, 'echo', { text: 'é' });
    client.call('two', 'echo', { n: 2 });
    await client.lineCount(2);
    expect(client.frames).toEqual([
      result(1, { text: 'é' }),
      { jsonrpc: '2.0', id: 'two', result: { n: 2 } },
    ]);
  });

  it('calls that come byte by byte, with CRLF and empty lines between them', async () => {
    const { port } = await listening();
    const client = await connectClear(port);
    for (const byte of Buffer.from(`${call(1).trim()}\r\n\r\n\n${call(2)}`)) {
      client.write(Uint8Array.of(byte));
      await turn();
    }
    await client.lineCount(2);
    expect(client.frames).toEqual([result(1), result(2)]);
  });

  it('the same over TLS', async () => {
    const { port } = await listening();
    const client = await connectSecure(port);
    for (const byte of Buffer.from(call(1))) client.write(Uint8Array.of(byte));
    await client.lineCount(1);
    expect(client.frames).toEqual([result(1)]);
  });

  it('ten thousand calls in one piece, and answers each once', async () => {
    const { port } = await listening();
    const client = await connectClear(port);
    const count = 10_000;
    client.write(Array.from({ length: count }, (_, id) => call(id)).join(''));
    await client.lineCount(count);
    expect(ids(client)).toEqual(Array.from({ length: count }, (_, id) => id));
  });

  it('notifications without answering them', async () => {
    const { port, calls } = await listening();
    const client = await connectClear(port);
    client.write('{"jsonrpc":"2.0","method":"echo"}\n');
    client.write('{"jsonrpc":"2.0","method":"overlapping-fails"}\n');
    client.call(1, 'echo');
    await client.lineCount(1);
    calls.pending[0]?.refuse(new ChatError('invalid', 'nobody hears this'));
    client.call(2, 'echo');
    await client.lineCount(2);
    expect([client.frames, calls.seen]).toEqual([
      [result(1), result(2)],
      ['echo', 'overlapping-fails', 'echo', 'echo'],
    ]);
  });

  it('nothing more after the peer has ended, but answers what was asked, the unfinished last line too', async () => {
    const { port, calls } = await listening();
    const client = await connectClear(port, { allowHalfOpen: true });
    client.socket.end(`${call(1, 'slow')}${call(2).trim()}`);
    await until(() => calls.pending.length === 1);
    await turn();
    expect(client.hasEnded).toBe(false);
    calls.pending[0]?.answer({ done: true });
    await client.ended();
    expect(client.frames).toEqual([result(1, { done: true }), result(2)]);
  });

  it('half-closed TLS in the same way', async () => {
    const { port, calls } = await listening();
    const client = await connectSecure(port, { allowHalfOpen: true } as object);
    client.socket.end(call(1, 'slow'));
    await until(() => calls.pending.length === 1);
    calls.pending[0]?.answer({ done: true });
    await client.ended();
    expect(client.frames).toEqual([result(1, { done: true })]);
  });
});

describe('the line door answers', () => {
  it('errors with their code, text, field and wait', async () => {
    const { port, calls } = await listening();
    const client = await connectClear(port);
    client.call(1, 'x');
    await until(() => calls.pending.length === 1);
    calls.pending[0]?.refuse(new ChatError('rate-limited', 'wait', { retryAfterMs: 5, field: 'text' }));
    await client.lineCount(1);
    expect(client.frames).toEqual([
      failed(-32_007, 'wait', { code: 'rate-limited', field: 'text', retry_after_ms: 5 }, 1),
    ]);
  });

  it('a bug with an id and nothing else, and serves on', async () => {
    const { port, calls, failures } = await listening();
    const client = await connectClear(port);
    client.call(1, 'x');
    await until(() => calls.pending.length === 1);
    const bug = new Error('secret path /etc/x');
    calls.pending[0]?.refuse(bug);
    client.call(2, 'echo');
    await client.lineCount(2);
    expect([client.frames, failures]).toEqual([
      [
        failed(
          -32_603,
          'something went wrong on the server (error-id)',
          { code: 'internal', error_id: 'error-id' },
          1,
        ),
        result(2),
      ],
      [bug],
    ]);
  });

  it('a result that is no JSON as a bug', async () => {
    const { port, calls, failures } = await listening();
    const client = await connectClear(port);
    client.call(1, 'x');
    await until(() => calls.pending.length === 1);
    calls.pending[0]?.answer({ n: 1n });
    await client.lineCount(1);
    expect([client.text.includes('"internal"'), failures.length]).toEqual([true, 1]);
  });

  it('a call that throws outright as a bug that ends nobody', async () => {
    const bug = new Error('thrown');
    const { port, failures } = await listening({
      calls: {
        call: () => {
          throw bug;
        },
        overlaps: () => {
          throw bug;
        },
        identify: () => Promise.reject(bug),
        ready: () => Promise.reject(bug),
        told: () => Promise.resolve(),
      },
    });
    const client = await connectClear(port);
    client.call(1, 'x');
    await client.ended();
    const other = await connectClear(port);
    other.call(1, 'ping');
    await other.lineCount(1);
    expect([failures, other.frames]).toEqual([[bug], [result(1, expect.objectContaining({ protocol: 1 }))]]);
  });

  it('overlapping calls in the order in which they end, and others in their own order', async () => {
    const { port, calls } = await listening();
    const client = await connectClear(port);
    client.write(call(1, 'overlapping') + call(2, 'overlapping') + call(3, 'alone') + call(4, 'overlapping'));
    await until(() => calls.pending.length === 2);
    calls.pending[1]?.answer({});
    await client.lineCount(1);
    expect([ids(client), calls.seen]).toEqual([[2], ['overlapping', 'overlapping']]);
    calls.pending[0]?.answer({});
    await until(() => calls.pending.length === 3);
    expect(calls.seen).toEqual(['overlapping', 'overlapping', 'alone']);
    calls.pending[2]?.answer({});
    await until(() => calls.pending.length === 4);
    calls.pending[3]?.answer({});
    await client.lineCount(4);
    expect(ids(client)).toEqual([2, 1, 3, 4]);
  });

  it('a ping at once, also behind a call that waits', async () => {
    const { port, calls } = await listening();
    const client = await connectClear(port);
    const before = Date.now();
    client.write(call(1, 'alone') + call(2, 'ping'));
    await client.lineCount(1);
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect([client.frames, calls.pending.length]).toEqual([[result(2, { time, protocol: 1 })], 1]);
    const [{ result: pong }] = client.frames as [{ result: { time: string } }];
    expect(Date.parse(pong.time)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(pong.time)).toBeLessThanOrEqual(Date.now());
  });
});

describe('the line door refuses', () => {
  const notJson = failed(-32_700, 'not JSON', { code: 'invalid' });

  it.each([
    ['what is no JSON', '{"jsonrpc"', notJson],
    [
      'nesting of 30,000 levels',
      `{"a":${'['.repeat(30_000)}${']'.repeat(30_000)}}`,
      failed(-32_600, 'nested deeper than 64 levels', { code: 'invalid' }),
    ],
    [
      'nesting that never closes',
      '{"a":'.repeat(20_000),
      failed(-32_600, 'nested deeper than 64 levels', { code: 'invalid' }),
    ],
    [
      'a request without a method',
      '{"jsonrpc":"2.0","id":1}',
      failed(-32_600, 'method must be a string', { code: 'invalid' }),
    ],
    [
      'another version',
      '{"jsonrpc":"1.0","id":1,"method":"x"}',
      failed(-32_600, 'jsonrpc must be "2.0"', { code: 'invalid' }),
    ],
    [
      'a batch among requests',
      '[]',
      failed(-32_600, 'batches are not served: send one request per line', { code: 'invalid' }),
    ],
  ])('%s, and serves on', async (_, line, error) => {
    const { port } = await listening();
    const client = await connectClear(port);
    client.write(`${call(1)}${line}\n${call(2)}`);
    await client.lineCount(3);
    expect(new Set(client.frames.map((frame) => JSON.stringify(frame)))).toEqual(
      new Set([result(1), error, result(2)].map((frame) => JSON.stringify(frame))),
    );
  });

  it('ten bad frames in a row, not nine', async () => {
    const { port } = await listening();
    const client = await connectClear(port);
    client.write(`{\n${'bad\n'.repeat(8)}${call(1)}`);
    await client.lineCount(10);
    expect(ids(client).filter((id) => id === 1)).toEqual([1]);
    client.write(`${'bad\n'.repeat(10)}${call(2)}`);
    await client.ended();
    expect([client.frames.length, client.frames.at(-1)]).toEqual([20, notJson]);
  });

  it('bytes that are not UTF-8: the lines before it are answered, then it closes', async () => {
    const { port } = await listening();
    const client = await connectClear(port);
    client.write(
      Buffer.concat([Buffer.from(call(1)), Buffer.from('{"\xff"}\n', 'latin1'), Buffer.from(call(2))]),
    );
    await client.ended();
    expect(client.frames).toEqual([result(1), failed(-32_700, 'the line is not UTF-8', { code: 'invalid' })]);
  });

  it('a line that is too long, before its end has come; one of exactly the limit is read', async () => {
    const { port } = await listening();
    const client = await connectClear(port);
    const frame = call(1, 'echo').trim();
    client.write(`${frame}${' '.repeat(131_072 - frame.length)}\n`);
    await client.lineCount(1);
    client.write(`{${' '.repeat(131_072)}`);
    await client.ended();
    expect(client.frames).toEqual([
      result(1),
      failed(-32_006, 'a line has at most 131072 bytes', { code: 'too-large' }),
    ]);
  });

  it('a fatal line only after the calls under way were answered', async () => {
    const { port, calls } = await listening();
    const client = await connectClear(port);
    client.write(Buffer.from(`${call(1, 'slow')}\xff\n`, 'latin1'));
    await until(() => calls.pending.length === 1);
    expect(client.receivedBytes).toBe(0);
    calls.pending[0]?.answer({});
    await client.ended();
    expect(ids(client)).toEqual([1, null]);
  });
});

describe('the line door bounds', () => {
  it('calls in flight: beyond the limit nothing is read, and room lets it read on', async () => {
    const { port, calls } = await listening({ limits: { maxPipelined: 3 } });
    const client = await connectClear(port);
    client.write(Array.from({ length: 5 }, (_, id) => call(id, 'overlapping')).join(''));
    await until(() => calls.pending.length === 3);
    client.write('\n'.repeat(1_000_000));
    await turn();
    expect(calls.pending.length).toBe(3);
    calls.pending[0]?.answer({});
    await until(() => calls.pending.length === 4);
    for (const pending of calls.pending) pending.answer({});
    await until(() => calls.pending.length === 5);
    calls.pending[4]?.answer({});
    await client.lineCount(5);
    expect(ids(client).length).toBe(5);
  });

  it('calls of one connection in a turn of the event loop, so that others wait for a few of them and not for all', async () => {
    const { port, calls } = await listening();
    const client = await connectClear(port);
    const seen: number[] = [];
    let isOver = false;
    const note = (): void => {
      seen.push(calls.seen.length);
      if (!isOver) setImmediate(note);
    };
    note();
    client.write(Array.from({ length: 1_000 }, (_, id) => call(id)).join(''));
    await client.lineCount(1_000);
    isOver = true;
    const most = Math.max(...seen.map((count, at) => count - (seen[at - 1] ?? 0)));
    // A turn may end between two looks.
    expect(most).toBeLessThanOrEqual(2 * 64);
    expect(ids(client)).toEqual(Array.from({ length: 1_000 }, (_, id) => id));
  });

  it('how much waits behind a call that takes long: beyond the limit nothing is read', async () => {
    const { port, calls } = await listening({ limits: { maxQueuedBytes: 1_000 } });
    const client = await connectClear(port);
    const waiting = call(2, 'long', { x: 'y'.repeat(400) });
    const ping = (id: number): string => call(id, 'ping');
    client.write(call(1, 'long') + waiting + ping(3) + waiting + ping(4) + waiting + ping(5));
    // A ping is answered as soon as it is read: two calls may wait, and the third is the one too many.
    await client.lineCount(2);
    for (let turns = 0; turns < 20; turns++) await turn();
    expect(ids(client)).toEqual([3, 4]);
    expect(calls.seen).toEqual(['long']);
    calls.pending[0]?.answer({});
    await client.lineCount(4);
    expect(ids(client)).toEqual([3, 4, 1, 5]);
    for (let done = 1; done < 4; done++) {
      await until(() => calls.pending.length > done);
      calls.pending[done]?.answer({});
    }
    await client.lineCount(7);
    expect(ids(client)).toEqual([3, 4, 1, 5, 2, 2, 2]);
  });

  it('what a slow reader lets pile up, without slowing others, and loses nothing', async () => {
    const answer = { text: 'x'.repeat(100_000) };
    const { port, calls } = await listening({ limits: { maxQueuedBytes: 1_000_000 } });
    const slow = await connectClear(port);
    slow.socket.pause();
    const count = 400;
    slow.write(Array.from({ length: count }, (_, id) => call(id, 'overlapping')).join(''));
    let answered = 0;
    const answerAll = (): void => {
      for (const pending of calls.pending.slice(answered)) pending.answer(answer);
      answered = calls.pending.length;
    };
    const before = await settled(() => {
      answerAll();
      return calls.pending.length;
    });
    // All that was asked before the first answers was admitted; what matters is that no more is taken than is bounded.
    const [peer] = calls.peers;
    expect(before).toBeLessThanOrEqual(count);
    slow.write(Array.from({ length: 100 }, (_, id) => call(count + id, 'overlapping')).join(''));
    const after = await settled(() => {
      answerAll();
      return calls.pending.length;
    });
    expect([after, (peer?.queuedBytes ?? 0) > 1_000_000]).toEqual([before, true]);
    const other = await connectClear(port);
    other.call(1, 'echo');
    await other.lineCount(1);
    slow.socket.resume();
    await until(() => {
      answerAll();
      return slow.receivedBytes >= 500 * 100_000;
    });
    await slow.lineCount(500);
    expect(new Set(ids(slow)).size).toBe(500);
  });
});

/** The value of `read` once it no longer changes over many turns. */
async function settled(read: () => number): Promise<number> {
  let value = read();
  for (let still = 0; still < 50; still++) {
    await turn();
    const now = read();
    if (now !== value) still = 0;
    value = now;
  }
  return value;
}

describe('the line door waits', () => {
  async function waiting() {
    vi.useFakeTimers();
    const server = await listening();
    const client = await connectClear(server.port);
    client.call(1, 'echo');
    await client.lineCount(1);
    const [peer] = server.calls.peers;
    return { ...server, client, peer };
  }

  it('10 seconds for the rest of a line before login', async () => {
    const { client } = await waiting();
    client.write('{"jsonrpc"');
    await quiet(client);
    vi.advanceTimersByTime(9_999);
    await turn();
    expect(client.hasEnded).toBe(false);
    vi.advanceTimersByTime(1);
    await client.ended();
    expect(client.frames.at(-1)).toEqual(
      failed(-32_010, 'a line was not finished within 10 seconds', { code: 'timeout' }),
    );
  });

  it('not anew for each byte of that line', async () => {
    const { client } = await waiting();
    for (let second = 0; second < 10; second++) {
      client.write('{');
      await quiet(client);
      expect(client.hasEnded).toBe(false);
      vi.advanceTimersByTime(1_000);
    }
    await client.ended();
    expect(client.text).toContain('a line was not finished within 10 seconds');
  });

  it('120 seconds for the rest of a line after login', async () => {
    const { client, peer } = await waiting();
    if (peer) peer.session = session;
    for (let second = 0; second < 120; second += 20) {
      client.write('{');
      await quiet(client);
      vi.advanceTimersByTime(second < 100 ? 20_000 : 19_999);
    }
    await quiet(client);
    expect(client.hasEnded).toBe(false);
    vi.advanceTimersByTime(1);
    await client.ended();
    expect(client.frames.at(-1)).toEqual(
      failed(-32_010, 'a line was not finished within 120 seconds', { code: 'timeout' }),
    );
  });

  it('120 seconds for a call before login, counted from the last one', async () => {
    const { client } = await waiting();
    await passing(client, 119_999);
    expect(client.hasEnded).toBe(false);
    client.call(2, 'echo');
    await until(() => client.text.includes('"id":2'));
    await passing(client, 119_999);
    expect(client.hasEnded).toBe(false);
    vi.advanceTimersByTime(1);
    await client.ended();
    expect(client.frames.at(-1)).toEqual(
      failed(-32_010, 'there was no call and no login within 120 seconds', { code: 'timeout' }),
    );
  });

  it('no longer than that when the clock is set back by hours', async () => {
    const { client } = await waiting();
    await passing(client, 60_000);
    vi.setSystemTime(Date.now() - 3 * 3_600_000);
    // The look that was due finds a call that is yet to come, and waits once more.
    await passing(client, 60_000);
    expect(client.hasEnded).toBe(false);
    await passing(client, 119_999);
    expect(client.hasEnded).toBe(false);
    vi.advanceTimersByTime(1);
    await client.ended();
  });

  it('for ever after login, as long as pings are answered', async () => {
    const { client, peer } = await waiting();
    if (peer) peer.session = session;
    await passing(client, 3_600_000);
    client.call(2, 'echo');
    await until(() => client.text.includes('"id":2,'));
    expect(client.hasEnded).toBe(false);
  });

  it('again after a logout', async () => {
    const { client, peer } = await waiting();
    if (peer) peer.session = session;
    await passing(client, 600_000);
    if (peer) peer.session = undefined;
    await passing(client, 120_000);
    await client.ended();
    expect(client.text).toContain('no call and no login');
  });

  it('for nothing where a wait is switched off', async () => {
    vi.useFakeTimers();
    const off = { startedLineMs: 0, idleBeforeLoginMs: 0, firstByteMs: 0 };
    const { port, listener } = await listening({ limits: off });
    const client = await connectClear(port);
    await until(() => listener.connections === 1);
    vi.advanceTimersByTime(600_000);
    client.call(1, 'echo');
    await client.lineCount(1);
    await passing(client, 600_000);
    client.write('{');
    await quiet(client);
    vi.advanceTimersByTime(50_000);
    await quiet(client);
    expect(client.hasEnded).toBe(false);
    client.write('"jsonrpc":"2.0","id":2,"method":"echo"}\n');
    await until(() => client.text.includes('"id":2,'));
  });

  it('for two missed pings, and closes exactly then', async () => {
    const { client, peer } = await waiting();
    if (peer) peer.session = session;
    vi.advanceTimersByTime(89_999);
    await until(() => client.frames.length === 3);
    expect(client.frames.slice(1)).toEqual([
      { jsonrpc: '2.0', id: 'ping-1', method: 'ping', params: {} },
      { jsonrpc: '2.0', id: 'ping-2', method: 'ping', params: {} },
    ]);
    expect(client.hasEnded).toBe(false);
    vi.advanceTimersByTime(1);
    await client.ended();
  });

  it('for two missed pings in the interval that is set', async () => {
    vi.useFakeTimers();
    const { port, listener } = await listening({ limits: { pingMs: 1_000 } });
    const client = await connectClear(port);
    client.call(1, 'echo');
    await client.lineCount(1);
    vi.advanceTimersByTime(2_999);
    await client.lineCount(3);
    expect(listener.connections).toBe(1);
    vi.advanceTimersByTime(1);
    await client.ended();
  });

  it('for ever, and unasked, where there are no pings', async () => {
    vi.useFakeTimers();
    const { port } = await listening({ limits: { pingMs: 0, idleBeforeLoginMs: 0 } });
    const client = await connectClear(port);
    client.call(1, 'echo');
    await client.lineCount(1);
    vi.advanceTimersByTime(3_600_000);
    client.call(2, 'echo');
    await client.lineCount(2);
    expect(client.frames).toMatchObject([{ id: 1 }, { id: 2 }]);
    expect(client.hasEnded).toBe(false);
  });

  /** Makes sure that the server has read everything so far. */
  async function quiet(client: TestClient): Promise<void> {
    await settled(() => client.receivedBytes);
  }

  /** Lets time pass in steps of 30 s; each step is followed by an answer to the ping, as a client gives it. */
  async function passing(client: TestClient, ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 30_000) {
      const step = Math.min(30_000, left);
      const pings = client.text.split('"ping"').length;
      vi.advanceTimersByTime(step);
      if (step < 30_000) break;
      await until(() => client.text.split('"ping"').length > pings || client.hasEnded);
      if (client.hasEnded) return;
      client.write(`{"jsonrpc":"2.0","id":"ping-${pings}","result":{}}\n`);
      await quiet(client);
    }
    await quiet(client);
  }
});
