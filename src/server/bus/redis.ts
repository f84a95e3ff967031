import type { Bus, Notice } from '../../core/ports/bus.ts';
import { randomBytes } from '../../core/random.ts';
import { listeners } from '../listeners.ts';
import { rarely } from '../rarely.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { type Frame, type FrameKind, frameOverhead, openFrame, sealFrame } from './frame.ts';
import { parseNotice } from './parse-notice.ts';
import { type BusPeer, createPeers, silentAfterBeats } from './peers.ts';

/** The bus of a node among others. */
export interface RedisBus extends Bus {
  onDoubt(listener: () => void): () => void;
  health(): BusHealth;
  figures(): BusFigures;
  /** Says goodbye, so that the others need not wonder, and stops; resolves within a second. The connection stays open. */
  close(): Promise<void>;
}

/** Whether the nodes hear each other. */
export interface BusHealth {
  /** This run of this node, as its peers have it. */
  readonly run: string;
  /** True while this node hears itself: its own beat was back within three seconds. */
  readonly isHeard: boolean;
  /** True while listeners have yet to be told that something may have been lost. */
  readonly isInDoubt: boolean;
  /** The others that are heard, each within the last three seconds. */
  readonly peers: readonly BusPeer[];
}

/** What the bus has done since the start. */
export interface BusFigures {
  /** Frames that Redis has taken, notices in them, and their bytes. */
  readonly sentFrames: number;
  readonly sentNotices: number;
  readonly sentBytes: number;
  /** Notices that no other node was told: Redis was down, slow, or they were too large. */
  readonly droppedNotices: number;
  /** Notices of other nodes. */
  readonly heardNotices: number;
  /** Frames that nobody with the cluster's secret has made, that came again, or that are too old, or older than this bus. */
  readonly refusedFrames: number;
  readonly repeatedFrames: number;
  readonly staleFrames: number;
  /** What had the right signature and no meaning here: another version's. */
  readonly unfitNotices: number;
  /** How often frames of a node were missing. */
  readonly gaps: number;
  /** How often listeners were told that something may have been lost. */
  readonly doubts: number;
}

/** What a bus over Redis needs. */
export interface RedisBusParts {
  readonly connection: RedisConnection;
  /** What this node calls itself, at most 100 characters; for people. */
  readonly node: string;
  readonly onFailure: (error: unknown) => void;
  /** For tests: how much time has passed on this node since some moment, in milliseconds. */
  readonly elapsed?: () => number;
}

/** How often each node says that it is there, in milliseconds. */
const beatMs = 1_000;
/** Notices of one turn go together in frames of so many bytes; one that is larger goes alone. */
const joinedBytes = 262_144;
const maxNoticeBytes = 4_194_304;
/** What Redis has not answered yet, at most: what comes on top is dropped, and the others see that it is missing. */
const maxUnansweredBytes = 16_777_216;
/** How far the clocks of two nodes may differ, and how old a frame may be, in milliseconds. */
const maxAgeMs = 60_000;
/** How far the clock of a node that was not heard yet may be behind without its frames seeming older than this bus, in milliseconds. */
const skewMs = 5_000;
/** Listeners are told of doubts at most so often, in milliseconds. */
const doubtMs = 200;
/** How often it is said that a node's clock is wrong, in milliseconds. */
const clockToldMs = 60_000;

/**
 * Carries notices to the other nodes through one channel of Redis. Own listeners hear before `publish` returns, whatever Redis does.
 * What the others say is heard only with the cluster's signature, once, and in their order.
 */
