import { createHash } from 'node:crypto';
import { listeners } from '../listeners.ts';
import { type ClusterKeys, clusterKeys } from './cluster-keys.ts';
import { type RedisArgument, type RedisLinkFigures, type RedisReply, redisLink } from './link.ts';
import { readRedisTls } from './redis-tls.ts';
import { parseRedisUrl } from './redis-url.ts';

/** A node's way to Redis: one connection for commands, and one for what the nodes tell each other. */
export interface RedisConnection {
  /** What keys are named and sealed with. */
  readonly keys: ClusterKeys;
  /** True while commands are answered. */
  readonly isUp: boolean;
  /**
   * Sends one command; its strings come back as bytes with `isBytes`. Rejects with `RedisUnavailable` at once when Redis is down, and
   * within half a second when it does not answer; with another `Error` when it refuses. Whether the command was done is unknown then.
   */
  command(words: readonly RedisArgument[], options?: { readonly isBytes?: boolean }): Promise<RedisReply>;
  /** Runs a script, which Redis is sent once and called by its name from then on; rejects as {@link command} does. */
  run(
    script: RedisScript,
    keys: readonly RedisArgument[],
    words: readonly RedisArgument[],
    options?: { readonly isBytes?: boolean },
  ): Promise<RedisReply>;
  /**
   * Hears a channel on a connection of its own, from when that is up; a message may be lost at any time. `listener` must not throw.
   */
  subscribe(channel: string, listener: (bytes: Buffer) => void): RedisSubscription;
  /** Calls `listener` whenever commands are answered again; answers a function that stops it. */
  onUp(listener: () => void): () => void;
  /** Calls `listener` with the cause whenever they are no more; answers a function that stops it. */
  onDown(listener: (cause: string) => void): () => void;
  /** Of the connection for commands. */
  figures(): RedisLinkFigures;
  /** Ends every connection, and rejects what waits. */
  close(): void;
}

/** A channel that is heard. */
export interface RedisSubscription {
  /** True while the channel is heard, as far as is known. */
  readonly isUp: boolean;
  /** Calls `listener` whenever the channel is heard from now on: what came before was lost. Answers a function that stops it. */
  onUp(listener: () => void): () => void;
  onDown(listener: (cause: string) => void): () => void;
  /** Makes the connection anew, for whoever has reason to doubt it. */
  reset(cause: string): void;
  figures(): RedisLinkFigures;
  stop(): void;
}

/** A script in Lua, with the name that Redis gives it. */
export interface RedisScript {
  readonly text: string;
  readonly sha1: string;
}

/** Where Redis is and whose it is. */
export interface RedisOptions {
  /** As `parseRedisUrl` takes it. */
  readonly url: string;
  /** The cluster's secret, at least 32 bytes. */
  readonly secret: Uint8Array;
  /** The store's realm: two clusters with one Redis have two. */
  readonly realm: string;
  /** Told when a listener throws. */
  readonly onFailure: (error: unknown) => void;
  /** How long an answer is waited for at most, in milliseconds; left out, half a second. For tests on a busy machine. */
  readonly answerMs?: number;
}

/** Names a script. */
export function redisScript(text: string): RedisScript {
  return { text, sha1: createHash('sha1').update(text).digest('hex') };
}

/**
 * Opens the connections and keeps them: they are made again with growing waits. Returns at once, whether Redis is there or not; throws
 * what `parseRedisUrl` and `readRedisTls` throw.
 */
export function redisConnection({ url, secret, realm, onFailure, answerMs }: RedisOptions): RedisConnection {
  const address = parseRedisUrl(url);
  const tls = address.tls && readRedisTls(address.tls);
  const up = listeners<[]>(onFailure);
  const down = listeners<[string]>(onFailure);
  const subscriptions = new Set<RedisSubscription>();
  const link = redisLink({ address, tls, answerMs, onUp: up.tell, onDown: down.tell });

  return {
    keys: clusterKeys(secret, realm),
    get isUp() {
      return link.isUp;
    },
    command: (words, options) => link.command(words, options),
    async run({ text, sha1 }, keys, words, options) {
      const rest = [String(keys.length), ...keys, ...words];
      try {
        return await link.command(['EVALSHA', sha1, ...rest], options);
      } catch (error) {
        if (!(error instanceof Error && error.message.includes('NOSCRIPT'))) throw error;
        return await link.command(['EVAL', text, ...rest], options);
      }
    },
    subscribe(channel, listener) {
      const heard = listeners<[]>(onFailure);
      const lost = listeners<[string]>(onFailure);
      const own = redisLink({
        address,
        tls,
        answerMs,
        onUp: heard.tell,
        onDown: lost.tell,
        channels: [channel],
        onMessage: listener,
      });
      const subscription: RedisSubscription = {
        get isUp() {
          return own.isUp;
        },
        onUp: heard.add,
        onDown: lost.add,
        reset: own.reset,
        figures: own.figures,
        stop() {
          subscriptions.delete(subscription);
          own.close();
        },
      };
      subscriptions.add(subscription);
      return subscription;
    },
    onUp: up.add,
    onDown: down.add,
    figures: () => link.figures(),
    close() {
      link.close();
      for (const subscription of [...subscriptions]) subscription.stop();
    },
  };
}
