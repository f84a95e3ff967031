import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ChatError } from '../../src/core/errors.ts';
import type { SessionId } from '../../src/core/model/ids.ts';
import type { Peer } from '../../src/core/peer.ts';
import { localSessionCache } from '../../src/server/session-cache/local.ts';
import { FakePeer, type OpenChatParts, openChat, password, type TestChat } from './support/chat.ts';
import { Network } from './support/network.ts';
import { SharedSessionCache, type Weather } from './support/shared-session-cache.ts';

const second = 1_000;
const minute = 60 * second;
const policy = {
  sessionIdleMs: 4 * minute,
  sessionAbsoluteMs: 30 * minute,
  refreshMs: 60 * minute,
  loginsPerMinute: 0,
  maxSessionsPerAccount: 0,
};
/** How long a lost notice may delay an end, and how long a last use may be unknown elsewhere. */
const lostNoticeMs = 5 * second;
const unknownUseMs = minute;

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse('2026-03-01T12:00:00.000Z') });
});
afterEach(() => {
  vi.useRealTimers();
});

/** What is known of a token by who has watched everything. */
interface Token {
  readonly text: string;
  readonly refresh: string;
  readonly sessionId: SessionId;
  readonly absoluteEnd: number;
  readonly familyEnd: number;
  /** The last use on each node. */
  readonly lastUse: number[];
  /** When and on which node it was ended, or replaced by a refresh. */
  dead: { readonly at: number; readonly node: number } | undefined;
}

/** A connection that a token was shown on, open until `leave`. */
interface Held {
  readonly node: number;
  readonly token: Token;
  readonly peer: FakePeer;
}

type Action =
  | { readonly do: 'login'; readonly node: number }
  | { readonly do: 'request' | 'begin-request' | 'connect'; readonly node: number; readonly token: number }
  | { readonly do: 'logout' | 'refresh'; readonly node: number; readonly token: number }
  | { readonly do: 'revoke'; readonly node: number; readonly token: number; readonly racing: boolean }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'bus'; readonly weather: Network['weather'] }
  | { readonly do: 'cache'; readonly weather: Weather }
  | { readonly do: 'store'; readonly isSlow: boolean }
  | { readonly do: 'forget' };

const node = fc.nat(1);
/** The latest token, mostly: what happens to one of them is what matters. */
const token = fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(5) });
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('login' as const), node }) },
  { weight: 10, arbitrary: fc.record({ do: fc.constantFrom('request', 'begin-request'), node, token }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('connect' as const), node, token }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('logout', 'refresh'), node, token }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('revoke' as const), node, token, racing: fc.boolean() }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.oneof(
        { weight: 6, arbitrary: fc.constantFrom(1, 700, 1_500, lostNoticeMs - 1, lostNoticeMs) },
        {
          weight: 1,
          arbitrary: fc.constantFrom(
            unknownUseMs,
            2 * minute,
            policy.sessionIdleMs - 1,
            policy.sessionIdleMs,
          ),
        },
      ),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('bus' as const),
      weather: fc.constantFrom('fine' as const, 'slow' as const, 'lost' as const, 'lost' as const),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('cache' as const),
      weather: fc.constantFrom('fine' as const, 'fails' as const, 'answers-lost' as const, 'slow' as const),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('store' as const), isSlow: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant({ do: 'forget' as const }) },
);

/** Two nodes over one store, and what must be true of every token. */
class World {
  readonly network = new Network();
  readonly shared = new SharedSessionCache();
  /** True: what the store says of a token comes 400 ms after it was true. */
  isStoreSlow = false;
  readonly tokens: Token[] = [];
  readonly nodes: TestChat[] = [];
  #held: Held[] = [];
  #underWay: Array<Promise<void>> = [];

  async open(): Promise<void> {
    const parts = (): OpenChatParts => ({
      policy,
      bus: () => this.network.open(),
      store: (store) => ({
        ...store,
        sessionByToken: async (hash) => {
          const session = await store.sessionByToken(hash);
          if (this.isStoreSlow) await new Promise((resolve) => setTimeout(resolve, 400));
          return session;
        },
      }),
      // So small that what is used by turns is forgotten by turns.
      caches: [localSessionCache({ maxEntries: 2 }), this.shared.open()],
    });
    const first = await openChat(parts());
    this.nodes.push(first, await openChat({ ...parts(), beside: first }));
    await first.call(new FakePeer(), 'account.register', { username: 'alice', password });
  }

