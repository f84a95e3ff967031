import { describe, expect, it } from 'vitest';
import { parseSince } from '../../src/cli/since.ts';

const now = Date.parse('2026-11-21T06:00:00.000Z');

describe('--since', () => {
  it.each([
    ['90s', '2026-11-21T05:58:30.000Z'],
    ['10m', '2026-11-21T05:50:00.000Z'],
    ['1.5h', '2026-11-21T04:30:00.000Z'],
    ['2d', '2026-11-19T06:00:00.000Z'],
    ['1w', '2026-11-14T06:00:00.000Z'],
    ['0s', '2026-11-21T06:00:00.000Z'],
    ['99999w', '1970-01-01T00:00:00.000Z'],
    ['2019-11-01', '2019-11-01T00:00:00.000Z'],
    ['2019-11-01 09:30', '2019-11-01T09:30:00.000Z'],
    ['2019-11-01 09:30:15', '2019-11-01T09:30:15.000Z'],
    ['2019-11-01T09:30:15.125Z', '2019-11-01T09:30:15.125Z'],
    ['2019-11-01T09:30:00+02:00', '2019-11-01T07:30:00.000Z'],
    ['2020-02-29', '2020-02-29T00:00:00.000Z'],
  ])('%s is a time', (given, at) => {
    expect(parseSince(given, now)).toEqual({ kind: 'time', at });
  });

  it('takes a message id in either case', () => {
    expect(parseSince('0193A6B0-0000-7000-8000-00000000000A', now)).toEqual({
      kind: 'message',
      id: '0193a6b0-0000-7000-8000-00000000000a',
    });
  });

  it('takes all', () => {
    expect(parseSince('all', now)).toEqual({ kind: 'all' });
  });

  it.each([
    'yesterday',
    '10',
    '10x',
    '-5m',
    '2019-13-01',
    '2019-02-29',
    '2019-02-30',
    '2019-11-01 25:00',
    '2019-11-01 09:60',
    'ALL',
    ' 1h',
    `${'9'.repeat(400)}w`,
  ])('refuses %s and says what it takes', (given) => {
    expect(() => parseSince(given, now)).toThrow(
      expect.objectContaining({
        code: 'invalid',
        message: `--since takes a message id, a time (2019-11-01 09:30:00, UTC), a duration (90s, 10m, 2h, 1d) or all, not ${JSON.stringify(given)}`,
      }),
    );
  });
});
