import { createClient, ErrorReply, RESP_TYPES } from '@redis/client';
import { randomBytes } from '../../core/random.ts';
import type { RedisTls } from './redis-tls.ts';
import type { RedisAddress } from './redis-url.ts';
import { RedisUnavailable } from './unavailable.ts';

/** One word of a command. */
export type RedisArgument = string | Buffer;

/** What Redis answers; strings as bytes where bytes were asked for. */
export type RedisReply = string | Buffer | number | null | readonly RedisReply[];

/** How one connection has fared. */
export interface RedisLinkFigures {
  readonly isUp: boolean;
  /** How often it was up, the first time not counted. */
  readonly reconnects: number;
  /** How often an answer was waited for in vain. */
  readonly timeouts: number;
  /** Why it was lost last, or could not be made; without anything secret. */
  readonly lastError: string | undefined;
}

/** One connection to Redis that is made again whenever it is lost. */
export interface RedisLink {
  readonly isUp: boolean;
  /**
   * Sends one command. Rejects with {@link RedisUnavailable} at once when the connection is down, and in no more than
   * {@link answerMs} when no answer comes; with another `Error` when Redis refuses the command.
   */
  command(words: readonly RedisArgument[], options?: { readonly isBytes?: boolean }): Promise<RedisReply>;
  /** Loses the connection as if Redis had, and makes it again. */
  reset(cause: string): void;
  figures(): RedisLinkFigures;
  close(): void;
}

/** What a link needs. */
export interface RedisLinkParts {
  readonly address: RedisAddress;
  readonly tls: RedisTls | undefined;
  /** In milliseconds; left out, {@link answerMs}. For tests on a busy machine. */
  readonly answerMs?: number | undefined;
  /** Told each time it is up, after its channels were subscribed to, and each time it is lost. */
  readonly onUp: () => void;
  readonly onDown: (cause: string) => void;
  /** Channels that it hears; what comes on them goes to `onMessage`, which must not throw. */
  readonly channels?: readonly string[];
  readonly onMessage?: (bytes: Buffer) => void;
}

/** How often the time is looked at, in milliseconds. */
const stepMs = 50;
/** No command waits longer than this for its answer, in milliseconds, as long as this process gets to run. */
export const answerMs = 500;
/** After its time is over a command is given up when that is seen twice, and seen it is in steps. */
const stepsToGiveUp = 3;
/** How long a connection may take to be made and be let in, in milliseconds. */
const connectMs = 2_000;
/** After so long without a command one is sent to see whether anybody answers, in milliseconds. */
const probeMs = 1_000;
/** The first wait before another try, which doubles up to the longest, in milliseconds. */
const firstWaitMs = 50;
const longestWaitMs = 2_000;
/** Commands that wait for an answer, at most: Redis answers tens of thousands in the time that one may wait. */
const maxPending = 20_000;

type Client = ReturnType<typeof makeClient>;

interface Pending {
  readonly sentAt: number;
  readonly deadline: number;
  /** True once it was seen to be late: while this process was busy the answer may have come, or the question not even have gone out. */
  isLate: boolean;
  reject(error: Error): void;
}

