import { describe, expect, it } from 'vitest';
import { CallQueue } from '../../src/server/call-queue.ts';
import { turn } from './support/until.ts';

interface Running {
  readonly name: string;
  end(): Promise<void>;
}

function queueing(options: { maxInFlight?: number; maxWaiting?: number; mayStart?: () => boolean } = {}) {
  const running: Running[] = [];
  const started: string[] = [];
  const failures: unknown[] = [];
  let ended = 0;
  const queue = new CallQueue({
    maxInFlight: options.maxInFlight ?? 0,
    maxWaiting: options.maxWaiting ?? 0,
    mayStart: options.mayStart ?? (() => true),
    onEnded: () => {
      ended += 1;
    },
    onFailure: (error) => failures.push(error),
  });
  const add = (name: string, size = 1): void => {
    queue.add(name.startsWith('o'), size, () => {
      started.push(name);
      return new Promise((resolve) => {
        running.push({
          name,
          end: () => {
            resolve();
            return turn();
          },
        });
      });
    });
  };
  const end = (name: string): Promise<void> | undefined => running.find((call) => call.name === name)?.end();
  return { queue, add, end, started, failures, ended: () => ended };
}

describe('the call queue', () => {
  it('is full when what waits is as large as may be, whatever runs, and has room when it has begun', async () => {
    const { queue, add, end } = queueing({ maxWaiting: 10 });
    add('x1', 1_000);
    expect(queue.isFull).toBe(false);
    add('o2', 6);
    add('o3', 3);
    expect(queue.isFull).toBe(false);
    add('o4', 1);
    expect(queue.isFull).toBe(true);
    await end('x1');
    expect(queue.isFull).toBe(false);
    add('x5', 10);
    expect(queue.isFull).toBe(true);
    queue.clear();
    expect(queue.isFull).toBe(false);
  });

  it('runs overlapping calls beside each other', () => {
    const { add, started } = queueing();
    for (const name of ['o1', 'o2', 'o3']) add(name);
    expect(started).toEqual(['o1', 'o2', 'o3']);
  });

  it('lets a call that does not overlap wait for all before it, and all after it wait for it', async () => {
    const { add, end, started } = queueing();
    for (const name of ['o1', 'o2', 'x3', 'o4', 'o5', 'x6']) add(name);
    expect(started).toEqual(['o1', 'o2']);
    await end('o2');
    expect(started).toEqual(['o1', 'o2']);
    await end('o1');
    expect(started).toEqual(['o1', 'o2', 'x3']);
    await end('x3');
    expect(started).toEqual(['o1', 'o2', 'x3', 'o4', 'o5']);
    await end('o4');
    expect(started).toHaveLength(5);
    await end('o5');
    expect(started).toEqual(['o1', 'o2', 'x3', 'o4', 'o5', 'x6']);
  });

  it('runs calls that do not overlap one by one in order', async () => {
    const { add, end, started } = queueing();
    for (const name of ['x1', 'x2', 'x3']) add(name);
    expect(started).toEqual(['x1']);
    await end('x1');
    expect(started).toEqual(['x1', 'x2']);
    await end('x2');
    expect(started).toEqual(['x1', 'x2', 'x3']);
  });

  it('is full at exactly its bound, running and waiting together, and never with bound 0', async () => {
    const { queue, add, end } = queueing({ maxInFlight: 2 });
    add('x1');
    expect(queue.isFull).toBe(false);
    add('x2');
    expect(queue.isFull).toBe(true);
    await end('x1');
    expect(queue.isFull).toBe(false);
    const unbounded = queueing();
    for (let i = 0; i < 5_000; i++) unbounded.add('x');
    expect(unbounded.queue.isFull).toBe(false);
  });

  it('begins nothing while nothing may start, and goes on when told', async () => {
    let mayStart = false;
    const { queue, add, started } = queueing({ mayStart: () => mayStart });
    add('o1');
    add('o2');
    expect(started).toEqual([]);
    mayStart = true;
    queue.advance();
    expect(started).toEqual(['o1', 'o2']);
  });

  it('says after each call that it ended, and is idle after the last', async () => {
    const { queue, add, end, ended } = queueing();
    expect(queue.isIdle).toBe(true);
    add('x1');
    add('o2');
    await end('x1');
    expect([ended(), queue.isIdle]).toEqual([1, false]);
    await end('o2');
    expect([ended(), queue.isIdle]).toEqual([2, true]);
  });

  it('forgets what has not begun', async () => {
    const { queue, add, end, started } = queueing();
    add('x1');
    add('x2');
    queue.clear();
    await end('x1');
    expect([started, queue.isIdle]).toEqual([['x1'], true]);
  });

  it('goes on after a call that rejected', async () => {
    const { queue, add, failures, started } = queueing();
    const error = new Error('a bug');
    queue.add(false, 1, () => Promise.reject(error));
    add('x2');
    await turn();
    expect([failures, started]).toEqual([[error], ['x2']]);
  });
});
