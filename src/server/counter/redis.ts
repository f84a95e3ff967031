import { createHmac } from 'node:crypto';
import { failureWaits } from '../../core/policy.ts';
import type { Counter } from '../../core/ports/counter.ts';
import { type RedisConnection, redisScript } from '../redis/connection.ts';
import { localCounter } from './local.ts';

/** A counter that all nodes share. */
export interface RedisCounter extends Counter {
  figures(): {
    /** True while this node counts by itself. */
    readonly isLocal: boolean;
    /** How often it did since the start. */
    readonly localCalls: number;
  };
}

/** What a counter in Redis needs. */
export interface RedisCounterParts {
  readonly connection: Pick<RedisConnection, 'keys' | 'run' | 'command'>;
  /**
   * Told when this node begins to count by itself, with the reason, and when it counts with the others again: one of them at most in two
   * seconds, however often that changes.
   */
  readonly onLocal: (cause: unknown) => void;
  readonly onShared: () => void;
  /** For tests: the time, in milliseconds. Left out: Redis's own, so that no node's clock matters. */
  readonly clock?: () => number;
  /** For tests: how much time has passed on this node since some moment, in milliseconds. */
  readonly elapsed?: () => number;
}

/** So long a node counts by itself at least before it asks Redis again, and so long is between two words of that, in milliseconds. */
const aloneMs = 2_000;

type Doing = 'add' | 'takeBack' | 'close' | 'closeIfOpen' | 'closedFor';

/**
 * KEYS: one key, a hash of the count `n`, which ends at `u` and lasts `w` in all, and of the closing, which ends at `c` and lasts `d`.
 * ARGV: what to do, for how many milliseconds, the time or nothing, and how long a key is closed at most. Answers the count and what is
 * left of its window, or how long the key was closed before. Nothing lasts longer than it was told, also when the clock is set back, nor
 * than whoever asks would have told it, whatever somebody else has written there.
 */
const script = redisScript(`
local now = tonumber(ARGV[3])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local kept = redis.call('HMGET', KEYS[1], 'n', 'u', 'w', 'c', 'd')
local function number(at)
  local value = tonumber(kept[at] or '') or 0
  -- Lua reads 'nan' and 'inf' too.
  if value ~= value or value < 0 then return 0 end
  return math.min(value, 9007199254740991)
end
local count, ends, window, closed, closing = number(1), number(2), number(3), number(4), number(5)
local what, ms = ARGV[1], tonumber(ARGV[2])
if what == 'add' then window = math.min(window, ms) end
closing = math.min(closing, tonumber(ARGV[4]))
local left = math.max(0, ends - now)
if left > window then left = window end
if left == 0 then count = 0 end
local closedMs = math.max(0, closed - now)
if closedMs > closing then closedMs = closing end

-- What lasted too long, after a clock was set back, is a reason to write down what was looked at.
if what == 'closedFor' and closed - now <= closing then return closedMs end
local was = closedMs
if what == 'add' then
  if left == 0 then
    count, left, window = 0, ms, ms
  end
  count = count + 1
elseif what == 'takeBack' then
  count = math.max(0, count - 1)
elseif what == 'close' or (what == 'closeIfOpen' and closedMs == 0) then
  closedMs, closing = ms, ms
end
if count == 0 then left = 0 end

local life = math.max(left, closedMs)
if life <= 0 then
  redis.call('DEL', KEYS[1])
else
  local function text(value) return string.format('%.0f', value) end
  redis.call('HSET', KEYS[1], 'n', text(count), 'u', text(now + left), 'w', text(window), 'c', text(now + closedMs), 'd', text(closing))
  redis.call('PEXPIRE', KEYS[1], text(life))
end
if what == 'add' then return {count, left} end
return was`);

/**
 * Counts in Redis, in one step each, so that of what two nodes do at once nothing is counted twice or not at all. While Redis is not
 * there each node counts by itself, and what it has closed then stays closed there after that too.
 */
