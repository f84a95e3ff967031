import { isIP } from 'node:net';
import { isLoopback } from '../../core/model/address.ts';

/** A server that takes mail, as `smtp://[USER:PASSWORD@]HOST[:PORT]` or `smtps://…` names it. */
export interface SmtpServer {
  /** A host name or an IP address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /** `always`: TLS from the first byte. `starttls`: never without. `if-offered`: on this machine, where nobody is in between. */
  readonly tls: 'always' | 'starttls' | 'if-offered';
  readonly login: { readonly user: string; readonly password: string } | undefined;
}

/** Each scheme's port (RFC 6409; RFC 8314 section 7.3). */
const schemes = { 'smtp:': 587, 'smtps:': 465 } as const;

/** Reads the URL of a mail server; undefined for anything else, a user without a password included. */
export function parseSmtpUrl(text: string): SmtpServer | undefined {
  if (!/^[\x21-\x7e]+$/.test(text) || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  const { protocol, username, password, search, hash, pathname } = url;
  if (protocol !== 'smtp:' && protocol !== 'smtps:') return undefined;
  if (search !== '' || hash !== '' || (pathname !== '' && pathname !== '/')) return undefined;
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (isIP(host) === 0 && !hostShape.test(host)) return undefined;
  const port = url.port === '' ? schemes[protocol] : Number(url.port);
  if (port === 0 || (username === '') !== (password === '')) return undefined;
  const login = username === '' ? undefined : decoded(username, password);
  if (login === null) return undefined;
  const tls = protocol === 'smtps:' ? 'always' : isLoopback(host) ? 'if-offered' : 'starttls';
  return { host, port, tls, login };
}

/** Names as resolvers take them (RFC 1123). */
const hostShape = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_][a-z0-9_-]{0,62})*$/;

function decoded(user: string, password: string): { user: string; password: string } | null {
  try {
    return { user: decodeURIComponent(user), password: decodeURIComponent(password) };
  } catch {
    return null;
  }
}
