import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Session } from '../../src/core/model/session.ts';
import type { CachedSession, SessionCache } from '../../src/core/ports/session-cache.ts';
import type { Store } from '../../src/core/ports/store.ts';
import { localSessionCache } from '../../src/server/session-cache/local.ts';
import {
  badToken,
  FakePeer,
  loggedIn,
  login,
  type OpenChatParts,
  openChat,
  peer,
  refusal,
  register,
  type TestChat,
} from './support/chat.ts';
import { Network } from './support/network.ts';
import { SharedSessionCache } from './support/shared-session-cache.ts';

const second = 1_000;
const minute = 60 * second;
const day = 24 * 60 * minute;
const start = Date.parse('2026-03-01T12:00:00.000Z');

beforeEach(() => {
  vi.useFakeTimers({ now: start });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A request's connection. */
const request = (): FakePeer => new FakePeer({ door: 'http', events: null });

/** Makes one whole request with a token: whose is it? */
async function whoAmI(t: TestChat, token: string): Promise<string> {
  const one = request();
  try {
    await t.chat.identify(one, token);
    return (await t.call(one, 'account.me', {})).username;
  } finally {
    one.leave();
  }
}

/** Everything that a node asks of its store about tokens, and a hand on the answers. */
class Watched {
  asked = 0;
  touched: number[] = [];
  /** Called with each answer before it is given; the answer waits for it. */
  before: ((session: Session | undefined) => Promise<unknown> | undefined) | undefined;
  readonly wrap = (store: Store): Store => ({
    ...store,
    sessionByToken: async (hash) => {
      this.asked++;
      const session = await store.sessionByToken(hash);
      await this.before?.(session);
      return session;
    },
    touchSession: (touch) => {
      this.touched.push(touch.lastUsedAt - start);
      return store.touchSession(touch);
    },
  });
}

/** A chat whose store is watched, with an account `alice` and a session of hers that no connection holds. */
async function open(
  parts: OpenChatParts = {},
): Promise<{ t: TestChat; store: Watched; token: string; refresh: string; id: string }> {
  const store = new Watched();
  const t = await openChat({ store: store.wrap, ...parts });
  await register(t, 'alice');
  const alice = await loggedIn(t, 'alice', { door: 'http', events: null });
  alice.leave();
  const { session_token: token, refresh_token: refresh, session_id: id } = alice.opened;
  return { t, store, token, refresh, id };
}

/** Two nodes over one store, with memories of their own and a cache between them. */
async function openTwo(policy: OpenChatParts['policy'] = {}, hereAheadMs = 0) {
  const network = new Network();
  const shared = new SharedSessionCache();
  const caches = (aheadMs = 0) => [localSessionCache({ maxEntries: 100 }), shared.open(aheadMs)];
  const {
    t: here,
    store,
    ...session
  } = await open({
    bus: () => network.open(),
    caches: caches(hereAheadMs),
    policy,
  });
  const there = await openChat({ beside: here, bus: () => network.open(), caches: caches(), policy });
  return { here, there, store, network, shared, ...session };
}

/** A cache that somebody else has filled, and that keeps nothing. */
function filledWith(entry: () => CachedSession | undefined): SessionCache {
  return {
    isShared: true,
    get: async () => entry(),
    put: async () => undefined,
    drop: async () => undefined,
  };
}

/** Something that the test opens when it wants. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

describe('a token that is known in memory', () => {
  it('is believed without asking the store, at every door', async () => {
    const { t, store, token } = await open();
    expect(await whoAmI(t, token)).toBe('alice');
    expect(store.asked).toBe(1);
    for (let times = 0; times < 10; times++) expect(await whoAmI(t, token)).toBe('alice');
    await t.call(peer(), 'login.resume', { session_token: token });
    expect(store.asked).toBe(1);
  });

  it('on a node that is alone is asked of the store again 60 s after it was read, not 1 ms sooner', async () => {
    const { t, store, token } = await open();
    await whoAmI(t, token);
    vi.advanceTimersByTime(minute - 1);
    await whoAmI(t, token);
    expect(store.asked).toBe(1);
    vi.advanceTimersByTime(1);
    await whoAmI(t, token);
    expect(store.asked).toBe(2);
  });

  it('on a node among others is asked of the store again 4 s after it was read, not 1 ms sooner', async () => {
    const { here, store, token } = await openTwo();
    await whoAmI(here, token);
    vi.advanceTimersByTime(3_999);
    await whoAmI(here, token);
    expect(store.asked).toBe(1);
    vi.advanceTimersByTime(1);
    await whoAmI(here, token);
    expect(store.asked).toBe(2);
  });

  it('is believed for a time that begins when the store is asked, not when it answers', async () => {
    const { here, store, token } = await openTwo();
    const answer = gate();
    store.before = () => answer.opened;
    const first = whoAmI(here, token);
    await here.quiet();
    vi.advanceTimersByTime(3_000);
    answer.open();
    await first;
    vi.advanceTimersByTime(999);
    await whoAmI(here, token);
    expect(store.asked).toBe(1);
    vi.advanceTimersByTime(1);
    await whoAmI(here, token);
    expect(store.asked).toBe(2);
  });

  it('7.2.4: is one that lives: what the store did not have is asked of it every time', async () => {
    const hidden = { hides: true };
    const { t, token } = await open({
      store: (store) => ({
        ...store,
        sessionByToken: async (hash) => (hidden.hides ? undefined : await store.sessionByToken(hash)),
      }),
    });
    expect(await refusal(whoAmI(t, token))).toEqual(badToken);
    hidden.hides = false;
    expect(await whoAmI(t, token)).toBe('alice');
  });

  it('is forgotten with the others when too many are: the store is asked', async () => {
    const { t, store, token } = await open({ caches: [localSessionCache({ maxEntries: 1 })] });
    const other = (await loggedIn(t, 'alice')).opened.session_token;
    for (let times = 0; times < 3; times++) {
      expect(await whoAmI(t, token)).toBe('alice');
      expect(await whoAmI(t, other)).toBe('alice');
    }
    expect(store.asked).toBe(6);
  });

  it('needs no cache at all', async () => {
    const { t, store, token } = await open({ caches: [] });
    await whoAmI(t, token);
    await whoAmI(t, token);
    expect(store.asked).toBe(2);
  });
});

describe('tiers of caches', () => {
  it('are asked in turn, and what a farther one knew is in the nearer ones from then on', async () => {
    const { here, there, store, shared, token } = await openTwo();
    await whoAmI(here, token);
    expect([store.asked, shared.size]).toEqual([1, 1]);
    await whoAmI(there, token);
    expect(store.asked).toBe(1);
    // The other node's memory has it from the shared one.
    shared.clear();
    await whoAmI(there, token);
    expect([store.asked, shared.size]).toEqual([1, 0]);
  });

  it('give on until when it may be believed, and start no new time', async () => {
    const { here, there, store, token } = await openTwo();
    await whoAmI(here, token);
    vi.advanceTimersByTime(3_999);
    await whoAmI(there, token);
    expect(store.asked).toBe(1);
    vi.advanceTimersByTime(1);
    await whoAmI(there, token);
    expect(store.asked).toBe(2);
  });

  it.each([
    ['is down', 'fails', 'the cache is down'],
    ['gives no answers', 'answers-lost', 'the cache did not answer'],
  ] as const)(
    'a cache that %s fails no request, and is told of at most every 10 s',
    async (_what, weather, message) => {
      const shared = new SharedSessionCache();
      const { t, store, token } = await open({ caches: [shared.open()] });
      shared.weather = weather;
      store.asked = 0;
      const failuresAfter = async (waitMs: number): Promise<unknown[]> => {
        vi.advanceTimersByTime(waitMs);
        for (let times = 0; times < 3; times++) expect(await whoAmI(t, token)).toBe('alice');
        await t.call(peer(), 'login.resume', { session_token: token });
        return t.failures.map(({ error }) => (error as Error).message);
      };
      expect(await failuresAfter(0)).toEqual([message]);
      expect(await failuresAfter(9_999)).toEqual([message]);
      expect(await failuresAfter(1)).toEqual([message, message]);
      expect(store.asked).toBe(12);
      shared.weather = 'fine';
      await failuresAfter(10_000);
      store.asked = 0;
      expect(await failuresAfter(0)).toEqual([message, message]);
      expect(store.asked).toBe(0);
    },
  );

  it('a cache that throws before it has begun fails no request either', async () => {
    const broken = (): never => {
      throw new Error('no such method');
    };
    const { t, token } = await open({ caches: [{ isShared: true, get: broken, put: broken, drop: broken }] });
    expect(await whoAmI(t, token)).toBe('alice');
    const one = request();
    await t.chat.identify(one, token);
    expect(await t.call(one, 'session.end', {})).toEqual({});
    expect(await refusal(whoAmI(t, token))).toEqual(badToken);
  });

  it('an entry is not believed that is older than may be, nor one from a clock that is ahead', async () => {
    let entry: CachedSession | undefined;
    const network = new Network();
    const { t, store, token } = await open({ bus: () => network.open(), caches: [filledWith(() => entry)] });
    const one = request();
    await t.chat.identify(one, token);
    const session = one.session as Session;
    const asks = async (readAt: number, believedUntil: number): Promise<number> => {
      entry = { session, readAt, believedUntil };
      store.asked = 0;
      expect(await whoAmI(t, token)).toBe('alice');
      return store.asked;
    };
    vi.advanceTimersByTime(60 * minute);
    const now = Date.now();
    expect(await asks(now, now + 5_000)).toBe(0);
    expect(await asks(now + 1, now + 5_001)).toBe(1);
    expect(await asks(now - 3_999, now + 1)).toBe(0);
    expect(await asks(now - 3_999, now)).toBe(1);
    // Whatever the entry says of itself.
    expect(await asks(now - 4_000, now + day)).toBe(1);
  });

  it('an entry whose session looks dead is asked of the store: it may have been used elsewhere', async () => {
    let entry: CachedSession | undefined;
    const { t, store, token } = await open({ caches: [filledWith(() => entry)] });
    const one = request();
    await t.chat.identify(one, token);
    const session = one.session as Session;
    vi.advanceTimersByTime(3 * minute);
    await t.quiet();
    entry = {
      session: { ...session, lastUsedAt: Date.now() - day },
      readAt: Date.now(),
      believedUntil: Infinity,
    };
    // The session is kept open by a request; without it nothing but the entry is known here.
    one.leave();
    store.asked = 0;
    vi.advanceTimersByTime(2 * minute);
    await t.quiet();
    entry = { ...entry, readAt: Date.now() };
    expect(await whoAmI(t, token)).toBe('alice');
    expect(store.asked).toBe(1);
  });
});

describe('a session that has ended', () => {
  /** Every way in which a session ends by somebody's will. */
  const ends: ReadonlyArray<
    readonly [
      string,
      (t: TestChat, session: { token: string; refresh: string; id: string }) => Promise<unknown>,
    ]
  > = [
    [
      'by its own request',
      async (t, { token }) => {
        const one = request();
        await t.chat.identify(one, token);
        await t.call(one, 'session.end', {});
      },
    ],
    [
      'by another session of its account',
      async (t, { id }) => {
        const alice = await loggedIn(t, 'alice');
        await t.call(alice, 'session.revoke', { id });
      },
    ],
    [
      'with all others of its account',
      async (t) => {
        const alice = await loggedIn(t, 'alice');
        await t.call(alice, 'session.revoke', { others: true });
      },
    ],
    [
      'by a login on its device',
      async (t, { token }) => {
        const one = request();
        await t.chat.identify(one, token);
        const { deviceId } = one.session as Session;
        await login(t, peer(), 'alice', { device: { id: deviceId } });
      },
    ],
    [
      'by a refresh token that was used twice',
      async (t, { refresh }) => {
        await t.call(peer(), 'session.refresh', { refresh_token: refresh });
        vi.advanceTimersByTime(20_000);
        expect(await refusal(t.call(peer(), 'session.refresh', { refresh_token: refresh }))).toEqual(
          badToken,
        );
      },
    ],
  ];

  it.each(ends)('7.4.1: is in no cache of its node any more: %s', async (_how, end) => {
    const { t, token, ...session } = await open();
    await whoAmI(t, token);
    await end(t, { token, ...session });
    expect(await refusal(whoAmI(t, token))).toEqual(badToken);
    expect(await refusal(t.call(peer(), 'login.resume', { session_token: token }))).toEqual(badToken);
  });

  it.each(ends)(
    '7.4.1: is dead at once even when no cache forgets and no notice arrives: %s',
    async (_how, end) => {
      const { here, network, shared, token, ...session } = await openTwo();
      await whoAmI(here, token);
      network.weather = 'lost';
      shared.keepsAll = true;
      await end(here, { token, ...session });
      for (let times = 0; times < 20; times++) {
        expect(await refusal(whoAmI(here, token))).toEqual(badToken);
        vi.advanceTimersByTime(999);
      }
    },
  );

  it.each(ends)(
    '7.4.1: is dead on another node as soon as the notice arrives there: %s',
    async (_how, end) => {
      const { here, there, shared, token, ...session } = await openTwo();
      await whoAmI(there, token);
      const one = request();
      await there.chat.identify(one, token);
      const line = peer();
      await there.call(line, 'login.resume', { session_token: token });
      shared.keepsAll = true;
      await end(here, { token, ...session });
      expect(await refusal(whoAmI(there, token))).toEqual(badToken);
    },
  );

  it('7.4.1: lives on another node for less than 4 s when every notice is lost, however often it is used', async () => {
    const { here, there, network, shared, token } = await openTwo();
    network.weather = 'lost';
    shared.keepsAll = true;
    const one = request();
    await here.chat.identify(one, token);
    await whoAmI(there, token);
    await here.call(one, 'session.end', {});
    for (let times = 0; times < 4; times++) {
      expect(await whoAmI(there, token)).toBe('alice');
      vi.advanceTimersByTime(times < 3 ? 1_000 : 999);
    }
    expect(await whoAmI(there, token)).toBe('alice');
    vi.advanceTimersByTime(1);
    expect(await refusal(whoAmI(there, token))).toEqual(badToken);
  });

  it.each([-30_000, -3_999, -1_000, 0, 1_000, 3_000, 3_999, 30_000])(
    '7.4.1: and every connection that began with it is ended there in less than 5 s, when the clock that wrote the shared cache is %i ms ahead',
    async (aheadMs) => {
      const { here, there, network, shared, token } = await openTwo({}, aheadMs);
      network.weather = 'lost';
      shared.keepsAll = true;
      const one = request();
      await here.chat.identify(one, token);
      await here.call(one, 'session.end', {});
      const endedAt = Date.now();
      // Whoever may still come in does, at each moment.
      const lines: FakePeer[] = [];
      for (let passed = 0; passed < 5_000; passed += 100) {
        const line = peer();
        await there.call(line, 'login.resume', { session_token: token }).catch(() => {});
        if (line.session) lines.push(line);
        vi.advanceTimersByTime(passed < 4_900 ? 100 : 99);
        await there.quiet();
      }
      expect(Date.now() - endedAt).toBe(4_999);
      if (aheadMs >= 0 && aheadMs < 3_000) expect(lines.length).toBeGreaterThan(0);
      expect(lines.filter(({ endings }) => endings.length === 0)).toEqual([]);
      expect(await refusal(whoAmI(there, token))).toEqual(badToken);
      const line = peer();
      expect(await refusal(there.call(line, 'login.resume', { session_token: token }))).toEqual(badToken);
    },
  );

  it('7.4.1: is put into no cache by a lookup that began before the end and is answered after it', async () => {
    const puts: CachedSession[] = [];
    const spy: SessionCache = {
      ...filledWith(() => undefined),
      put: async (_hash, entry) => {
        puts.push(entry);
      },
    };
    const { t, store, token, id } = await open({ caches: [localSessionCache({ maxEntries: 9 }), spy] });
    const owner = await loggedIn(t, 'alice');
    const answer = gate();
    store.before = () => answer.opened;
    const one = request();
    const line = peer();
    const late = Promise.all([
      refusal(t.chat.identify(one, token)),
      refusal(t.call(line, 'login.resume', { session_token: token })),
    ]);
    await t.quiet();
    await t.call(owner, 'session.revoke', { id });
    answer.open();
    expect(await late).toEqual([badToken, badToken]);
    expect([one.session, line.session, puts]).toEqual([undefined, undefined, []]);
    expect(await refusal(whoAmI(t, token))).toEqual(badToken);
  });

  it('7.4.1: does not begin when it ended before its login was answered', async () => {
    const answer = gate();
    const opened = gate();
    let holds = false;
    const { t } = await open({
      store: (store) => ({
        ...store,
        openSession: async (session) => {
          const outcome = await store.openSession(session);
          if (!holds) return outcome;
          opened.open();
          await answer.opened;
          return outcome;
        },
      }),
    });
    const owner = await loggedIn(t, 'alice');
    holds = true;
    const late = peer();
    const refused = refusal(login(t, late, 'alice'));
    await opened.opened;
    await t.call(owner, 'session.revoke', { others: true });
    answer.open();
    expect(await refused).toEqual(badToken);
    expect(late.session).toBeUndefined();
  });

  it('7.4.1: is dead on its node though another one whose clock is 3 s ahead has put it into the shared cache', async () => {
    let entry: CachedSession | undefined;
    const network = new Network();
    const { t, token } = await open({ bus: () => network.open(), caches: [filledWith(() => entry)] });
    const one = request();
    await t.chat.identify(one, token);
    const readAt = Date.now() + 3_000;
    entry = { session: one.session as Session, readAt, believedUntil: readAt + 5_000 };
    await t.call(one, 'session.end', {});
    for (let times = 0; times < 9; times++) {
      expect(await refusal(whoAmI(t, token))).toEqual(badToken);
      vi.advanceTimersByTime(1_000);
    }
  });

  it('7.3.1: is put into no cache when it died of idleness', async () => {
    const puts: CachedSession[] = [];
    const spy: SessionCache = {
      ...filledWith(() => undefined),
      put: async (_hash, entry) => {
        puts.push(entry);
      },
    };
    const { t, token } = await open({ caches: [spy] });
    vi.advanceTimersByTime(day);
    expect(await refusal(whoAmI(t, token))).toEqual(badToken);
    expect(puts).toEqual([]);
  });

  it('7.4.1: is out of the shared cache for nodes that have just started', async () => {
    const { here, shared, token } = await openTwo();
    const one = request();
    await here.chat.identify(one, token);
    expect(shared.size).toBe(1);
    await here.call(one, 'session.end', {});
    expect(shared.size).toBe(0);
  });
});

