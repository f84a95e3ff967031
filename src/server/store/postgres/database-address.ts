import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { ChatError } from '../../../core/errors.ts';
import { readRootCertificate } from './root-certificate.ts';

/** Where a database is, and how the way there is kept. */
export interface DatabaseAddress {
  /** A name, an address, or the directory of a socket, which begins with `/`. */
  readonly host: string;
  readonly port: number;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: string | undefined;
  /** False for a way without TLS. */
  readonly tls: ConnectionOptions | false;
  /** Connections at most; undefined for the usual number. */
  readonly maxConnections: number | undefined;
}

/** What may stand behind the question mark. */
const known = ['host', 'sslmode', 'sslrootcert', 'pool_max_conns'] as const;
const modes = ['disable', 'require', 'verify-ca', 'verify-full'] as const;
type Mode = (typeof modes)[number];

const refusal = (text: string): ChatError => new ChatError('invalid', `the store's URL ${text}`);

/**
 * Reads `postgres://user:password@host:port/database?sslmode=…`. Without `sslmode` a database on this machine is spoken to without TLS, and
 * any other one as with `verify-full`: its certificate must be valid for its name, by `sslrootcert` or by what the system trusts. Throws
 * `invalid`, never with the password in its words.
 */
export function databaseAddress(url: string): DatabaseAddress {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw refusal('is none: write postgres://user@host:5432/database');
  }
  if (parsed.protocol !== 'postgres:' && parsed.protocol !== 'postgresql:') {
    throw refusal(`begins with ${parsed.protocol}// and not with postgres://`);
  }
  for (const name of parsed.searchParams.keys()) {
    if (!(known as readonly string[]).includes(name)) {
      throw refusal(`has ${name}=…, which is not known: there are ${known.join(', ')}`);
    }
  }
  const host = parsed.searchParams.get('host') ?? decoded(parsed.hostname.replace(/^\[(.*)\]$/, '$1'));
  if (host === '')
    throw refusal('names no host: write postgres://user@host/database, or ?host=/run/postgresql');
  return {
    host,
    port: parsed.port === '' ? 5_432 : Number(parsed.port),
    user: textOr(parsed.username),
    password: textOr(parsed.password),
    database: textOr(parsed.pathname.slice(1)),
    tls: tlsOf(parsed, host),
    maxConnections: numberOf(parsed.searchParams.get('pool_max_conns')),
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw refusal('has a % that begins no sign: write %25 for one');
  }
}

const textOr = (text: string): string | undefined => (text === '' ? undefined : decoded(text));

/** Fewer would let those who send keep everybody else waiting. */
const leastConnections = 5;

function numberOf(text: string | null): number | undefined {
  if (text === null) return undefined;
  const number = Number(text);
  if (Number.isInteger(number) && number >= leastConnections && number <= 1_000) return number;
  throw refusal(`says pool_max_conns=${text}: it is a number from ${leastConnections} to 1000`);
}

const isHere = (host: string): boolean =>
  host.startsWith('/') || host === 'localhost' || host === '::1' || /^127(\.\d+){3}$/.test(host);

function tlsOf({ searchParams }: URL, host: string): ConnectionOptions | false {
  const said = searchParams.get('sslmode');
  if (said !== null && !(modes as readonly string[]).includes(said)) {
    const why = said === 'prefer' || said === 'allow' ? ', which anybody on the way could take away' : '';
    throw refusal(`says sslmode=${said}${why}: write ${modes.join(', ')}`);
  }
  const mode = (said as Mode | null) ?? (isHere(host) ? 'disable' : 'verify-full');
  const root = searchParams.get('sslrootcert');
  if (mode === 'disable') {
    if (root !== null) throw refusal('names an sslrootcert, and TLS is off: write sslmode=verify-full');
    return false;
  }
  if (host.startsWith('/')) throw refusal(`says sslmode=${mode}, and a socket of this machine has no TLS`);
  const ca = root === null ? {} : { ca: readRootCertificate(root) };
  const name = isIP(host) === 0 ? { servername: host } : {};
  const least = { minVersion: 'TLSv1.2' } as const;
  if (mode === 'verify-full') return { ...ca, ...name, ...least };
  if (mode === 'verify-ca' && root === null) {
    throw refusal(
      'says sslmode=verify-ca without sslrootcert: anybody can get a certificate of a public authority',
    );
  }
  // As everywhere with PostgreSQL: with a root certificate `require` is `verify-ca`.
  if (root !== null) return { ...ca, ...name, ...least, checkServerIdentity: () => undefined };
  return { ...name, ...least, rejectUnauthorized: false };
}
