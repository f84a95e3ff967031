import type { Bus } from '../../core/ports/bus.ts';
import type { Counter } from '../../core/ports/counter.ts';
import type { PresenceBoard } from '../../core/ports/presence-board.ts';
import type { SessionCache } from '../../core/ports/session-cache.ts';
import { redisBus } from '../bus/redis.ts';
import { redisCounter } from '../counter/redis.ts';
import type { Log } from '../log.ts';
import { type MembershipWatchParts, watchMemberships } from '../membership-watch.ts';
import { presenceOverBus } from '../presence/over-bus.ts';
import { redisConnection } from '../redis/connection.ts';
import { redisSessionCache } from '../session-cache/redis.ts';
import type { PostgresStore } from '../store/postgres/store.ts';

/** What a node has in common with the others, besides the store. */
export interface JoinedNodes {
  readonly bus: Bus;
  readonly cache: SessionCache;
  readonly counter: Counter;
  readonly presence: PresenceBoard;
  /** Looks again and again who came and left on any node, since a notice of it may be lost; answers what ends it. */
  watchMemberships(onNotes: MembershipWatchParts<unknown>['onNotes']): () => void;
  figures(): BusFigures;
  /** Says goodbye to the others. */
  close(): Promise<void>;
}

/** How the nodes hear each other; what is counted is counted since the start. */
export interface BusFigures {
  /** True while Redis answers. */
  readonly isUp: boolean;
  /** True while what this node tells the others comes back to it. */
  readonly isHeard: boolean;
  /** Other nodes that are heard. */
  readonly peers: number;
  readonly reconnects: number;
  readonly timeouts: number;
  readonly sent: number;
  readonly heard: number;
  /** Notices that the others were not told. */
  readonly dropped: number;
  /** Frames that were not heard: of nobody of this cluster, repeated, or too old. */
  readonly refused: number;
  /** How often something of another node was missing, and how often all was looked up again for such a reason. */
  readonly gaps: number;
  readonly doubts: number;
}

/** What joins a node to the others. */
export interface JoinNodesOptions {
  /** Redis's URL. */
  readonly url: string;
  readonly secret: Uint8Array;
  readonly realm: string;
  /** What the others call this node. */
  readonly id: string;
  readonly store: Pick<PostgresStore, 'membershipChanges'>;
  readonly log: Log;
  readonly onFailure: (error: unknown) => void;
}

/** How long Redis is waited for before it is said that it is not there, in milliseconds. */
const awaitedMs = 1_000;
/** How often the store is asked who came and left, in milliseconds. */
const lookMs = 2_500;

const textOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));

/** Opens what the nodes share over Redis. Never waits long: without Redis a node serves all the same, and joins when it is there. */
export async function joinNodes(options: JoinNodesOptions): Promise<JoinedNodes> {
  const { url, secret, realm, id, store, log, onFailure } = options;
  const connection = redisConnection({ url, secret, realm, onFailure });
  const bus = redisBus({ connection, node: id, onFailure });
  const isThere = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(connection.isUp), awaitedMs);
    const stop = connection.onUp(() => {
      clearTimeout(timer);
      stop();
      resolve(true);
    });
    if (connection.isUp) {
      clearTimeout(timer);
      stop();
      resolve(true);
    }
  });
  const without =
    'this node serves without it: what others do is seen here some seconds late, and limits count per node';
  const saysDown = (why: string | undefined): void => log.warn('bus-lost', { why, note: without });
  if (!isThere) saysDown(connection.figures().lastError ?? 'no answer yet');
  let wasUp = isThere;
  const stopUp = connection.onUp(() => {
    if (!wasUp) log.info('bus-back', { note: 'Redis answers: this node has joined the others' });
    wasUp = true;
  });
  const stopDown = connection.onDown((why) => {
    if (wasUp) saysDown(why);
    wasUp = false;
  });
  return {
    bus,
    cache: redisSessionCache(connection),
    counter: redisCounter({
      connection,
      onLocal: (cause) =>
        log.warn('limits-alone', { why: textOf(cause), note: 'limits count on this node alone' }),
      onShared: () => log.info('limits-shared', { note: 'limits count once for all nodes again' }),
    }),
    presence: presenceOverBus(bus),
    watchMemberships(onNotes) {
      const watch = watchMemberships({ read: store.membershipChanges, onNotes, everyMs: lookMs, onFailure });
      const stopDoubt = bus.onDoubt?.(() => watch.lookNow());
      return () => {
        stopDoubt?.();
        watch.stop();
      };
    },
    figures() {
      const { isUp, reconnects, timeouts } = connection.figures();
      const { isHeard, peers } = bus.health();
      const counts = bus.figures();
      return {
        isUp,
        isHeard,
        peers: peers.length,
        reconnects,
        timeouts,
        sent: counts.sentNotices,
        heard: counts.heardNotices,
        dropped: counts.droppedNotices,
        refused: counts.refusedFrames + counts.repeatedFrames + counts.staleFrames,
        gaps: counts.gaps,
        doubts: counts.doubts,
      };
    },
    async close() {
      stopUp();
      stopDown();
      await bus.close();
      connection.close();
    },
  };
}
