/** Where a Redis is, as its URL says it. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  /** Undefined for `redis:`; for `rediss:` the PEM files to read, if any. */
  readonly tls:
    | {
        /** The authorities to believe, instead of those of the system. */
        readonly ca: string | undefined;
        /** The own certificate, and its key. */
        readonly cert: string | undefined;
        readonly key: string | undefined;
      }
    | undefined;
}

const defaultPort = 6379;
const tlsFiles = ['ca', 'cert', 'key'];

/**
 * Reads `redis://[user:password@]host[:port][/database]`, or the same with `rediss:`, for TLS, and `?ca=FILE&cert=FILE&key=FILE`.
 * Throws an `Error` whose message ends a sentence that begins with the setting's name, and holds nothing of the URL.
 */
export function parseRedisUrl(text: string): RedisAddress {
  const url = URL.parse(text);
  if (!url || !['redis:', 'rediss:'].includes(url.protocol)) {
    throw new Error('must be a URL that begins with redis:// or rediss://');
  }
  if (url.hostname === '') throw new Error('must name a host');
  if (url.hash !== '') throw new Error("must have no '#': in a password it is written %23");
  const database = url.pathname === '' || url.pathname === '/' ? '0' : url.pathname.slice(1);
  if (!/^\d{1,4}$/.test(database))
    throw new Error('must have a number of a database, or nothing, after the host');
  const hasTls = url.protocol === 'rediss:';
  for (const name of url.searchParams.keys()) {
    if (!hasTls || !tlsFiles.includes(name)) {
      throw new Error("must have no options but 'ca', 'cert' and 'key', and these with rediss:// alone");
    }
  }
  const file = (name: string): string | undefined => url.searchParams.get(name) || undefined;
  if ((file('cert') === undefined) !== (file('key') === undefined)) {
    throw new Error("must have both 'cert' and 'key', or neither");
  }
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? defaultPort : Number(url.port),
    username: decoded(url.username),
    password: decoded(url.password),
    database: Number(database),
    tls: hasTls ? { ca: file('ca'), cert: file('cert'), key: file('key') } : undefined,
  };
}

function decoded(part: string): string | undefined {
  if (part === '') return undefined;
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Error("must have '%' and two hexadecimal digits for a special character in a name or password");
  }
}
