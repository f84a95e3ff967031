import { addressKey } from '../model/address.ts';
import type { Session } from '../model/session.ts';
import type { Peer } from '../peer.ts';

/**
 * Where sessions have been taken up by their tokens. A script connects for each of its commands, and that is no login: only a door or
 * an address that a session was not used at before is news, since a stolen token would be used from there.
 */
export interface KnownPlaces {
  /** True when a session was neither opened nor taken up at this door and address (IPv6: /64) before; remembers it. */
  isNew(session: Session, peer: Pick<Peer, 'door' | 'address'>): boolean;
}

/** Places that are remembered at most, about 200 bytes each: one that was forgotten is news once more. */
const defaultMost = 10_000;

/** Builds the known places of one node, which forgets the one that was not used for longest. */
export function createKnownPlaces(most = defaultMost): KnownPlaces {
  const known = new Set<string>();
  return {
    isNew(session, { door, address }) {
      const from = addressKey(address);
      if (door === session.door && from === addressKey(session.address)) return false;
      const place = `${session.id} ${door} ${from}`;
      const isNew = !known.delete(place);
      known.add(place);
      if (known.size > most) {
        const [oldest] = known;
        if (oldest !== undefined) known.delete(oldest);
      }
      return isNew;
    },
  };
}