describe('a session that has changed', () => {
  it('7.2.4: after a refresh the old token is dead at once and the new one alive, on every node', async () => {
    const { here, there, shared, token, refresh } = await openTwo();
    const line = peer();
    await here.call(line, 'login.resume', { session_token: token });
    await whoAmI(here, token);
    await whoAmI(there, token);
    shared.keepsAll = true;
    const next = await here.call(peer(), 'session.refresh', { refresh_token: refresh });
    for (const node of [here, there]) {
      expect(await refusal(whoAmI(node, token))).toEqual(badToken);
      expect(await whoAmI(node, next.session_token)).toBe('alice');
    }
    // Whoever is connected stays.
    expect([line.endings, (await here.call(line, 'account.me', {})).username]).toEqual([[], 'alice']);
  });

  it('7.2.4: after a refresh the old token is dead on that node also when no cache forgets and no notice arrives', async () => {
    const { here, network, shared, token, refresh } = await openTwo();
    const line = peer();
    await here.call(line, 'login.resume', { session_token: token });
    network.weather = 'lost';
    shared.keepsAll = true;
    vi.advanceTimersByTime(second);
    const next = await here.call(peer(), 'session.refresh', { refresh_token: refresh });
    for (let times = 0; times < 8; times++) {
      expect(await refusal(whoAmI(here, token))).toEqual(badToken);
      expect(await whoAmI(here, next.session_token)).toBe('alice');
      vi.advanceTimersByTime(second);
    }
    expect(line.session?.absoluteExpiresAt).toBe(start + second + 7 * day);
  });

  it('7.2.4: a lookup of the old token that began before the refresh lets nobody in after it', async () => {
    const { t, store, token, refresh } = await open();
    const answer = gate();
    store.before = () => answer.opened;
    const late = refusal(t.chat.identify(request(), token));
    await t.quiet();
    const next = await t.call(peer(), 'session.refresh', { refresh_token: refresh });
    answer.open();
    expect(await late).toEqual(badToken);
    expect(await refusal(whoAmI(t, token))).toEqual(badToken);
    expect(await whoAmI(t, next.session_token)).toBe('alice');
  });

  it('is known in memory again soon after: the store is not asked for each request', async () => {
    const { t, store, refresh } = await open();
    const next = await t.call(peer(), 'session.refresh', { refresh_token: refresh });
    vi.advanceTimersByTime(1);
    for (let times = 0; times < 10; times++) await whoAmI(t, next.session_token);
    expect(store.asked).toBe(1);
  });

  it('the latest CSRF token counts, and no other, for requests whose session was cached before', async () => {
    const { here, there, token } = await openTwo();
    const issue = async (): Promise<string> => {
      const one = request();
      await here.chat.identify(one, token);
      const { csrf_token } = await here.call(one, 'session.issue-csrf-token', {});
      one.leave();
      return csrf_token;
    };
    const check = async (t: TestChat, csrf: string): Promise<boolean> => {
      const one = request();
      await t.chat.identify(one, token);
      const checked = t.call(one, 'session.check-csrf-token', { csrf_token: csrf });
      const isGood = await checked.then(
        () => true,
        () => false,
      );
      one.leave();
      return isGood;
    };
    let before = '';
    for (let times = 0; times < 3; times++) {
      await whoAmI(there, token);
      const csrf = await issue();
      for (const node of [here, there]) {
        expect([await check(node, csrf), await check(node, before)]).toEqual([true, false]);
      }
      before = csrf;
      // So long that nothing but the caches knows the session.
      vi.advanceTimersByTime(times === 0 ? 3 * minute : 1);
      await here.quiet();
    }
  });

  it('a row that was read before the change does not come back over the newer one', async () => {
    const { t, store, token } = await open();
    const holder = request();
    await t.chat.identify(holder, token);
    vi.advanceTimersByTime(minute);
    const answer = gate();
    store.before = () => answer.opened;
    const late = request();
    const identified = t.chat.identify(late, token);
    await t.quiet();
    const { csrf_token } = await t.call(holder, 'session.issue-csrf-token', {});
    answer.open();
    await identified;
    expect(await t.call(late, 'session.check-csrf-token', { csrf_token })).toEqual({});
    expect(await t.call(holder, 'session.check-csrf-token', { csrf_token })).toEqual({});
  });
});

