import { describe, expect, it } from 'vitest';
import { BadFrame, readMessage, readPosition, readServerFrame, readStored } from '../../src/client/frames.ts';
import { ChatError, errorCodes } from '../../src/core/errors.ts';

const message = {
  to: '#lobby',
  seq: 7,
  id: '0190a8b4-0000-7000-8000-000000000001',
  sender: 'alice',
  sent_at: '2026-01-02T03:04:05.678Z',
  text: 'hi',
};
const line = (frame: object): string => JSON.stringify({ jsonrpc: '2.0', ...frame });

describe('a line from a server', () => {
  it.each([
    ['an answer', { id: 3, result: { a: 1 } }, { kind: 'answer', id: 3, result: { a: 1 } }],
    ['a ping', { id: 'ping-1', method: 'ping' }, { kind: 'request', id: 'ping-1', method: 'ping' }],
    [
      'a message',
      { method: 'message', params: message },
      { kind: 'event', event: { type: 'message', ...message } },
    ],
    [
      'presence',
      { method: 'presence', params: { user: 'bob', online: true } },
      { kind: 'event', event: { type: 'presence', user: 'bob', online: true } },
    ],
    [
      'the end of a session',
      { method: 'session-ended', params: { reason: 'revoked' } },
      { kind: 'event', event: { type: 'session-ended', reason: 'revoked' } },
    ],
    [
      'a login from a new device',
      {
        method: 'account-notice',
        params: {
          kind: 'new-device',
          door: 'http',
          address: '::1',
          device: '',
          at: '2027-01-15T08:00:00.000Z',
          x: 1,
        },
      },
      {
        kind: 'event',
        event: {
          type: 'account-notice',
          kind: 'new-device',
          door: 'http',
          address: '::1',
          device: '',
          at: '2027-01-15T08:00:00.000Z',
        },
      },
    ],
    [
      'failed logins',
      {
        method: 'account-notice',
        params: {
          kind: 'failed-logins',
          door: 'pipe',
          address: '192.0.2.1',
          failures: 5,
          at: '2027-01-15T08:00:00.000Z',
        },
      },
      {
        kind: 'event',
        event: {
          type: 'account-notice',
          kind: 'failed-logins',
          door: 'pipe',
          address: '192.0.2.1',
          failures: 5,
          at: '2027-01-15T08:00:00.000Z',
        },
      },
    ],
    [
      'lagging',
      { method: 'lagging', params: { to: '@bob' } },
      { kind: 'event', event: { type: 'lagging', to: '@bob' } },
    ],
    [
      'caught-up',
      { method: 'caught-up', params: { to: '#a', seq: 9 } },
      { kind: 'event', event: { type: 'caught-up', to: '#a', seq: 9 } },
    ],
    ['an event of a newer server', { method: 'typing', params: { x: 1 } }, { kind: 'unknown' }],
  ])('%s is read', (_, frame, expected) => {
    expect(readServerFrame(line(frame))).toEqual(expected);
  });

  it.each(errorCodes)('the error %s keeps its code, text and details', (code) => {
    const frame = readServerFrame(
      line({
        id: 1,
        error: { code: -1, message: 'why', data: { code, field: 'to', retry_after_ms: 12, error_id: 'e1' } },
      }),
    );
    expect(frame).toEqual({
      kind: 'failure',
      id: 1,
      error: new ChatError(code, 'why', { field: 'to', retryAfterMs: 12, errorId: 'e1' }),
    });
  });

  it('an error of a code that we do not know is internal, and its text is made safe', () => {
    const frame = readServerFrame(
      line({
        id: null,
        error: { code: -1, message: 'a\u001b[2Jb\n', data: { code: 'odd', retry_after_ms: -1 } },
      }),
    );
    expect(frame).toEqual({ kind: 'failure', id: null, error: new ChatError('internal', 'a\\x1b[2Jb\\x0a') });
  });

  it.each([
    ['nothing', ''],
    ['no JSON', '{'],
    ['a list', '[]'],
    ['null', 'null'],
    ['another version', '{"jsonrpc":"1.0","id":1,"result":{}}'],
    ['no version', '{"id":1,"result":{}}'],
    ['no id', line({ result: {} })],
    ['an id that is no whole number', line({ id: 1.5, result: {} })],
    ['an id that is text', line({ id: '1', result: {} })],
    ['no result', line({ id: 1 })],
    ['a result that is no object', line({ id: 1, result: 5 })],
    ['a result that is a list', line({ id: 1, result: [] })],
    ['an error that is no object', line({ id: 1, error: 'no' })],
    ['an error with a list of data', line({ id: 1, error: { data: [] } })],
    ['a method that is no text', line({ method: 5 })],
    ['a request with an odd id', line({ method: 'ping', id: {} })],
    ['an event without params', line({ method: 'message' })],
    ['presence that is not true or false', line({ method: 'presence', params: { user: 'a', online: 1 } })],
    ['presence of nobody', line({ method: 'presence', params: { user: '', online: true } })],
    ['an end without a reason', line({ method: 'session-ended', params: {} })],
    ...(
      [
        ['without a kind', { kind: undefined }],
        ['of a device that is no text', { device: 5 }],
        ['of failures that are no number', { failures: '5' }],
        ['from no address', { address: '' }],
        ['at no time', { at: 'now' }],
      ] as const
    ).map(([what, wrong]): [string, string] => {
      const right = { kind: 'new-device', door: 'http', address: '::1', at: '2027-01-15T08:00:00.000Z' };
      return [`a notice ${what}`, line({ method: 'account-notice', params: { ...right, ...wrong } })];
    }),
    ['lagging nowhere', line({ method: 'lagging', params: { to: 'lobby' } })],
    ['caught-up at no position', line({ method: 'caught-up', params: { to: '#a', seq: -1 } })],
  ])('%s is refused', (_, text) => {
    expect(() => readServerFrame(text)).toThrow(BadFrame);
  });

  it.each([
    ['to', undefined],
    ['to', 'lobby'],
    ['to', '#Lobby'],
    ['to', '#a\n'],
    ['to', `#${'a'.repeat(33)}`],
    ['seq', '7'],
    ['seq', 0],
    ['seq', -1],
    ['seq', 1.5],
    ['seq', 2 ** 53],
    ['id', ''],
    ['id', 5],
    ['id', 'a b'],
    ['id', 'x'.repeat(65)],
    ['sender', 'Alice'],
    ['sender', '\u001b[31m'],
    ['sent_at', 'yesterday'],
    ['sent_at', '2026-01-02T03:04:05+01:00'],
    ['text', 5],
    ['text', undefined],
    ['envelope', 'aGk='],
    ['envelope', 5],
  ])('a message with %s = %j is refused', (field, value) => {
    expect(() => readMessage({ ...message, [field]: value })).toThrow(BadFrame);
  });

  it('a message may carry an envelope instead of text, and nothing else comes through', () => {
    const { text, ...rest } = message;
    expect(text).toBe('hi');
    expect(readMessage({ ...rest, envelope: 'aGk=', extra: 1 })).toEqual({ ...rest, envelope: 'aGk=' });
  });

  it('the answers of send and follow are held to the same rules', () => {
    const { id, seq, sent_at } = message;
    expect(readStored({ id, seq, sent_at, extra: 1 })).toEqual({ id, seq, sent_at });
    expect(() => readStored({ id, seq: 0, sent_at })).toThrow(BadFrame);
    expect(readPosition({ to: '#a', after: 0 }, 'after')).toEqual({ to: '#a', seq: 0 });
    expect(() => readPosition({ to: '#a' }, 'after')).toThrow(BadFrame);
  });
});
