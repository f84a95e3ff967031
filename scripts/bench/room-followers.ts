import { setTimeout as sleep } from 'node:timers/promises';
import { type LineSocket, lineSockets } from './line-socket.ts';
import type { Service } from './service.ts';
import { SharedStream, type StreamFollower } from './shared-stream.ts';
import { InOrder } from './stamps.ts';

/** How long who is behind may take after the last message was sent, in milliseconds. */
const patienceMs = 20_000;

/** Everybody who follows a room. */
export interface RoomFollowers {
  /** Messages that each has by now, together. */
  deliveries(): number;
  /** Waits until each has every one of `sent` messages, once and in order; throws what is wrong. */
  settled(sent: number): Promise<void>;
  close(): void;
}

/** What a follower got: from its `had`-th message on up to its `has`-th. */
export type OnDelivery = (had: number, has: number) => void;

/**
 * Connects followers of a room, each of which must get what the others get. `onMessage` is told each message once, when the first
 * follower has it, and `onDelivery` what each follower got at a time.
 */
export async function roomFollowers(
  { port, follower: greeting }: Service,
  count: number,
  {
    onMessage = () => {},
    onDelivery = () => {},
  }: { onMessage?: (stamp: { sender: number; n: number }) => void; onDelivery?: OnDelivery } = {},
): Promise<RoomFollowers> {
  const order = new InOrder();
  const stream = new SharedStream((line) => onMessage(order.take(line)));
  const lines = await lineSockets(count, port, greeting);
  const followers = lines.map((line) => follow(line, stream.follower(), onDelivery));
  const deliveries = (): number => followers.reduce((sum, follower) => sum + follower.lines, 0);
  return {
    deliveries,
    async settled(sent) {
      for (const end = performance.now() + patienceMs; performance.now() < end; await sleep(20)) {
        if (deliveries() === sent * count) return;
      }
      const wrong = followers.filter((follower) => follower.lines !== sent).length;
      throw new Error(`of ${count} followers ${wrong} did not get exactly ${sent} messages`);
    },
    close() {
      for (const line of lines) line.close();
    },
  };
}

function follow(line: LineSocket, follower: StreamFollower, onDelivery: OnDelivery): StreamFollower {
  line.onBytes = (bytes, length) => {
    const had = follower.lines;
    const answers = follower.take(bytes, length);
    if (answers !== '') line.socket.write(answers);
    onDelivery(had, follower.lines);
  };
  return follower;
}
