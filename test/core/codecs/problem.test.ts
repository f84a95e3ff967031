import { describe, expect, it } from 'vitest';
import {
  httpPhrase,
  httpStatuses,
  problem,
  problemHeaders,
  problemType,
} from '../../../src/core/codecs/problem.ts';
import { ChatError, errorCodes } from '../../../src/core/errors.ts';

describe('an error over HTTP', () => {
  it('has a status and a phrase for every code', () => {
    expect(errorCodes.map((code) => [code, httpStatuses[code], httpPhrase(httpStatuses[code])])).toEqual([
      ['invalid', 400, 'Bad Request'],
      ['unauthenticated', 401, 'Unauthorized'],
      ['second-factor-required', 401, 'Unauthorized'],
      ['forbidden', 403, 'Forbidden'],
      ['not-found', 404, 'Not Found'],
      ['conflict', 409, 'Conflict'],
      ['too-large', 413, 'Content Too Large'],
      ['unsupported', 404, 'Not Found'],
      ['rate-limited', 429, 'Too Many Requests'],
      ['unavailable', 503, 'Service Unavailable'],
      ['internal', 500, 'Internal Server Error'],
      ['untrusted', 500, 'Internal Server Error'],
      ['timeout', 504, 'Gateway Timeout'],
    ]);
  });

  it.each(errorCodes)('is a problem document: %s', (code) => {
    expect(problem(new ChatError(code, 'what is wrong'))).toEqual({
      type: 'about:blank',
      title: httpPhrase(httpStatuses[code]),
      status: httpStatuses[code],
      detail: 'what is wrong',
      code,
    });
  });

  it('has the nearer status of a door, with its phrase', () => {
    expect(problem(new ChatError('unsupported', 'no'), 405)).toMatchObject({
      status: 405,
      title: 'Method Not Allowed',
      code: 'unsupported',
    });
  });

  it('tells field, wait and id, and nothing of the cause', () => {
    const error = new ChatError('internal', 'oops', {
      field: 'to',
      retryAfterMs: 1,
      errorId: 'id',
      cause: new Error('/etc/secret'),
    });
    expect(problem(error)).toEqual({
      type: 'about:blank',
      title: 'Internal Server Error',
      status: 500,
      detail: 'oops',
      code: 'internal',
      field: 'to',
      retry_after_ms: 1,
      error_id: 'id',
    });
  });

  it.each([
    [0, '0'],
    [1, '1'],
    [999, '1'],
    [1_000, '1'],
    [1_001, '2'],
  ])('asks to wait whole seconds, never too few: %i ms are %s', (retryAfterMs, seconds) => {
    expect(problemHeaders(new ChatError('rate-limited', 'wait', { retryAfterMs }))).toEqual({
      'Content-Type': problemType,
      'Retry-After': seconds,
    });
  });

  it.each(['unauthenticated', 'second-factor-required'] as const)('says how to log in: %s', (code) => {
    expect(problemHeaders(new ChatError(code, 'who?'))).toEqual({
      'Content-Type': 'application/problem+json',
      'WWW-Authenticate': 'Bearer',
    });
  });

  it('has no other header', () => {
    expect(problemHeaders(new ChatError('invalid', 'no'))).toEqual({
      'Content-Type': 'application/problem+json',
    });
  });
});
