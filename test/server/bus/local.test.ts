import { describe, expect, it } from 'vitest';
import type { Notice } from '../../../src/core/ports/bus.ts';
import { localBus } from '../../../src/server/bus/local.ts';

const notice: Notice = { type: 'sessions-ended', ids: [], reason: 'revoked' };

describe('the local bus', () => {
  it('gives every notice to every listener before publish returns, until it has stopped', () => {
    const bus = localBus(() => {});
    const heard: string[] = [];
    const stop = bus.subscribe(() => heard.push('one'));
    bus.subscribe(() => heard.push('two'));
    bus.publish(notice);
    stop();
    stop();
    bus.publish(notice);
    bus.deliver(notice);
    expect([heard, bus.isShared]).toEqual([['one', 'two', 'two', 'two'], false]);
  });

  it('counts a listener that subscribed twice as two', () => {
    const bus = localBus(() => {});
    let heard = 0;
    const listener = (): void => {
      heard += 1;
    };
    bus.subscribe(listener);
    bus.subscribe(listener)();
    bus.publish(notice);
    expect(heard).toBe(1);
  });

  it('reports a listener that throws, and goes on', () => {
    const failures: unknown[] = [];
    const bus = localBus((error) => failures.push(error));
    const bug = new Error('a bug');
    let heard = 0;
    bus.subscribe(() => {
      throw bug;
    });
    bus.subscribe(() => {
      heard += 1;
    });
    bus.publish(notice);
    expect([failures, heard]).toEqual([[bug], 1]);
  });
});
