import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type CrashSource, guardProcess } from '../../src/server/crash-guard.ts';
import { createLog } from '../../src/server/log.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function guarding() {
  const source = new EventEmitter();
  const before: unknown[] = [];
  source.on('uncaughtException', (error) => before.push(error));
  const lines: string[] = [];
  let broken = 0;
  const log = createLog({ format: 'json' }, (line) => lines.push(line));
  const release = guardProcess(source as unknown as CrashSource, log, () => {
    broken += 1;
  });
  return { source, before, lines, release, broken: () => broken };
}

describe('the crash guard', () => {
  it('16.5.4: logs what nobody caught under an id, and lets the process live', () => {
    const { source, before, lines, broken } = guarding();
    source.emit('uncaughtException', new Error('one'));
    source.emit('unhandledRejection', 'two');
    expect([lines.map((line) => JSON.parse(line).event), before, broken()]).toEqual([
      ['uncaught', 'uncaught'],
      [],
      0,
    ]);
    expect(JSON.parse(lines[0] ?? '').error_id).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('ends in order at the tenth within a minute, once', () => {
    const { source, broken } = guarding();
    for (let i = 0; i < 9; i++) source.emit('uncaughtException', new Error('again'));
    expect(broken()).toBe(0);
    vi.advanceTimersByTime(59_999);
    source.emit('uncaughtException', new Error('again'));
    expect(broken()).toBe(1);
    source.emit('uncaughtException', new Error('again'));
    expect(broken()).toBe(1);
  });

  it('forgets what was a minute ago', () => {
    const { source, broken } = guarding();
    for (let i = 0; i < 9; i++) source.emit('uncaughtException', new Error('again'));
    vi.advanceTimersByTime(60_000);
    source.emit('uncaughtException', new Error('again'));
    expect(broken()).toBe(0);
  });

  it('puts back who listened before', () => {
    const { source, before, lines, release } = guarding();
    release();
    const error = new Error('later');
    source.emit('uncaughtException', error);
    expect([before, lines]).toEqual([[error], []]);
  });
});