export function redisBus(parts: RedisBusParts): RedisBus {
  const { connection, node, onFailure, elapsed = () => performance.now() } = parts;
  const beganAt = elapsed();
  const channel = `${connection.keys.prefix}bus`;
  const key = connection.keys.derive('bus');
  const run = Buffer.from(randomBytes(16)).toString('hex');
  const told = listeners<[Notice]>(onFailure);
  const doubted = listeners<[]>(onFailure);
  const clockIsWrong = rarely(onFailure, clockToldMs);
  const peers = createPeers();
  const figures = {
    sentFrames: 0,
    sentNotices: 0,
    sentBytes: 0,
    droppedNotices: 0,
    heardNotices: 0,
    refusedFrames: 0,
    repeatedFrames: 0,
    staleFrames: 0,
    unfitNotices: 0,
    gaps: 0,
    doubts: 0,
  };
  let outgoing: Notice[] = [];
  let count = 0;
  let unansweredBytes = 0;
  let isHeard = false;
  /** Beats since the own one was heard last. */
  let unheardBeats = 0;
  let isClosed = false;
  /** Runs for a while after listeners were told of a doubt, in which others are put together. */
  let doubtTimer: ReturnType<typeof setTimeout> | undefined;
  let isInDoubt = false;

  function flush(): void {
    const notices = outgoing;
    outgoing = [];
    let joined: string[] = [];
    let bytes = 0;
    const send = (): void => {
      if (joined.length > 0) sendNotices(joined);
      joined = [];
      bytes = 0;
    };
    if (!connection.isUp) {
      drop(notices.length);
      return;
    }
    for (const notice of notices) {
      const text = JSON.stringify(notice);
      const length = Buffer.byteLength(text);
      if (bytes > 0 && bytes + length > joinedBytes) send();
      if (length > maxNoticeBytes) {
        drop(1);
        continue;
      }
      joined.push(text);
      bytes += length;
    }
    send();
  }

  function sendNotices(notices: readonly string[]): void {
    const body = Buffer.from(`[${notices.join(',')}]`);
    if (unansweredBytes + body.length > maxUnansweredBytes) {
      drop(notices.length);
      return;
    }
    post('notices', body).then(
      () => {
        figures.sentNotices += notices.length;
      },
      // Its number is used up: who gets the next one sees that this one is missing.
      () => {
        figures.droppedNotices += notices.length;
      },
    );
  }

  /** Lets the others see that something is missing. */
  function drop(notices: number): void {
    count += 1;
    figures.droppedNotices += notices;
  }

  async function post(kind: FrameKind, body: Buffer): Promise<void> {
    count += 1;
    const frame = sealFrame(key, { kind, run, count, at: Date.now(), body });
    unansweredBytes += frame.length;
    try {
      await connection.command(['PUBLISH', channel, frame]);
      figures.sentFrames += 1;
      figures.sentBytes += frame.length;
    } finally {
      unansweredBytes -= frame.length;
    }
  }

  function sayThatIAmHere(): void {
    if (connection.isUp) post('beat', Buffer.from(node.slice(0, 100))).catch(() => {});
  }

  function beat(): void {
    unheardBeats += 1;
    if (unheardBeats > silentAfterBeats) {
      setHeard(false);
      // It calls itself up and hears nothing.
      if (connection.isUp) subscription.reset('the own beats do not come back');
      unheardBeats = 0;
    }
    if (peers.pass().length > 0) doubt();
    sayThatIAmHere();
  }

  function setHeard(now: boolean): void {
    if (isHeard === now) return;
    isHeard = now;
    // What is lost is lost already, and asked for when something arrives again; until then it is asked for by the clock.
    if (isHeard) doubt();
  }

  function doubt(): void {
    if (isClosed) return;
    if (doubtTimer) {
      isInDoubt = true;
      return;
    }
    isInDoubt = false;
    figures.doubts += 1;
    doubtTimer = setTimeout(() => {
      doubtTimer = undefined;
      if (isInDoubt) doubt();
    }, doubtMs);
    doubted.tell();
  }

  function onBytes(bytes: Buffer): void {
    try {
      onFrame(
        bytes.length > maxNoticeBytes + joinedBytes + frameOverhead ? undefined : openFrame(key, bytes),
      );
    } catch (error) {
      onFailure(error);
    }
  }

  function onFrame(frame: Frame | undefined): void {
    if (isClosed) return;
    if (!frame) {
      figures.refusedFrames += 1;
      return;
    }
    const age = Date.now() - frame.at;
    if (Math.abs(age) > maxAgeMs) {
      onStale(age);
      return;
    }
    // Nothing says that a run which is new here has not said it before: whoever keeps frames for a node that starts would be heard. From
    // a node whose clock is behind it is a doubt until that clock has passed the moment at which this one began.
    if (!peers.knows(frame.run) && age > elapsed() - beganAt + skewMs) {
      onStale(age);
      doubt();
      return;
    }
    const hearing = peers.hear(frame);
    if (!hearing.isNew) {
      figures.repeatedFrames += 1;
      return;
    }
    if (hearing.isGap) {
      figures.gaps += 1;
      doubt();
    }
    if (frame.kind === 'notices') onNotices(frame);
    else if (frame.kind === 'beat') onBeat(frame);
  }

  function onStale(age: number): void {
    figures.staleFrames += 1;
    clockIsWrong(
      new Error(
        `what another node says is not heard: the clocks of the two differ by ${Math.round(Math.abs(age) / 1_000)} s, or somebody has kept it`,
      ),
    );
  }

  function onBeat({ run: from, body }: Frame): void {
    peers.name(from, body.toString('utf8'));
    if (from !== run) return;
    unheardBeats = 0;
    setHeard(true);
  }

  function onNotices({ run: from, body }: Frame): void {
    // They were told before they were sent.
    if (from === run) return;
    for (const one of parseArray(body)) {
      const notice = parseNotice(one);
      if (!notice) {
        figures.unfitNotices += 1;
        continue;
      }
      figures.heardNotices += 1;
      told.tell(notice);
    }
  }

  const subscription = connection.subscribe(channel, onBytes);
  subscription.onUp(() => {
    unheardBeats = 0;
    doubt();
    sayThatIAmHere();
  });
  subscription.onDown(() => setHeard(false));
  const stopUp = connection.onUp(sayThatIAmHere);
  const clock = setInterval(beat, beatMs);

  return {
    isShared: true,
    publish(notice) {
      told.tell(notice);
      if (isClosed) return;
      outgoing.push(notice);
      if (outgoing.length === 1) setImmediate(flush);
    },
    subscribe: told.add,
    onDoubt: doubted.add,
    health: () => ({ run, isHeard, isInDoubt, peers: peers.list().filter((peer) => peer.run !== run) }),
    figures: () => ({ ...figures }),
    async close() {
      if (isClosed) return;
      flush();
      isClosed = true;
      clearInterval(clock);
      clearTimeout(doubtTimer);
      stopUp();
      if (connection.isUp) await post('bye', Buffer.alloc(0)).catch(() => {});
      subscription.stop();
    },
  };
}

function parseArray(body: Buffer): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return Array.isArray(value) ? value : [undefined];
  } catch {
    // Signed, and not to be read: of another version.
    return [undefined];
  }
}
