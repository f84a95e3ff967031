import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  eventText,
  jsonRpcEvents,
  pingRequest,
  readFrame,
  writeError,
  writeResult,
} from '../../../src/core/codecs/json-rpc.ts';
import { badCredentials, ChatError, errorCodes } from '../../../src/core/errors.ts';
import type { ChatEvent } from '../../../src/core/events.ts';

/** What a frame that is no request is answered with. */
function badFrame(text: string): unknown {
  const frame = readFrame(text);
  if (frame.kind !== 'bad') throw new Error(`read as ${frame.kind}: ${text}`);
  return JSON.parse(writeError(frame.id, frame.error, frame.rpcCode));
}

function answer(code: number, message: string): unknown {
  return { jsonrpc: '2.0', id: null, error: { code, message, data: { code: 'invalid' } } };
}

/** A request whose params nest until the whole is `depth` deep. */
function nested(depth: number): string {
  return `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":${'['.repeat(depth - 2)}${']'.repeat(depth - 2)}}}`;
}

const event = (change: object): ChatEvent =>
  ({
    type: 'message',
    to: '#lobby',
    seq: 7,
    id: '01890000-0000-7000-8000-000000000000',
    sender: 'alice',
    sentAt: Date.parse('2026-03-01T12:00:00.007Z'),
    body: { text: 'hello' },
    ...change,
  }) as ChatEvent;