describe('the last use of a session', () => {
  const idleMs = 30 * second;

  it('7.3.1: is the newest that is known here, to the millisecond, though the store hears of it later', async () => {
    const { t, token } = await open({ policy: { sessionIdleMs: idleMs } });
    for (let times = 0; times < 20; times++) {
      vi.advanceTimersByTime(idleMs - 1);
      expect(await whoAmI(t, token)).toBe('alice');
    }
    vi.advanceTimersByTime(idleMs);
    expect(await refusal(whoAmI(t, token))).toEqual(badToken);
  });

  it('7.3.1: is known when the last request was a while ago and nothing is in memory', async () => {
    const { t, token } = await open({ caches: [] });
    for (const wait of [10 * second, 20 * second, 59 * second, 2 * minute]) {
      vi.advanceTimersByTime(wait);
      await whoAmI(t, token);
    }
    const last = Date.now();
    vi.advanceTimersByTime(10 * minute);
    await t.quiet();
    vi.setSystemTime(last + day - 1);
    expect(await whoAmI(t, token)).toBe('alice');
    vi.advanceTimersByTime(10 * minute);
    await t.quiet();
    vi.setSystemTime(last + day - 1 + day);
    expect(await refusal(whoAmI(t, token))).toEqual(badToken);
  });

  it('is written at most once a minute, and once more after the last request', async () => {
    const { t, store, token } = await open();
    for (let times = 0; times < 40; times++) {
      vi.advanceTimersByTime(5 * second);
      await whoAmI(t, token);
    }
    const ofRequests = [55 * second, 115 * second, 175 * second];
    expect(store.touched).toEqual(ofRequests);
    vi.advanceTimersByTime(40 * second - 1);
    expect(store.touched).toHaveLength(3);
    vi.advanceTimersByTime(1);
    expect(store.touched).toEqual([...ofRequests, 200 * second]);
    vi.advanceTimersByTime(day / 2);
    expect(store.touched).toHaveLength(4);
  });

  it('is written a minute later at the latest for a connection that stays and says no more', async () => {
    const { t, store, token } = await open();
    const line = peer();
    vi.advanceTimersByTime(10 * second);
    await t.call(line, 'login.resume', { session_token: token });
    vi.advanceTimersByTime(5 * second);
    await t.call(line, 'account.me', {});
    vi.advanceTimersByTime(45 * second - 1);
    expect(store.touched).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(store.touched).toEqual([15 * second]);
    vi.advanceTimersByTime(day / 2);
    expect(store.touched).toEqual([15 * second]);
    expect(line.endings).toEqual([]);
  });

  it('7.3.1: is known on another node within a minute, to the millisecond', async () => {
    const { here, there, token } = await openTwo();
    await whoAmI(there, token);
    vi.advanceTimersByTime(30 * second);
    await whoAmI(here, token);
    vi.advanceTimersByTime(minute);
    await here.quiet();
    vi.setSystemTime(start + 30 * second + day - 1);
    expect(await whoAmI(there, token)).toBe('alice');
  });

  it('7.3.1: is known on another node within half of a short idle time', async () => {
    const { here, there, token } = await openTwo({ sessionIdleMs: idleMs });
    for (let times = 0; times < 10; times++) {
      vi.advanceTimersByTime(10 * second);
      await whoAmI(here, token);
      await here.quiet();
    }
    vi.advanceTimersByTime(idleMs / 2 - 1);
    expect(await whoAmI(there, token)).toBe('alice');
  });

  it('7.3.1: is not forgotten for an older one when the clock is set back', async () => {
    const { t, token } = await open();
    vi.setSystemTime(start + 30 * second);
    await whoAmI(t, token);
    vi.setSystemTime(start);
    await whoAmI(t, token);
    vi.setSystemTime(start + 30 * second + day - 1);
    expect(await whoAmI(t, token)).toBe('alice');
  });

  it('is written when the server stops', async () => {
    const { t, store, token } = await open();
    vi.advanceTimersByTime(17 * second);
    await whoAmI(t, token);
    expect(store.touched).toEqual([]);
    t.chat.stop();
    expect(store.touched).toEqual([17 * second]);
  });

  it('is written again when that failed', async () => {
    let fails = true;
    const touched: number[] = [];
    const { t, token } = await open({
      store: (store) => ({
        ...store,
        touchSession: async (touch) => {
          if (fails) throw new Error('the disk is full');
          touched.push(touch.lastUsedAt - start);
          await store.touchSession(touch);
        },
      }),
    });
    vi.advanceTimersByTime(30 * second);
    await whoAmI(t, token);
    vi.advanceTimersByTime(30 * second);
    await t.quiet();
    expect(t.failures).toHaveLength(1);
    fails = false;
    vi.advanceTimersByTime(minute);
    await t.quiet();
    expect(touched).toEqual([30 * second]);
    expect(t.failures).toHaveLength(1);
  });

  it('leaves nothing behind: no timer runs for sessions that nobody uses', async () => {
    const { t, token } = await open();
    const before = vi.getTimerCount();
    for (let times = 0; times < 10; times++) await whoAmI(t, token);
    vi.advanceTimersByTime(3 * minute);
    await t.quiet();
    expect(vi.getTimerCount()).toBeLessThan(before);
  });
});
