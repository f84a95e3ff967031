import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ChatError } from '../../src/core/errors.ts';
import { createLog } from '../../src/server/log.ts';

beforeEach(() => {
  vi.useFakeTimers();
  vi.setSystemTime(Date.UTC(2026, 0, 2, 3, 4, 5, 6));
});
afterEach(() => void vi.useRealTimers());

function logging(format: 'text' | 'json') {
  const lines: string[] = [];
  return { lines, log: createLog({ format }, (line) => lines.push(line)) };
}

const forged = 'a\nb\r\x1b[2J\u2028\u202e\u200b\u0085"=\u{e0001}';

describe('the log', () => {
  it('writes one line an event, with its time, level and fields', () => {
    const { log, lines } = logging('text');
    log.info('started', { address: '127.0.0.1:8080', note: 'two words', nothing: undefined });
    log.warn('full', { count: 3 });
    expect(lines).toEqual([
      '2026-01-02T03:04:05.006Z info started address=127.0.0.1:8080 note="two words"',
      '2026-01-02T03:04:05.006Z warn full count=3',
    ]);
  });

  it.each(['text', 'json'] as const)(
    'tells apart what is talk: warnings, failures and what is on record are none (%s)',
    (format) => {
      const talk: boolean[] = [];
      const log = createLog({ format }, (_line, isTalk) => talk.push(isTalk));
      log.info('started');
      log.record('audit', { operation: 'login' });
      log.warn('full');
      log.failure('failure', new Error('a bug'));
      expect(talk).toEqual([true, false, false, false]);
    },
  );

  it('writes what is on record as info', () => {
    const { log, lines } = logging('text');
    log.record('audit', { operation: 'login' });
    expect(lines).toEqual(['2026-01-02T03:04:05.006Z info audit operation=login']);
  });

  it('writes the same as JSON', () => {
    const { log, lines } = logging('json');
    log.info('started', { address: '127.0.0.1:8080', nothing: undefined });
    expect(lines).toEqual([
      '{"level":"info","time":"2026-01-02T03:04:05.006Z","address":"127.0.0.1:8080","event":"started"}',
    ]);
  });

  it.each(['text', 'json'] as const)(
    '16.4.1: a value cannot forge a line or move a cursor (%s)',
    (format) => {
      const { log, lines } = logging(format);
      log.info('audit', { user: forged });
      expect(lines).toHaveLength(1);
      expect(lines[0]).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      const quoted =
        format === 'json' ? JSON.parse(lines[0] ?? '').user : JSON.parse(lines[0]?.split('user=')[1] ?? '');
      expect(quoted).toBe(forged);
    },
  );

  it('names a failure by an id, and tells its stack and causes', () => {
    const { log, lines } = logging('json');
    const cause = new ChatError('unavailable', 'the disk is full', { cause: 'ENOSPC' });
    const error = new Error('a bug', { cause });
    const id = log.failure('failure', error);
    const line = JSON.parse(lines[0] ?? '');
    expect([line.level, line.error_id, log.failure('failure', error, 'given')]).toEqual([
      'error',
      id,
      'given',
    ]);
    expect(line.error).toContain('a bug\n    at ');
    expect(line.error).toContain('caused by unavailable: the disk is full\ncaused by ENOSPC');
    log.failure('failure', 'no error at all');
    expect(JSON.parse(lines[2] ?? '').error).toBe('no error at all');
  });

  it.each([
    ['debug', ['call', 'started', 'audit', 'full', 'failure']],
    ['info', ['started', 'audit', 'full', 'failure']],
    ['warn', ['audit', 'full', 'failure']],
    ['error', ['audit', 'failure']],
  ] as const)('writes from %s on, and always what is on record and failures', (level, expected) => {
    const events: string[] = [];
    const log = createLog({ format: 'json', level }, (line) => events.push(JSON.parse(line).event));
    log.debug('call');
    log.info('started');
    log.record('audit');
    log.warn('full');
    log.failure('failure', new Error('a bug'));
    expect(events).toEqual(expected);
  });

  it('has a note and other fields of a failure before what was thrown', () => {
    const { log, lines } = logging('text');
    const error = new ChatError('unavailable', 'the disk is full');
    log.failure('store-failed', error, 'id', { note: 'it ends' });
    expect(lines).toEqual([
      '2026-01-02T03:04:05.006Z error store-failed error_id=id note="it ends" error="unavailable: the disk is full"',
    ]);
  });

  it.each(['text', 'json'] as const)(
    '16.2.5: lets no field out that is named like a secret (%s)',
    (format) => {
      const { log, lines } = logging(format);
      log.info('audit', { user: 'sam', password: 'hunter2', session_token: 'hunter2', proof: 'hunter2' });
      expect(lines.join()).not.toContain('hunter2');
      expect(lines.join()).toContain('sam');
    },
  );
});