/** Keeps one connection; begins to make it at once. */
export function redisLink(parts: RedisLinkParts): RedisLink {
  const patienceMs = (parts.answerMs ?? answerMs) - stepsToGiveUp * stepMs;
  /** What waits for an answer, the oldest first: answers come in that order. */
  const pending = new Set<Pending>();
  /** The one that is being made, or is up. */
  let client: Client | undefined;
  /** When anything was answered last. */
  let answeredAt = 0;
  let isUp = false;
  let isClosed = false;
  let connectBy = 0;
  let retryAt = 0;
  let waitMs = firstWaitMs;
  let probeAt = 0;
  let ups = 0;
  let timeouts = 0;
  let lastError: string | undefined;

  function connect(): void {
    const made = makeClient(parts);
    client = made;
    connectBy = performance.now() + connectMs;
    // Whatever is wrong with it, it is not to be trusted any more: what it made of a broken stream of answers least of all.
    made.on('error', (error: unknown) => lose(made, describe(error)));
    made.on('end', () => lose(made, 'the connection was closed'));
    made
      .connect()
      .then(() => letIn(made))
      .then(
        () => cameUp(made),
        (error: unknown) => lose(made, describe(error)),
      )
      .finally(() => {
        // One that was given up while it was being made would stay open.
        if (client !== made) made.destroy();
      });
  }

  /** Sees that this is a Redis to write to, and subscribes. */
  async function letIn(made: Client): Promise<void> {
    if (client !== made) return;
    await made.sendCommand(['PING']);
    const role = await made.sendCommand(['ROLE']).catch(() => undefined);
    if (Array.isArray(role) && String(role[0]) === 'slave') throw new RedisUnavailable('it is a replica');
    const { channels = [], onMessage } = parts;
    if (channels.length > 0 && onMessage) await made.subscribe([...channels], onMessage, true);
  }

  function cameUp(made: Client): void {
    if (client !== made) return;
    isUp = true;
    ups += 1;
    waitMs = firstWaitMs;
    probeAt = performance.now() + probeMs;
    parts.onUp();
  }

  function lose(which: Client, cause: string): void {
    if (client !== which) return;
    client = undefined;
    const wasUp = isUp;
    isUp = false;
    lastError = cause;
    // Half of the wait by chance: the nodes of a cluster lose Redis together, and must not come back as one.
    const [byte = 0] = randomBytes(1);
    retryAt = performance.now() + waitMs / 2 + (waitMs / 2) * (byte / 255);
    waitMs = Math.min(waitMs * 2, longestWaitMs);
    which.destroy();
    const error = new RedisUnavailable(cause);
    const waiting = [...pending];
    pending.clear();
    for (const one of waiting) one.reject(error);
    if (wasUp) parts.onDown(cause);
  }

  function step(): void {
    const now = performance.now();
    if (!client) {
      if (now >= retryAt) connect();
      return;
    }
    if (!isUp) {
      if (now >= connectBy) timedOut(client);
      return;
    }
    giveUpLateOnes(client, now);
    if (client && now >= probeAt) probe(client);
  }

  function giveUpLateOnes(asked: Client, now: number): void {
    for (const one of pending) {
      if (now < one.deadline) return;
      if (!one.isLate) {
        one.isLate = true;
        continue;
      }
      // Answers come in the order of the questions: when there were none in all that time, nobody is there.
      if (answeredAt < one.sentAt) {
        timedOut(asked);
        return;
      }
      timeouts += 1;
      pending.delete(one);
      one.reject(new RedisUnavailable('no answer in time'));
    }
  }

  function timedOut(which: Client): void {
    timeouts += 1;
    lose(which, 'no answer in time');
  }

  function probe(which: Client): void {
    probeAt = performance.now() + probeMs;
    send(which, ['PING'], {}).catch((error: unknown) => lose(which, describe(error)));
  }

  function send(
    to: Client,
    words: readonly RedisArgument[],
    { isBytes = false }: { readonly isBytes?: boolean },
  ): Promise<RedisReply> {
    const { promise, resolve, reject } = Promise.withResolvers<RedisReply>();
    const sentAt = performance.now();
    const one: Pending = { sentAt, deadline: sentAt + patienceMs, isLate: false, reject };
    pending.add(one);
    to.sendCommand([...words], isBytes ? bytes : undefined).then(
      (reply) => {
        answeredAt = performance.now();
        pending.delete(one);
        resolve(reply as unknown as RedisReply);
      },
      (error: unknown) => {
        pending.delete(one);
        const cause = describe(error);
        if (error instanceof ErrorReply) answeredAt = performance.now();
        reject(
          error instanceof ErrorReply ? new Error(`Redis refuses: ${cause}`) : new RedisUnavailable(cause),
        );
        // It has become a replica: the one to write to is found by connecting again.
        if (cause.startsWith('READONLY')) lose(to, cause);
      },
    );
    return promise;
  }

  const clock = setInterval(step, stepMs);
  connect();

  return {
    get isUp() {
      return isUp;
    },
    async command(words, options = {}) {
      if (!client || !isUp) throw new RedisUnavailable(lastError ?? 'it is not connected yet');
      if (pending.size >= maxPending) throw new RedisUnavailable('too many commands wait for an answer');
      return await send(client, words, options);
    },
    reset(cause) {
      if (client && isUp) lose(client, cause);
    },
    figures: () => ({ isUp, reconnects: Math.max(0, ups - 1), timeouts, lastError }),
    close() {
      if (isClosed) return;
      isClosed = true;
      clearInterval(clock);
      if (client) lose(client, 'closed');
    },
  };
}

const bytes = { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } };

function makeClient({ address, tls }: RedisLinkParts) {
  const { host, port, username, password, database } = address;
  return createClient({
    socket: {
      host,
      port,
      connectTimeout: connectMs,
      // Who asks, and when, is decided above.
      reconnectStrategy: false,
      ...(tls && { tls: true, ...tls }),
    },
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    database,
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: 'disabled',
    // Timed above, for all commands at once.
    commandOptions: { timeout: 0 },
  });
}

/** In words for a log; messages of Redis and of sockets name addresses at most. */
function describe(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return describe(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}