  /** Back to the weather of the start; what is open is let go. */
  async reset(): Promise<void> {
    this.network.weather = 'fine';
    this.shared.weather = 'fine';
    this.isStoreSlow = false;
    await this.#settle();
    for (const { peer } of this.#held) peer.leave();
    this.#held = [];
    this.tokens.length = 0;
  }

  async run(actions: readonly Action[]): Promise<void> {
    await this.#login(0);
    for (const next of actions) {
      await this.#do(next);
      await this.#quiet();
      this.#checkHeld();
    }
    await this.#settle();
    this.#checkHeld();
  }

  async #do(next: Action): Promise<void> {
    switch (next.do) {
      case 'login':
        await this.#login(next.node);
        return;
      case 'request':
        await this.#waitFor(this.#request(next.node, this.#token(next.token)));
        return;
      case 'begin-request':
        this.#underWay.push(this.#request(next.node, this.#token(next.token)));
        return;
      case 'connect':
        await this.#waitFor(this.#connect(next.node, this.#token(next.token)));
        return;
      case 'logout':
        await this.#waitFor(this.#logout(next.node, this.#token(next.token)));
        return;
      case 'refresh':
        await this.#refresh(next.node, this.#token(next.token));
        return;
      case 'revoke':
        await this.#revoke(next.node, this.#token(next.token), next.racing);
        return;
      case 'wait':
        await this.#wait(next.ms);
        return;
      case 'bus':
        this.network.weather = next.weather;
        return;
      case 'cache':
        this.shared.weather = next.weather;
        return;
      case 'store':
        this.isStoreSlow = next.isSlow;
        return;
      case 'forget':
        this.shared.clear();
    }
  }

