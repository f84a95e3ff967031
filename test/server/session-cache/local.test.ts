import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CachedSession } from '../../../src/core/ports/session-cache.ts';
import { localSessionCache } from '../../../src/server/session-cache/local.ts';
import { digest, opening, person } from '../../contract/support/people.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const alice = person('alice');
const entry = (): CachedSession => ({
  session: opening(alice).session,
  readAt: Date.now(),
  believedUntil: Date.now() + 5_000,
});

describe('the memory of one node', () => {
  it('has room for so many entries; the longest unused one gives way', async () => {
    const cache = localSessionCache({ maxEntries: 3 });
    const entries = [entry(), entry(), entry(), entry()];
    for (const [n, one] of entries.slice(0, 3).entries()) await cache.put(digest(n), one);
    expect(await cache.get(digest(0))).toEqual(entries[0]);
    await cache.put(digest(3), entry());
    expect(await cache.get(digest(1))).toBeUndefined();
    for (const n of [0, 2, 3]) expect(await cache.get(digest(n))).toBeDefined();
  });

  it('makes no room for an entry that it has under the same digest', async () => {
    const cache = localSessionCache({ maxEntries: 2 });
    await cache.put(digest(1), entry());
    const second = entry();
    await cache.put(digest(2), second);
    for (let times = 0; times < 5; times++) await cache.put(digest(1), entry());
    expect(await cache.get(digest(2))).toEqual(second);
  });

  it('forgets what gave way for good: its session can be dropped, and put again', async () => {
    const cache = localSessionCache({ maxEntries: 1 });
    const first = entry();
    await cache.put(digest(1), first);
    await cache.put(digest(2), entry());
    await cache.drop([first.session.id]);
    expect(await cache.get(digest(2))).toBeDefined();
    await cache.put(digest(3), first);
    expect(await cache.get(digest(3))).toEqual(first);
  });

  it('gives an entry out 1 ms before its moment, and not at its moment', async () => {
    const cache = localSessionCache({ maxEntries: 1 });
    await cache.put(digest(1), entry());
    vi.setSystemTime(1_004_999);
    expect(await cache.get(digest(1))).toBeDefined();
    vi.setSystemTime(1_005_000);
    expect(await cache.get(digest(1))).toBeUndefined();
    vi.setSystemTime(1_004_999);
    expect(await cache.get(digest(1))).toBeUndefined();
  });

  it('has done what it was asked before it answers', async () => {
    const cache = localSessionCache({ maxEntries: 1 });
    const one = entry();
    void cache.put(digest(1), one);
    void cache.drop([one.session.id]);
    expect(await cache.get(digest(1))).toBeUndefined();
  });
});
