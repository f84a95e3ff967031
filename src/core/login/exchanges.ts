import type { ServerExchange } from '../crypto/scram-server.ts';
import { ChatError } from '../errors.ts';
import { addressKey } from '../model/address.ts';
import type { Peer } from '../peer.ts';
import { exchangeMs, maxExchanges } from '../policy.ts';
import type { Meter } from '../ports/meter.ts';
import type { Proven } from './proven.ts';

/** A login under way: before its proof, or with `code` when that was right and the second factor is asked. */
export interface OpenExchange extends ServerExchange {
  /** The account that was challenged, with its verifier; undefined for a name that nobody has. */
  readonly found?: Pick<Proven, 'account' | 'verifier'> | undefined;
  readonly code?: { readonly triesLeft: number; readonly endsAt: number };
}

/**
 * Logins between challenge and proof: one try each, dead after 60 s, bound to their connection; over HTTP, where each request is
 * a peer of its own, to their id alone (security 1.5).
 */
export interface Exchanges {
  /** Keeps an exchange; throws `rate-limited` when its address or the server has too many open. */
  open(id: string, peer: Peer, exchange: OpenExchange, now: number): void;
  /** Gives an exchange out once; undefined when it is unknown, used, too old or another connection's. */
  take(id: string, peer: Peer, now: number): OpenExchange | undefined;
  /** Forgets everything. */
  stop(): void;
}

interface Entry {
  readonly exchange: OpenExchange;
  readonly peer: Peer;
  readonly addressKey: string;
  readonly endsAt: number;
}

/** Builds the exchanges of one node, each of which lives for `lifeMs`; `meter` is told of each refusal. */
export function createExchanges(lifeMs = exchangeMs, meter?: Pick<Meter, 'limited'>): Exchanges {
  // A map keeps the order of insertion, which is the order of ending: old ones are dropped from its front.
  const entries = new Map<string, Entry>();
  const perAddress = new Map<string, number>();
  /** What each connection has open; it is listened to once, however often it begins. */
  const perPeer = new WeakMap<Peer, Map<string, Entry>>();

  function ofPeer(peer: Peer): Map<string, Entry> {
    let own = perPeer.get(peer);
    if (!own) {
      const begun = new Map<string, Entry>();
      own = begun;
      perPeer.set(peer, own);
      peer.onGone(() => {
        perPeer.delete(peer);
        for (const [id, entry] of begun) drop(id, entry);
      });
    }
    return own;
  }

  function drop(id: string, entry: Entry): void {
    entries.delete(id);
    perPeer.get(entry.peer)?.delete(id);
    const left = (perAddress.get(entry.addressKey) ?? 1) - 1;
    if (left > 0) perAddress.set(entry.addressKey, left);
    else perAddress.delete(entry.addressKey);
  }

  function sweep(now: number): void {
    for (const [id, entry] of entries) {
      if (isAlive(entry, now)) return;
      drop(id, entry);
    }
  }

  /** The oldest of an address that is bound to no connection gives way: those are begun for nothing most easily. */
  function dropUnbound(key: string): void {
    for (const [id, entry] of entries) {
      if (entry.addressKey !== key || isBound(entry.peer)) continue;
      drop(id, entry);
      return;
    }
  }

  /** A clock that was set back by more than an exchange's life ends those from before: none lives for hours. */
  function isAlive({ endsAt }: Entry, now: number): boolean {
    return now < endsAt && now >= endsAt - 2 * lifeMs;
  }

  return {
    open(id, peer, exchange, now) {
      sweep(now);
      const key = addressKey(peer.address);
      const ofAddress = perAddress.get(key) ?? 0;
      if (ofAddress >= maxExchanges.perAddress && isBound(peer)) dropUnbound(key);
      if ((perAddress.get(key) ?? 0) >= maxExchanges.perAddress || entries.size >= maxExchanges.total) {
        meter?.limited('logins-under-way');
        throw new ChatError('rate-limited', 'too many logins are under way: finish or wait', {
          // A place comes free as soon as any of them finishes.
          retryAfterMs: 1_000,
        });
      }
      // Whoever has gone already finishes nothing.
      if (peer.isGone) return;
      perAddress.set(key, (perAddress.get(key) ?? 0) + 1);
      const entry = { exchange, peer, addressKey: key, endsAt: now + lifeMs };
      entries.set(id, entry);
      if (isBound(peer)) ofPeer(peer).set(id, entry);
    },
    take(id, peer, now) {
      const entry = entries.get(id);
      if (!entry || isBound(entry.peer) !== isBound(peer)) return undefined;
      if (isBound(peer) && entry.peer !== peer) return undefined;
      drop(id, entry);
      return isAlive(entry, now) ? entry.exchange : undefined;
    },
    stop() {
      entries.clear();
      perAddress.clear();
    },
  };
}

/** False for the peer of one request, which is gone before the proof can come. */
function isBound({ events }: Peer): boolean {
  return events !== undefined;
}
