import { addressKey } from '../../core/model/address.ts';
import type { DoorLimits } from './door.ts';
import type { TrustedProxies } from './trusted-proxies.ts';

/** Counts open connections against the limits. */
export interface Admission {
  /** Takes a place for one connection, or says whose limit is reached. */
  enter(address: string): Place | 'server' | 'address';
  /** Open connections that have a place. */
  readonly count: number;
}

/** One connection's place; to be left once, when the connection has closed. */
export interface Place {
  leave(): void;
}

/**
 * Builds the counter; a limit of 0 is off. IPv6 counts by /64, of which one person has many addresses. The limit of an address is
 * not for proxies: behind one of them is everybody.
 */
export function createAdmission(
  {
    maxConnections,
    maxConnectionsPerAddress,
  }: Pick<DoorLimits, 'maxConnections' | 'maxConnectionsPerAddress'>,
  proxies: Pick<TrustedProxies, 'has'>,
): Admission {
  const byAddress = new Map<string, number>();
  let count = 0;

  function leave(key: string): void {
    count -= 1;
    const left = (byAddress.get(key) ?? 0) - 1;
    if (left > 0) byAddress.set(key, left);
    else byAddress.delete(key);
  }

  return {
    get count() {
      return count;
    },
    enter(address) {
      const key = addressKey(address);
      const ofAddress = byAddress.get(key) ?? 0;
      const isFull = maxConnectionsPerAddress !== 0 && ofAddress >= maxConnectionsPerAddress;
      if (isFull && !proxies.has(address)) return 'address';
      if (maxConnections !== 0 && count >= maxConnections) return 'server';
      count += 1;
      byAddress.set(key, ofAddress + 1);
      return { leave: () => leave(key) };
    },
  };
}
