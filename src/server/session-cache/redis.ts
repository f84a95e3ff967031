import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import * as z from 'zod';
import type { Session } from '../../core/model/session.ts';
import type { CachedSession, SessionCache } from '../../core/ports/session-cache.ts';
import { randomBytes } from '../../core/random.ts';
import { type RedisConnection, redisScript } from '../redis/connection.ts';

/** What the cache has been asked since the start. */
export interface SessionCacheFigures {
  readonly hits: number;
  readonly misses: number;
  /** Entries that were there and that this cluster has not made, or not for this token; they count as misses too. */
  readonly refused: number;
}

/** The tier that all nodes share. */
export interface RedisSessionCache extends SessionCache {
  figures(): SessionCacheFigures;
}

const nonceBytes = 12;
const tagBytes = 16;
const nameBytes = 16;
/** No entry of ours is larger; what somebody else has put there is not even fetched. */
const maxEntryBytes = 16_384;
/** So many sessions are dropped in one step, during which Redis does nothing else. */
const droppedAtOnce = 500;

/**
 * KEYS: the entry, and the index of its session. ARGV: the entry, its life in milliseconds, none for one that is dead already.
 * An entry begins with the name of its session. The index lives at least as long as what stands in it.
 */
const putText = `
if tonumber(ARGV[2]) <= 0 then
  return redis.call('DEL', KEYS[1])
end
redis.call('SADD', KEYS[2], KEYS[1])
local left = redis.call('PTTL', KEYS[2])
if left < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[2], ARGV[2]) end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`;

/** KEYS: the indexes of sessions. ARGV: the names of these sessions. An entry that is another session's by now stays; what is none is nobody's here. */
const dropText = `
for i = 1, #KEYS do
  local entries = redis.pcall('SMEMBERS', KEYS[i])
  if entries.err then entries = {} end
  for _, key in ipairs(entries) do
    if redis.pcall('GETRANGE', key, 0, ${nameBytes - 1}) == ARGV[i] then redis.call('DEL', key) end
  end
  redis.call('DEL', KEYS[i])
end
return 1`;

/** KEYS: the entry. Answers it, and how long it still lives. */
const getScript = redisScript(`
if redis.call('STRLEN', KEYS[1]) > ${maxEntryBytes} then return false end
local entry = redis.call('GET', KEYS[1])
if not entry then return false end
return {entry, redis.call('PTTL', KEYS[1])}`);

const id = z.string().max(100);
const time = z.number();

/** Every field of a session; a new one that is missing here does not compile. */
const sessionFields = {
  id,
  userId: id,
  username: id,
  hasSecondFactor: z.boolean(),
  deviceId: id,
  deviceLabel: z.string(),
  door: id,
  address: z.string(),
  createdAt: time,
  lastUsedAt: time,
  absoluteExpiresAt: time,
  familyExpiresAt: time,
  csrfHash: z
    .string()
    .nullable()
    // A plain array of bytes, as the store gives it.
    .transform((text) => (text === null ? null : new Uint8Array(Buffer.from(text, 'base64')))),
  erasesAt: time.optional(),
} satisfies { readonly [K in keyof Required<Session>]: z.ZodType };

const entryShape = z.strictObject({
  session: z.strictObject(sessionFields),
  readAt: time,
  believedUntil: time,
});

/**
 * Keeps sessions in Redis, each sealed (AES-256-GCM) for the digest of its token: who can write there can make no session, nor put one in
 * the place of another, and who can read there learns neither. Every method rejects soon when Redis is not there.
 */
