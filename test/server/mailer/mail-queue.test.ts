import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Mail } from '../../../src/core/ports/mailer.ts';
import { createMailQueue, type MailFailure } from '../../../src/server/mailer/mail-queue.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const mailTo = (to: string): Mail => ({ kind: 'reset', to: `${to}@example.org`, subject: 's', text: 't\n' });
const passing = { isPassing: true, cause: 'ECONNECTION' };
const lasting = { isPassing: false, cause: 'EENVELOPE 550' };

/** A queue whose deliveries end when, and as, the test says. */
function queue(parts: { atOnce?: number; maxWaiting?: number; waitsMs?: number[] } = {}) {
  const started: string[] = [];
  const failures: MailFailure[] = [];
  const ends: Array<(error?: object) => Promise<void>> = [];
  const mails = createMailQueue({
    atOnce: 2,
    maxWaiting: 3,
    waitsMs: [1_000, 10_000],
    ...parts,
    deliver: ({ to }) => {
      started.push(to.slice(0, to.indexOf('@')));
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      ends.push(async (error) => {
        if (error) reject(error);
        else resolve();
        await vi.advanceTimersByTimeAsync(0);
      });
      return promise;
    },
    judge: (error) => error as typeof passing,
    onGivenUp: (failure) => void failures.push(failure),
  });
  return { ...mails, started, failures, end: (index: number, error?: object) => ends[index]?.(error) };
}

describe('a queue of mail', () => {
  it('sends in order, no more at once than it may', async () => {
    const q = queue();
    for (const to of ['a', 'b', 'c', 'd']) q.send(mailTo(to));
    expect(q.started).toEqual(['a', 'b']);
    await q.end(1);
    expect(q.started).toEqual(['a', 'b', 'c']);
    await q.end(0);
    expect(q.started).toEqual(['a', 'b', 'c', 'd']);
  });

  it('tries again after each wait, no sooner, and gives up after the last', async () => {
    const q = queue();
    q.send(mailTo('a'));
    await q.end(0, passing);
    await vi.advanceTimersByTimeAsync(999);
    expect(q.started).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(q.started).toHaveLength(2);
    await q.end(1, passing);
    await vi.advanceTimersByTimeAsync(9_999);
    expect(q.started).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(q.started).toHaveLength(3);
    expect(q.failures).toEqual([]);
    await q.end(2, passing);
    expect(q.failures).toEqual([{ kind: 'reset', domain: 'example.org', tries: 3, cause: 'ECONNECTION' }]);
    await vi.advanceTimersByTimeAsync(1_000_000);
    expect(q.started).toHaveLength(3);
  });

  it('does not try again what cannot go through', async () => {
    const q = queue();
    q.send(mailTo('a'));
    await q.end(0, lasting);
    expect(q.failures).toEqual([{ kind: 'reset', domain: 'example.org', tries: 1, cause: 'EENVELOPE 550' }]);
    await vi.advanceTimersByTimeAsync(1_000_000);
    expect(q.started).toHaveLength(1);
  });

  it('a mail that waits for its next try holds nobody up', async () => {
    const q = queue({ atOnce: 1 });
    q.send(mailTo('a'));
    q.send(mailTo('b'));
    await q.end(0, passing);
    expect(q.started).toEqual(['a', 'b']);
  });

  it('takes as many as may wait, and gives the next one up at once', async () => {
    const q = queue({ atOnce: 1, maxWaiting: 2 });
    for (const to of ['a', 'b', 'c', 'd']) q.send(mailTo(to));
    expect(q.failures).toEqual([
      { kind: 'reset', domain: 'example.org', tries: 0, cause: 'too many mails are waiting' },
    ]);
    // One that waits for another try counts too.
    await q.end(0, passing);
    await q.end(1);
    expect(q.started).toEqual(['a', 'b', 'c']);
    q.send(mailTo('e'));
    expect(q.failures).toHaveLength(1);
    q.send(mailTo('f'));
    expect(q.failures).toHaveLength(2);
  });

  it('at its end waits for what is under way, and takes no more', async () => {
    const q = queue({ atOnce: 1 });
    for (const to of ['a', 'b']) q.send(mailTo(to));
    let isClosed = false;
    const closing = q.close(5_000).then(() => {
      isClosed = true;
    });
    q.send(mailTo('late'));
    expect(q.failures.map(({ cause }) => cause)).toEqual(['the server is ending']);
    await q.end(0);
    expect([q.started, isClosed]).toEqual([['a', 'b'], false]);
    await q.end(1);
    await closing;
    expect(q.failures).toHaveLength(1);
  });

  it('at its end waits no longer than it is given, and tries nothing again', async () => {
    const q = queue({ atOnce: 2, maxWaiting: 9 });
    for (const to of ['again', 'slow', 'waiting', 'behind']) q.send(mailTo(to));
    await q.end(0, passing);
    let isClosed = false;
    const closing = q.close(5_000).then(() => {
      isClosed = true;
    });
    await vi.advanceTimersByTimeAsync(4_999);
    expect(isClosed).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await closing;
    // The one that was to be tried again, and the one whose turn had not come.
    expect(q.failures.map(({ tries, cause }) => [tries, cause])).toEqual([
      [1, 'the server is ending'],
      [0, 'the server is ending'],
    ]);
    await q.end(2, passing);
    await vi.advanceTimersByTimeAsync(1_000_000);
    expect(q.started).toEqual(['again', 'slow', 'waiting']);
    expect(q.failures.at(-1)).toMatchObject({ tries: 1, cause: 'ECONNECTION' });
  });

  it('at its end is done at once when nothing is under way', async () => {
    await queue().close(5_000);
  });
});