export function redisCounter(parts: RedisCounterParts): RedisCounter {
  const { connection, onLocal, onShared, clock, elapsed = () => performance.now() } = parts;
  const { prefix, derive } = connection.keys;
  const namingKey = derive('counter names');
  const local = localCounter();
  let isLocal = false;
  let localCalls = 0;
  let cause: unknown;
  /** When Redis may be asked again, and when a change may be told of again. */
  let askAgainAt = Number.NEGATIVE_INFINITY;
  let tellAgainAt = Number.NEGATIVE_INFINITY;
  let toldLocal = false;
  /** Until when something may be closed by this node's own counting, by its clock. */
  let closedHereUntil = 0;

  // Keys hold names and addresses, which are nobody's business in Redis.
  const keyOf = (key: string): string =>
    `${prefix}count:${createHmac('sha256', namingKey).update(key).digest('hex').slice(0, 32)}`;

  async function ask(what: Doing, key: string, ms: number): Promise<[first: number, second: number]> {
    const reply = await connection.run(
      script,
      [keyOf(key)],
      [what, String(Math.ceil(ms)), clock ? String(clock()) : '', String(failureWaits.mostMs)],
    );
    const [first, second] = Array.isArray(reply) ? reply : [reply, 0];
    if (typeof first !== 'number' || typeof second !== 'number') throw new Error('Redis answers no number');
    return [first, second];
  }

  /** Does it with all nodes, or, when that cannot be or could not be a moment ago, alone. */
  async function either<T>(shared: () => Promise<T>, alone: () => Promise<T>, isChange = true): Promise<T> {
    if (elapsed() >= askAgainAt) {
      try {
        const done = await shared();
        // A Redis that is full answers questions and takes nothing; and one that has answered a call may have failed a later one.
        if (isChange && elapsed() >= askAgainAt) isLocal = false;
        tell();
        return done;
      } catch (error) {
        isLocal = true;
        cause = error;
        askAgainAt = elapsed() + aloneMs;
      }
    }
    localCalls += 1;
    tell();
    return await alone();
  }

  /** A Redis that answers every other call would fill the log otherwise. */
  function tell(): void {
    if (toldLocal === isLocal || elapsed() < tellAgainAt) return;
    toldLocal = isLocal;
    tellAgainAt = elapsed() + aloneMs;
    if (isLocal) onLocal(cause);
    else onShared();
  }

  function closingHere(ms: number): void {
    closedHereUntil = Math.max(closedHereUntil, elapsed() + ms);
  }

  async function closedHere(key: string): Promise<number> {
    return elapsed() < closedHereUntil ? await local.closedFor(key) : 0;
  }

  return {
    add: (key, windowMs) =>
      either(
        async () => (await ask('add', key, windowMs))[0],
        () => local.add(key, windowMs),
      ),
    take: (key, most, windowMs) =>
      either(
        async () => {
          const [count, leftMs] = await ask('add', key, windowMs);
          return count <= most ? 0 : leftMs;
        },
        () => local.take(key, most, windowMs),
      ),
    takeBack: (key, windowMs) =>
      either(
        async () => void (await ask('takeBack', key, windowMs)),
        () => local.takeBack(key, windowMs),
      ),
    close: (key, ms) =>
      either(
        async () => {
          await ask('close', key, ms);
          if (elapsed() < closedHereUntil) await local.close(key, 0);
        },
        () => {
          closingHere(ms);
          return local.close(key, ms);
        },
      ),
    async closeIfOpen(key, ms) {
      if ((await closedHere(key)) > 0) return false;
      return await either(
        async () => (await ask('closeIfOpen', key, ms))[0] === 0,
        () => {
          closingHere(ms);
          return local.closeIfOpen(key, ms);
        },
      );
    },
    closedFor: (key) =>
      either(
        async () => Math.max((await ask('closedFor', key, 0))[0], await closedHere(key)),
        () => local.closedFor(key),
        false,
      ),
    async forget(key) {
      await local.forget(key);
      await either(
        async () => void (await connection.command(['DEL', keyOf(key)])),
        async () => {},
      );
    },
    figures: () => ({ isLocal, localCalls }),
  };
}
