import type { Peer } from '../peer.ts';
import { exchangeWithFactorMs, wrongCodesPerLogin } from '../policy.ts';
import type { Proven, SessionWishes } from './proven.ts';

/** A login that has proven its first factor and waits for the second: whom, and what session it wants. No secret is kept. */
export interface AwaitedCode {
  readonly proven: Proven;
  /** What the account was called: its name or its e-mail address, under which failures count. */
  readonly given: string;
  readonly wishes: SessionWishes;
}

/** Logins that wait for a code on the connection on which they were made: one for each, dead after two minutes (security 1.5). */
export interface AwaitedCodes {
  /** Remembers a login on `peer` in place of what waited there before. */
  wait(peer: Peer, awaited: AwaitedCode, now: number): void;
  /** What waits; undefined when nothing does any more. */
  get(peer: Peer, now: number): AwaitedCode | undefined;
  /** A code was wrong: after a few of them nothing waits any more. */
  failed(peer: Peer): void;
  /** Nothing waits there any more. */
  forget(peer: Peer): void;
}

/** Builds the awaited codes of one node. */
export function createAwaitedCodes(): AwaitedCodes {
  // Weak: what waits on a connection ends with it. A request's peer is gone before a code could come.
  const waiting = new WeakMap<
    Peer,
    { readonly awaited: AwaitedCode; readonly endsAt: number; triesLeft: number }
  >();

  return {
    wait(peer, awaited, now) {
      waiting.set(peer, { awaited, endsAt: now + exchangeWithFactorMs, triesLeft: wrongCodesPerLogin });
    },
    get(peer, now) {
      const entry = waiting.get(peer);
      if (!entry || now < entry.endsAt) return entry?.awaited;
      waiting.delete(peer);
      return undefined;
    },
    failed(peer) {
      const entry = waiting.get(peer);
      if (!entry) return;
      entry.triesLeft -= 1;
      if (entry.triesLeft === 0) waiting.delete(peer);
    },
    forget(peer) {
      waiting.delete(peer);
    },
  };
}
