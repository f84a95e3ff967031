import { isIPv4, isIPv6 } from 'node:net';
import { ChatError } from '../core/errors.ts';

/** Where a server listens: `chat` is TLS, `plain` is clear text and loopback only (cli, "A server is"). */
export interface ServerAddress {
  readonly scheme: 'chat' | 'plain';
  /** A name or an IP address, lower-cased, IPv6 without its brackets. */
  readonly host: string;
  readonly port: number;
}

/** The port when none is written. */
const defaultPort = 8_080;

const schemes = ['chat', 'plain'] as const;
/** `[IPv6]:PORT` or `HOST:PORT`; the port may be absent. */
const shape = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(.*))?$/;
const hostName = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_][a-z0-9_-]{0,62})*\.?$/;

/** Reads `HOST:PORT`, `chat://HOST:PORT` or `plain://LOOPBACK:PORT`; throws `invalid` naming `server`. */
export function parseServerAddress(text: string): ServerAddress {
  const [, prefix, rest = ''] = /^(?:([A-Za-z][A-Za-z0-9+.-]*):\/\/)?(.*)$/s.exec(text) ?? [];
  const scheme = prefix === undefined ? 'chat' : schemes.find((known) => known === prefix.toLowerCase());
  if (scheme === undefined)
    throw refused(`a server's address begins with chat:// or plain://, not ${prefix}://`);
  // Node makes its expression for IPv6 at the first look, which takes 5 ms; HOST:PORT needs none.
  if (/:.*:/s.test(rest) && isIPv6(rest))
    throw refused('an IPv6 address is written in brackets, like [::1]:8080');
  const [, bracketed, named, portText] = shape.exec(rest) ?? [];
  const host = bracketed === undefined ? parseHost(named) : parseIPv6(bracketed);
  const port = portText === undefined ? defaultPort : parsePort(portText);
  if (scheme === 'plain' && !isLoopback(host)) {
    throw refused('plain:// is for loopback only (127.0.0.1, [::1], localhost): elsewhere use chat://');
  }
  return { scheme, host, port };
}

/** The canonical spelling, `chat://HOST:PORT`; {@link parseServerAddress} reads it back. */
export function formatServerAddress({ scheme, host, port }: ServerAddress): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** True for an address, or the name, of this very machine. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIPv4(host) ? host.startsWith('127.') : /^::ffff:(?:127\.|7f[0-9a-f]{2}:)/.test(host);
}

function parseHost(text: string | undefined): string {
  const host = text?.toLowerCase();
  if (host === undefined || !(isIPv4(host) || hostName.test(host))) throw refused('it is written HOST:PORT');
  // Resolvers read 127.1 and 2130706433 as addresses: whoever means one writes all four parts.
  if (!isIPv4(host) && /(?:^|\.)[0-9]+\.?$/.test(host)) throw refused('an IPv4 address has four parts');
  return host;
}

function parseIPv6(text: string): string {
  if (!isIPv6(text)) throw refused('what stands in brackets is an IPv6 address, like [::1]:8080');
  const [address = '', zone] = text.split('%');
  // URL knows the one spelling of an IPv6 address (RFC 5952).
  const canonical = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  return zone === undefined ? canonical : `${canonical}%${zone}`;
}

function parsePort(text: string): number {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw refused('a port is a number from 1 to 65535');
  return port;
}

function refused(why: string): ChatError {
  return new ChatError('invalid', `server: ${why}`, { field: 'server' });
}