  #node(index: number): TestChat {
    return this.nodes[index] as TestChat;
  }

  #token(index: number): Token {
    return this.tokens.at(-1 - (index % this.tokens.length)) as Token;
  }

  /** Time passes until an answer is there: a slow cache answers after a while. */
  async #waitFor(answer: Promise<void>): Promise<void> {
    let isThere = false;
    const settled = answer.finally(() => {
      isThere = true;
    });
    settled.catch(() => undefined);
    for (let times = 0; times < 20; times++) {
      await this.#quiet();
      if (isThere) break;
      vi.advanceTimersByTime(100);
    }
    await settled;
  }

  async #wait(ms: number): Promise<void> {
    // In steps, so that what is due on the way is answered on the way.
    for (let left = ms; left > 0; left -= second) {
      vi.advanceTimersByTime(Math.min(left, second));
      if (left > minute && left % (10 * second) !== 0) continue;
      await this.#quiet();
    }
    this.#checkHeld();
  }

  async #quiet(): Promise<void> {
    await this.#node(0).quiet();
  }

  async #settle(): Promise<void> {
    const all = Promise.all(this.#underWay.splice(0)).then(() => undefined);
    await this.#waitFor(all);
  }

  async #login(index: number): Promise<Token> {
    const peer = new FakePeer({ door: 'http', events: null });
    const t = this.#node(index);
    const now = Date.now();
    const opened = await t.call(peer, 'login.password', { username: 'alice', password });
    peer.leave();
    const made: Token = {
      text: opened.session_token,
      refresh: opened.refresh_token,
      sessionId: opened.session_id as SessionId,
      absoluteEnd: now + policy.sessionAbsoluteMs,
      familyEnd: now + policy.refreshMs,
      lastUse: [index === 0 ? now : 0, index === 1 ? now : 0],
      dead: undefined,
    };
    this.tokens.push(made);
    return made;
  }

  /** Shows a token on a connection, and judges the answer by what was true when it was asked and when it was given. */
  async #show(index: number, shown: Token, peer: FakePeer, show: () => Promise<unknown>): Promise<boolean> {
    const began = Date.now();
    const deadBefore = shown.dead;
    const uses = [...shown.lastUse];
    const isIn = await show().then(
      () => true,
      (error: unknown) => {
        if (error instanceof ChatError && error.code === 'unauthenticated') return false;
        throw error;
      },
    );
    const lastUse = Math.max(...uses);
    const end = Math.min(lastUse + policy.sessionIdleMs, shown.absoluteEnd);
    const said = `node ${index}, token ${this.tokens.indexOf(shown)}, after ${began}`;
    if (isIn) {
      expect(this.#mayBeBelieved(index, deadBefore, began), `let in though ended: ${said}`).toBe(true);
      expect(
        began < Math.max(end, Math.min(Math.max(...shown.lastUse) + policy.sessionIdleMs, shown.absoluteEnd)),
        `let in though expired: ${said}`,
      ).toBe(true);
      shown.lastUse[index] = Math.max(shown.lastUse[index] ?? 0, began);
      // Ended while it was asked: then it was closed, or lives for the time of a lost notice.
      if (peer.session) this.#held.push({ node: index, token: shown, peer });
      this.#checkHeld();
    } else if (!shown.dead) {
      const known = Math.max(
        uses[index] ?? 0,
        began - lastUse >= unknownUseMs ? lastUse : lastUse - unknownUseMs,
      );
      const mustEnd = Math.min(known + policy.sessionIdleMs, shown.absoluteEnd);
      expect(began >= mustEnd, `refused though alive: ${said}`).toBe(true);
    }
    return isIn;
  }

  #mayBeBelieved(index: number, dead: Token['dead'], at: number): boolean {
    if (!dead) return true;
    return dead.node !== index && at < dead.at + lostNoticeMs;
  }

  /** No connection may be somebody's whose token is dead. */
  #checkHeld(): void {
    const now = Date.now();
    for (const { node: index, token: shown, peer } of this.#held) {
      if (!peer.session) continue;
      // A refresh keeps the connections of its session.
      if (this.#isReplaced(shown)) continue;
      expect(this.#mayBeBelieved(index, shown.dead, now), `node ${index}: still connected`).toBe(true);
    }
  }

  #isReplaced(shown: Token): boolean {
    return this.tokens.some((other) => other !== shown && other.sessionId === shown.sessionId);
  }

  async #request(index: number, shown: Token): Promise<void> {
    const t = this.#node(index);
    const peer = new FakePeer({ door: 'http', events: null });
    if (await this.#show(index, shown, peer, () => t.chat.identify(peer, shown.text))) {
      const now = Date.now();
      const called = t.call(peer, 'user.list', {});
      const isServed = await called.then(
        () => true,
        () => false,
      );
      if (isServed) shown.lastUse[index] = Math.max(shown.lastUse[index] ?? 0, now);
    }
    peer.leave();
  }

  async #connect(index: number, shown: Token): Promise<void> {
    const t = this.#node(index);
    const peer = new FakePeer();
    await this.#show(index, shown, peer, () => t.call(peer, 'login.resume', { session_token: shown.text }));
  }

  async #logout(index: number, shown: Token): Promise<void> {
    const t = this.#node(index);
    const peer: Peer & FakePeer = new FakePeer({ door: 'http', events: null });
    if (!(await this.#show(index, shown, peer, () => t.chat.identify(peer, shown.text)))) return;
    await t.call(peer, 'session.end', {}).then(
      () => this.#kill(index, shown.sessionId),
      () => undefined,
    );
    peer.leave();
  }

  async #refresh(index: number, shown: Token): Promise<void> {
    const t = this.#node(index);
    const now = Date.now();
    const refreshed = await t
      .call(new FakePeer(), 'session.refresh', { refresh_token: shown.refresh })
      .catch((error: unknown) => {
        if (error instanceof ChatError && error.code === 'unauthenticated') return undefined;
        throw error;
      });
    if (!refreshed) {
      // A refresh token that was used before takes the whole family with it.
      if (this.#isReplaced(shown)) this.#kill(index, shown.sessionId);
      return;
    }
    if (this.tokens.some(({ text }) => text === refreshed.session_token)) return;
    for (const other of this.tokens) {
      if (other.sessionId === shown.sessionId) other.dead ??= { at: now, node: index };
    }
    this.tokens.push({
      text: refreshed.session_token,
      refresh: refreshed.refresh_token,
      sessionId: refreshed.session_id as SessionId,
      absoluteEnd: Math.min(now + policy.sessionAbsoluteMs, shown.familyEnd),
      familyEnd: shown.familyEnd,
      lastUse: [index === 0 ? now : 0, index === 1 ? now : 0],
      dead: undefined,
    });
  }

  /** Ends a session from another one, perhaps while its token is being looked for on the same node. */
  async #revoke(index: number, shown: Token, racing: boolean): Promise<void> {
    const t = this.#node(index);
    const peer = new FakePeer();
    await t.call(peer, 'login.password', { username: 'alice', password });
    if (racing) this.#underWay.push(this.#request(index, shown));
    await t.call(peer, 'session.revoke', { id: shown.sessionId }).then(
      () => this.#kill(index, shown.sessionId),
      (error: unknown) => {
        if (!(error instanceof ChatError) || error.code !== 'not-found') throw error;
      },
    );
    await t.call(peer, 'session.end', {});
    peer.leave();
  }

  #kill(index: number, sessionId: SessionId): void {
    for (const one of this.tokens) {
      if (one.sessionId === sessionId) one.dead ??= { at: Date.now(), node: index };
    }
  }
}

describe('two nodes with a bus that loses and a cache that fails', () => {
  it('7.4.1, 7.3.1, 7.3.2: let nobody in with a token that is dead, elsewhere 5 s later, and everybody with one that lives', async () => {
    const world = new World();
    await world.open();
    await fc.assert(
      fc
        .asyncProperty(fc.array(action, { minLength: 1, maxLength: 40, size: 'max' }), async (actions) => {
          await world.run(actions);
        })
        .afterEach(() => world.reset()),
      { numRuns: 100 },
    );
  }, 120_000);
});
