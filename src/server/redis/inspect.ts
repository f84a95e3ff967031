import { type RedisLink, redisLink } from './link.ts';
import { readRedisTls } from './redis-tls.ts';
import { parseRedisUrl } from './redis-url.ts';

/** Longer than a connection may take to be made, in milliseconds. */
const awaitedMs = 3_000;
const lookMs = 20;

/** What a look at Redis found. */
export interface RedisReport {
  /** Host and port. */
  readonly place: string;
  /** Undefined when it lets nobody ask. */
  readonly version: string | undefined;
  /** Why nodes could not use it; undefined when they could. */
  readonly trouble: string | undefined;
}

/** Connects to Redis as a node does, and asks for its version. Throws what `parseRedisUrl` and `readRedisTls` throw. */
export async function inspectRedis(url: string): Promise<RedisReport> {
  const address = parseRedisUrl(url);
  const tls = address.tls && readRedisTls(address.tls);
  const { host, port } = address;
  const place = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const link = redisLink({ address, tls, onUp: () => {}, onDown: () => {} });
  try {
    const trouble = await troubleOf(link);
    if (trouble !== undefined) return { place, version: undefined, trouble };
    const said = await link.command(['INFO', 'server']).catch(() => '');
    return { place, version: /^redis_version:(\S+)/m.exec(String(said))?.[1], trouble };
  } finally {
    link.close();
  }
}

/** Waits until the link is up or has failed once. */
async function troubleOf(link: RedisLink): Promise<string | undefined> {
  const end = performance.now() + awaitedMs;
  for (;;) {
    const { isUp, lastError } = link.figures();
    if (isUp) return undefined;
    if (lastError !== undefined) return lastError;
    if (performance.now() >= end) return 'no answer in time';
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}
