import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** The proxies whose word counts about where a request came from (ASVS 4.1.3). */
export interface TrustedProxies {
  /** True for the address of one of them. */
  has(address: string): boolean;
  /**
   * Where a request came from that `peer` sent with this `X-Forwarded-For`: from the right, the first address that is not one of
   * the proxies'; the leftmost when all are. The peer's own when it is no proxy, the header is absent, or what stands
   * there before that is no address.
   */
  clientOf(peer: string, forwardedFor: string | undefined): string;
}

/** Builds them from networks as {@link parseNetwork} spells them; without any, nobody's word counts. */
export function trustedProxies(networks: readonly string[]): TrustedProxies {
  const ranges = networks.map((network) => ipaddr.parseCIDR(network));

  function has(address: string): boolean {
    if (ranges.length === 0 || isIP(address) === 0) return false;
    const parsed = ipaddr.process(address);
    return ranges.some(([network, bits]) => parsed.kind() === network.kind() && parsed.match(network, bits));
  }

  return {
    has,
    clientOf(peer, forwardedFor) {
      if (forwardedFor === undefined || !has(peer)) return peer;
      let client = peer;
      for (const hop of forwardedFor.split(',').reverse()) {
        const address = addressOf(hop.trim());
        if (address === undefined) return peer;
        client = address;
        if (!has(address)) break;
      }
      return client;
    },
  };
}

/** `10.0.0.0/8`, `::1` and the like in one spelling, of which IPv4 in IPv6 is IPv4; undefined for what is no network, or is everybody. */
export function parseNetwork(text: string): string | undefined {
  const [, given = '', bitsText] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const version = isIP(given);
  if (version === 0) return undefined;
  const most = version === 4 ? 32 : 128;
  const bits = bitsText === undefined ? most : Number(bitsText);
  const address = ipaddr.process(given);
  const ownBits = version === 6 && address.kind() === 'ipv4' ? bits - 96 : bits;
  if (bits > most || ownBits < 1) return undefined;
  const Kind = address.kind() === 'ipv4' ? ipaddr.IPv4 : ipaddr.IPv6;
  return `${Kind.networkAddressFromCIDR(`${address}/${ownBits}`)}/${ownBits}`;
}

/** One hop, with a port or without, in the one spelling of its address. */
function addressOf(hop: string): string | undefined {
  const [, bracketed] = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(hop) ?? [];
  const [, withPort] = /^([\d.]+):\d{1,5}$/.exec(hop) ?? [];
  const text = bracketed ?? withPort ?? hop;
  const isRight = bracketed === undefined ? isIP(text) !== 0 : isIP(text) === 6;
  return isRight && !text.includes('%') ? ipaddr.process(text).toString() : undefined;
}