export function redisSessionCache(connection: RedisConnection): RedisSessionCache {
  const { prefix, derive } = connection.keys;
  const namingKey = derive('session names');
  const sealingKey = derive('session entries');
  const figures = { hits: 0, misses: 0, refused: 0 };

  const nameOf = (kind: string, what: string | Uint8Array): Buffer =>
    createHmac('sha256', namingKey).update(`${kind}:`).update(what).digest().subarray(0, nameBytes);
  const entryKey = (tokenHash: Uint8Array): string =>
    `${prefix}session:${nameOf('token', tokenHash).toString('hex')}`;
  const indexKey = (name: Buffer): string => `${prefix}sessions-of:${name.toString('hex')}`;
  /** One for each digest, so that no two entries of different ones share a key and a nonce. */
  const keyFor = (tokenHash: Uint8Array): Buffer =>
    createHmac('sha256', sealingKey).update(tokenHash).digest();

  function seal(tokenHash: Uint8Array, { session, readAt, believedUntil }: CachedSession): Buffer {
    const { csrfHash } = session;
    const text = JSON.stringify({
      session: { ...session, csrfHash: csrfHash && Buffer.from(csrfHash).toString('base64') },
      readAt,
      believedUntil,
    });
    const name = nameOf('session', session.id);
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv('aes-256-gcm', keyFor(tokenHash), nonce);
    cipher.setAAD(Buffer.concat([tokenHash, name]));
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([name, nonce, sealed, cipher.getAuthTag()]);
  }

  /** Throws for whatever `seal` has not made for this digest. */
  function open(tokenHash: Uint8Array, bytes: Buffer): CachedSession {
    if (bytes.length < nameBytes + nonceBytes + tagBytes) throw new Error('too short');
    const name = bytes.subarray(0, nameBytes);
    const nonce = bytes.subarray(nameBytes, nameBytes + nonceBytes);
    const decipher = createDecipheriv('aes-256-gcm', keyFor(tokenHash), nonce, { authTagLength: tagBytes });
    decipher.setAAD(Buffer.concat([tokenHash, name]));
    decipher.setAuthTag(bytes.subarray(-tagBytes));
    const sealed = bytes.subarray(nameBytes + nonceBytes, -tagBytes);
    const text = Buffer.concat([decipher.update(sealed), decipher.final()]).toString('utf8');
    return entryShape.parse(JSON.parse(text)) as unknown as CachedSession;
  }

  return {
    isShared: true,
    async get(tokenHash) {
      // It may be the caller's buffer, with other bytes in it by the time that Redis answers.
      const digest = Buffer.from(tokenHash);
      const found = await connection.run(getScript, [entryKey(digest)], [], { isBytes: true });
      if (!Array.isArray(found)) {
        figures.misses += 1;
        return undefined;
      }
      const [bytes, leftMs] = found;
      let entry: CachedSession;
      try {
        if (!Buffer.isBuffer(bytes) || typeof leftMs !== 'number') throw new Error('not an entry');
        entry = open(digest, bytes);
      } catch {
        figures.refused += 1;
        figures.misses += 1;
        return undefined;
      }
      // One without an end was not put here by `put`.
      const believedUntil = Math.min(entry.believedUntil, Date.now() + Math.max(leftMs, 0));
      if (leftMs <= 0) {
        figures.misses += 1;
        return undefined;
      }
      figures.hits += 1;
      return { ...entry, believedUntil };
    },
    async put(tokenHash, entry) {
      const lifeMs = Math.ceil(entry.believedUntil - Date.now());
      const keys = [entryKey(tokenHash), indexKey(nameOf('session', entry.session.id))];
      // By its text: a call by name that Redis does not know yet would be made again later, and so out of order.
      await connection.command(['EVAL', putText, '2', ...keys, seal(tokenHash, entry), String(lifeMs)]);
    },
    async drop(ids) {
      const names = [...new Set(ids)].map((one) => nameOf('session', one));
      const asked: Array<Promise<unknown>> = [];
      for (let from = 0; from < names.length; from += droppedAtOnce) {
        const some = names.slice(from, from + droppedAtOnce);
        asked.push(
          connection.command(['EVAL', dropText, String(some.length), ...some.map(indexKey), ...some]),
        );
      }
      await Promise.all(asked);
    },
    figures: () => ({ ...figures }),
  };
}