describe('a frame', () => {
  it('is taken apart into id, method and params; without params they are empty', () => {
    expect(readFrame('{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":[1]}}')).toEqual({
      kind: 'call',
      id: 1,
      method: 'ping',
      params: { a: [1] },
    });
    expect(readFrame(' {"method":"ping","jsonrpc":"2.0"} ')).toEqual({
      kind: 'call',
      id: undefined,
      method: 'ping',
      params: {},
    });
  });

  it('keeps an id of each type as it came, through to the answer', () => {
    for (const id of ['1', '""', '"a\\u2028\\n\\"b"', '0', '-1', '1.5', 'null', '9007199254740991']) {
      const frame = readFrame(`{"jsonrpc":"2.0","id":${id},"method":"ping"}`);
      if (frame.kind !== 'call') throw new Error(`read as ${frame.kind}`);
      expect(frame.id).toEqual(JSON.parse(id));
      expect(JSON.parse(writeResult(frame.id, {}))).toEqual({
        jsonrpc: '2.0',
        id: JSON.parse(id),
        result: {},
      });
    }
  });

  it('that answers a request of ours is an answer', () => {
    expect(readFrame('{"jsonrpc":"2.0","id":"ping-1","result":{}}')).toEqual({
      kind: 'answer',
      id: 'ping-1',
    });
    expect(readFrame('{"jsonrpc":"2.0","id":"ping-1","error":{"code":1,"message":""}}')).toEqual({
      kind: 'answer',
      id: 'ping-1',
    });
  });

  it.each([
    ['', -32_700, 'not JSON'],
    ['nonsense', -32_700, 'not JSON'],
    ['{"jsonrpc":"2.0"', -32_700, 'not JSON'],
    ['{"jsonrpc":"2.0"}}', -32_700, 'not JSON'],
    ["{'jsonrpc':'2.0'}", -32_700, 'not JSON'],
    ['{"a":NaN}', -32_700, 'not JSON'],
    ['{"a":"\n"}', -32_700, 'not JSON'],
    ['\u{feff}{}', -32_700, 'not JSON'],
    ['[]', -32_600, 'batches are not served: send one request per line'],
    [
      '[{"jsonrpc":"2.0","id":1,"method":"ping"}]',
      -32_600,
      'batches are not served: send one request per line',
    ],
    ['null', -32_600, 'a request is a JSON object'],
    ['"ping"', -32_600, 'a request is a JSON object'],
    ['7', -32_600, 'a request is a JSON object'],
    ['{}', -32_600, 'jsonrpc must be "2.0"'],
    ['{"jsonrpc":2.0,"id":1,"method":"ping"}', -32_600, 'jsonrpc must be "2.0"'],
    ['{"jsonrpc":"1.0","id":1,"method":"ping"}', -32_600, 'jsonrpc must be "2.0"'],
    ['{"jsonrpc":"2.0","id":{},"method":"ping"}', -32_600, 'id must be a string or a number'],
    ['{"jsonrpc":"2.0","id":[1],"method":"ping"}', -32_600, 'id must be a string or a number'],
    ['{"jsonrpc":"2.0","id":true,"method":"ping"}', -32_600, 'id must be a string or a number'],
    ...['1e400', '-1e400', '9007199254740992', '-9007199254740993'].map((id): [string, number, string] => [
      `{"jsonrpc":"2.0","id":${id},"method":"ping"}`,
      -32_600,
      'an id that is a number is at most 2^53 - 1',
    ]),
    ['{"jsonrpc":"2.0","id":1}', -32_600, 'method must be a string'],
    ['{"jsonrpc":"2.0","id":1,"method":1}', -32_600, 'method must be a string'],
    ['{"jsonrpc":"2.0","id":1,"method":null,"result":1}', -32_600, 'method must be a string'],
    ['{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', -32_600, 'params must be an object'],
    ['{"jsonrpc":"2.0","id":1,"method":"ping","params":null}', -32_600, 'params must be an object'],
    ['{"jsonrpc":"2.0","id":1,"method":"ping","params":"x"}', -32_600, 'params must be an object'],
  ])('that does not fit is answered and nothing is thrown: %s', (text, code, message) => {
    expect(badFrame(text)).toEqual(answer(code, message));
  });

  it.each(['9007199254740991', '-9007199254740991', '0.5', '0', '"1e400"'])(
    'carries its id back as it was: %s',
    (id) => {
      const frame = readFrame(`{"jsonrpc":"2.0","id":${id},"method":"ping"}`);
      expect(writeResult(frame.id, {})).toBe(`{"jsonrpc":"2.0","id":${id},"result":{}}`);
    },
  );

  it('may nest 64 deep and not 65, counting brackets outside of strings alone', () => {
    expect(readFrame(nested(64)).kind).toBe('call');
    expect(badFrame(nested(65))).toEqual(answer(-32_600, 'nested deeper than 64 levels'));
    const text = JSON.stringify(`${'['.repeat(100)}\\"${'{'.repeat(100)}`);
    expect(readFrame(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"text":${text}}}`).kind).toBe('call');
  });

  it('nested 30,000 deep, open or closed, is refused and throws nothing', () => {
    for (const text of ['['.repeat(30_000), nested(30_000), '{"a":'.repeat(30_000)]) {
      expect(badFrame(text)).toEqual(answer(-32_600, 'nested deeper than 64 levels'));
    }
  });

  it('15.3.6: with __proto__ in it changes nothing, and lends no field', () => {
    const params = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}';
    readFrame(`{"jsonrpc":"2.0","id":1,"method":"ping","params":${params}}`);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(badFrame('{"__proto__":{"jsonrpc":"2.0","method":"ping"},"id":1}')).toEqual(
      answer(-32_600, 'jsonrpc must be "2.0"'),
    );
  });

  it('of any text at all never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.string({ unit: 'binary' })), (text) => {
        expect(['call', 'answer', 'bad']).toContain(readFrame(text).kind);
      }),
    );
  });
});

describe('an error', () => {
  it('carries code, text and what goes with it, and neither cause nor stack', () => {
    const error = new ChatError('rate-limited', 'wait', {
      field: 'to',
      retryAfterMs: 7,
      errorId: 'x',
      cause: new Error('a secret'),
    });
    expect(JSON.parse(writeError('a', error))).toEqual({
      jsonrpc: '2.0',
      id: 'a',
      error: {
        code: -32_007,
        message: 'wait',
        data: { code: 'rate-limited', field: 'to', retry_after_ms: 7, error_id: 'x' },
      },
    });
    expect(writeError(undefined, badCredentials())).toBe(
      '{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"unknown user or wrong secret","data":{"code":"unauthenticated"}}}',
    );
  });

  it('has a number of its own for each code', () => {
    const numbers = errorCodes.map(
      (code) =>
        (JSON.parse(writeError(1, new ChatError(code, ''))) as { error: { code: number } }).error.code,
    );
    expect(new Set(numbers).size).toBe(errorCodes.length);
    expect(numbers.every(Number.isInteger)).toBe(true);
  });
});

describe('an event', () => {
  it.each<[ChatEvent, unknown]>([
    [
      event({}),
      {
        to: '#lobby',
        seq: 7,
        id: '01890000-0000-7000-8000-000000000000',
        sender: 'alice',
        sent_at: '2026-03-01T12:00:00.007Z',
        text: 'hello',
      },
    ],
    [{ type: 'presence', user: 'alice', online: true } as ChatEvent, { user: 'alice', online: true }],
    [
      {
        type: 'account-notice',
        kind: 'new-device',
        door: 'http',
        address: '::1',
        device: 'a "b"',
        at: 1_800_000_000_000,
      },
      { kind: 'new-device', door: 'http', address: '::1', device: 'a "b"', at: '2027-01-15T08:00:00.000Z' },
    ],
    [
      {
        type: 'account-notice',
        kind: 'failed-logins',
        door: 'pipe',
        address: '192.0.2.1',
        failures: 5,
        at: 1_800_000_000_000,
      },
      {
        kind: 'failed-logins',
        door: 'pipe',
        address: '192.0.2.1',
        failures: 5,
        at: '2027-01-15T08:00:00.000Z',
      },
    ],
    [{ type: 'session-ended', reason: 'refresh-reused' }, { reason: 'refresh-reused' }],
    [{ type: 'lagging', to: '#lobby' } as ChatEvent, { to: '#lobby' }],
    [{ type: 'caught-up', to: '@bob', seq: 9 } as ChatEvent, { to: '@bob', seq: 9 }],
  ])('is one notification: %o', (given, params) => {
    expect(JSON.parse(eventText(given))).toEqual({ jsonrpc: '2.0', method: given.type, params });
  });

  it('16.4.1: stays one line, and gives back every text whole: CR, LF, U+2028, quotes, controls, lone surrogates', () => {
    const texts = [
      '\r\n',
      '\u2028\u2029',
      '"\\"',
      '\u0000\u001b[31m\u007f',
      '\ud800',
      '😀é',
      '</script>',
      '\u202e',
    ];
    for (const text of [...texts, texts.join('')]) {
      for (const body of [{ text }, { envelope: text }]) {
        const line = eventText(event({ body }));
        expect(line).not.toMatch(/[\r\n]/);
        expect(JSON.parse(line)).toMatchObject({ params: body });
      }
    }
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const line = eventText(event({ body: { text } }));
        expect(line).not.toMatch(/[\r\n]/);
        expect(JSON.parse(line)).toMatchObject({ params: { text } });
      }),
    );
  });

  it('is one of a buffer of lines, in order', () => {
    const events = [1, 2, 3].map((seq) => event({ seq, body: { text: `é ${seq}` } }));
    const text = new TextDecoder().decode(jsonRpcEvents.encode(events));
    expect(text).toBe(events.map((one) => `${eventText(one)}\n`).join(''));
    expect(jsonRpcEvents.encode([])).toEqual(new Uint8Array());
  });
});

describe('the ping of the server', () => {
  it('is a request that its own reader takes for a call', () => {
    expect(readFrame(pingRequest(3))).toEqual({ kind: 'call', id: 'ping-3', method: 'ping', params: {} });
  });
});
